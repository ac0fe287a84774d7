/// JSON of RFC 8259 in which no two readers can see different things.
///
/// Decoders differ about duplicate keys, lone surrogates, byte order marks and deep nesting (the first key or the last
/// one counts, text is replaced or cut, the stack overflows): here each of them is an error. Numbers keep their text,
/// because nothing here calculates with them.
enum StrictJSON: Equatable, Sendable {
    case object([[UInt8]: StrictJSON])
    case array([StrictJSON])
    /// The UTF-8 of the text, escapes resolved.
    case string([UInt8])
    case number([UInt8])
    case boolean(Bool)
    case null

    /// How deep arrays and objects may stand inside each other; a bundle needs 6.
    static let depthLimit = 16

    /// Reads one value and nothing after it but white space.
    ///
    /// - Parameter text: the caller bounds its size; memory is a small multiple of it.
    /// - Throws: `Failure` with the byte at which reading ended.
    init(_ text: [UInt8]) throws(Failure) {
        var reader = StrictJSONReader(text: text)
        self = try reader.document()
    }

    /// What is wrong, and where.
    struct Failure: Error, Equatable {
        var reason: String
        /// Byte offset, from 0.
        var offset: Int
    }

    /// The members when this is an object.
    var members: [[UInt8]: StrictJSON]? {
        guard case .object(let members) = self else { return nil }
        return members
    }

    /// The bytes when this is a string.
    var text: [UInt8]? {
        guard case .string(let text) = self else { return nil }
        return text
    }
}

/// The reading of one text, from the first byte to the last.
private struct StrictJSONReader {
    let text: [UInt8]
    var offset = 0

    init(text: [UInt8]) {
        self.text = text
    }

    typealias Failure = StrictJSON.Failure

    mutating func document() throws(Failure) -> StrictJSON {
        let value = try value(depth: 0)
        skipWhiteSpace()
        guard offset == text.count else { throw failure("something follows the value") }
        return value
    }

    private var next: UInt8? { offset < text.count ? text[offset] : nil }

    private func failure(_ reason: String) -> Failure {
        Failure(reason: offset < text.count ? reason : "the text ends too early", offset: offset)
    }

    private mutating func skipWhiteSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { offset += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        offset += 1
        return true
    }

    private mutating func value(depth: Int) throws(Failure) -> StrictJSON {
        skipWhiteSpace()
        switch next {
        case UInt8(ascii: "{"):
            guard depth < StrictJSON.depthLimit else { throw failure("nested too deeply") }
            return try object(depth: depth + 1)
        case UInt8(ascii: "["):
            guard depth < StrictJSON.depthLimit else { throw failure("nested too deeply") }
            return try array(depth: depth + 1)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .boolean(true))
        case UInt8(ascii: "f"): return try word("false", .boolean(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return .number(try number())
        }
    }

    private mutating func word(_ word: StaticString, _ value: StrictJSON) throws(Failure) -> StrictJSON {
        let matches = word.withUTF8Buffer { text[offset...].starts(with: $0) }
        guard matches else { throw failure("not a value") }
        offset += word.utf8CodeUnitCount
        return value
    }

    private mutating func object(depth: Int) throws(Failure) -> StrictJSON {
        offset += 1
        var members: [[UInt8]: StrictJSON] = [:]
        skipWhiteSpace()
        if take(UInt8(ascii: "}")) { return .object(members) }
        while true {
            skipWhiteSpace()
            let start = offset
            let key = try string()
            skipWhiteSpace()
            guard take(UInt8(ascii: ":")) else { throw failure("no colon after a key") }
            let value = try value(depth: depth)
            // Compared after escapes are resolved: "a" and "\u0061" are one key.
            guard members.updateValue(value, forKey: key) == nil else {
                throw Failure(reason: "the key `\(PrintableText.of(key, limit: 64))` stands twice", offset: start)
            }
            skipWhiteSpace()
            if take(UInt8(ascii: "}")) { return .object(members) }
            guard take(UInt8(ascii: ",")) else { throw failure("neither a comma nor the end of the object") }
        }
    }

    private mutating func array(depth: Int) throws(Failure) -> StrictJSON {
        offset += 1
        var items: [StrictJSON] = []
        skipWhiteSpace()
        if take(UInt8(ascii: "]")) { return .array(items) }
        while true {
            items.append(try value(depth: depth))
            skipWhiteSpace()
            if take(UInt8(ascii: "]")) { return .array(items) }
            guard take(UInt8(ascii: ",")) else { throw failure("neither a comma nor the end of the array") }
        }
    }

    private mutating func number() throws(Failure) -> [UInt8] {
        let start = offset
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")) { try digits() }
        if take(UInt8(ascii: ".")) { try digits() }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            try digits()
        }
        return Array(text[start..<offset])
    }

    private mutating func digits() throws(Failure) {
        let start = offset
        while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { offset += 1 }
        guard offset > start else { throw failure("not a value") }
    }

    private mutating func string() throws(Failure) -> [UInt8] {
        guard take(UInt8(ascii: "\"")) else { throw failure("not a string") }
        let start = offset
        var bytes: [UInt8] = []
        while let byte = next {
            switch byte {
            case UInt8(ascii: "\""):
                offset += 1
                guard String(validating: bytes, as: UTF8.self) != nil else {
                    throw Failure(reason: "a string that is not UTF-8", offset: start)
                }
                return bytes
            case UInt8(ascii: "\\"):
                offset += 1
                try escape(into: &bytes)
            case 0..<0x20: throw failure("a control character in a string")
            default:
                bytes.append(byte)
                offset += 1
            }
        }
        throw failure("a string without end")
    }

    private mutating func escape(into bytes: inout [UInt8]) throws(Failure) {
        guard let byte = next else { throw failure("a string without end") }
        offset += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): bytes.append(byte)
        case UInt8(ascii: "b"): bytes.append(0x08)
        case UInt8(ascii: "f"): bytes.append(0x0c)
        case UInt8(ascii: "n"): bytes.append(0x0a)
        case UInt8(ascii: "r"): bytes.append(0x0d)
        case UInt8(ascii: "t"): bytes.append(0x09)
        case UInt8(ascii: "u"): bytes += Array(String(try escapedScalar()).utf8)
        default: throw failure("an unknown escape")
        }
    }

    private mutating func escapedScalar() throws(Failure) -> Character {
        var number = try hexadecimal()
        if (0xd800..<0xdc00).contains(number) {
            guard take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else { throw failure("half a surrogate pair") }
            let low = try hexadecimal()
            guard (0xdc00..<0xe000).contains(low) else { throw failure("half a surrogate pair") }
            number = 0x10000 + (number - 0xd800) << 10 + (low - 0xdc00)
        }
        guard let scalar = Unicode.Scalar(number) else { throw failure("half a surrogate pair") }
        return Character(scalar)
    }

    private mutating func hexadecimal() throws(Failure) -> UInt32 {
        var number: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = next else { throw failure("a string without end") }
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): number = number << 4 | UInt32(byte - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): number = number << 4 | UInt32(byte - UInt8(ascii: "a") + 10)
            case UInt8(ascii: "A")...UInt8(ascii: "F"): number = number << 4 | UInt32(byte - UInt8(ascii: "A") + 10)
            default: throw failure("an unknown escape")
            }
            offset += 1
        }
        return number
    }
}
