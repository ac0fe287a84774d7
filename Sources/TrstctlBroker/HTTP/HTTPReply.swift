import TrstctlSystem
import TrstctlWire

/// An answer as it arrives, line by line and piece by piece, held to the grammar and to bounds.
///
/// libcurl forgives what RFC 9112 forbids. Here a server that contradicts itself about where its answer ends, or writes
/// what two readers could read in two ways, gets its connection closed.
struct HTTPReply: ~Copyable {
    /// What is wrong with an answer.
    enum Fault: Error, Hashable, Sendable {
        case malformed(String)
        case tooLarge(String)
    }

    /// The most bytes of all header lines, those of informational answers and trailers included.
    static let headerBytes = 64 << 10
    /// The most header lines.
    static let headerLines = 128

    private enum Place { case status, fields, body }

    private(set) var status: UInt32 = 0
    private(set) var headers: [Wire.HttpResponseHeader] = []
    private(set) var fault: Fault?
    private(set) var receivedBytes = 0
    private var place = Place.status
    private var lines = 0
    private var lineBytes = 0
    private var body: WipedBuffer
    private let bodyLimit: Int
    private let isHead: Bool

    /// Expects one answer.
    ///
    /// - Parameters:
    ///   - bodyLimit: the most bytes of its body.
    ///   - isHead: whether it is the answer to HEAD, which announces a length and has no body.
    init(bodyLimit: Int, isHead: Bool) {
        self.bodyLimit = bodyLimit
        self.isHead = isHead
        body = WipedBuffer(capacity: min(16 << 10, bodyLimit), limit: max(1, bodyLimit))
    }

    /// Whether the header of the final answer was complete; a connection that ended before leaves half of one.
    var hasHead: Bool { place == .body }

    /// Gives the body away, secret because an answer may hold a token.
    mutating func takeBody() -> Bytes {
        var taken = WipedBuffer(capacity: 1, limit: 1)
        swap(&taken, &body)
        return taken.bytes(isSecret: true)
    }

    /// Takes one line as it came, its end included; false when the answer is refused.
    mutating func take(line: UnsafeRawBufferPointer) -> Bool {
        do throws(Fault) {
            try check(line)
            return true
        } catch {
            fault = error
            return false
        }
    }

    /// Takes a piece of the body; false when it is too much.
    mutating func take(body piece: UnsafeRawBufferPointer) -> Bool {
        receivedBytes += piece.count
        guard piece.count <= bodyLimit - body.count else {
            fault = .tooLarge("the body of the answer is longer than \(bodyLimit) bytes")
            return false
        }
        var rest = piece
        while !rest.isEmpty {
            let copied = body.append { free in
                let part = UnsafeRawBufferPointer(rebasing: rest.prefix(free.count))
                free.copyMemory(from: part)
                return part.count
            }
            guard let copied else { return false }
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(copied))
        }
        return true
    }

    private mutating func check(_ line: UnsafeRawBufferPointer) throws(Fault) {
        receivedBytes += line.count
        lines += 1
        lineBytes += line.count
        guard lines <= HTTPReply.headerLines, lineBytes <= HTTPReply.headerBytes else {
            throw .tooLarge(
                "the answer has more than \(HTTPReply.headerLines) header lines or \(HTTPReply.headerBytes) bytes of them"
            )
        }
        guard line.count >= 2, line[line.count - 2] == 0x0D, line[line.count - 1] == 0x0A else {
            throw .malformed("a header line does not end in CR LF")
        }
        let text = line.dropLast(2)
        guard text.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
            throw .malformed("a header line holds a control character")
        }
        switch place {
        case .status: try takeStatus(text)
        case .fields: try text.isEmpty ? endHead() : takeField(text)
        case .body: if !text.isEmpty { _ = try HTTPReply.field(text) }
        }
    }

    private mutating func takeStatus(_ text: Slice<UnsafeRawBufferPointer>) throws(Fault) {
        let line = Array(text)
        let digits = line.dropFirst(9).prefix(3)
        guard line.starts(with: "HTTP/1.1 ".utf8) || line.starts(with: "HTTP/1.0 ".utf8), digits.count == 3,
            digits.allSatisfy(\.isASCIIDigit), [nil, 0x20].contains(line.dropFirst(12).first),
            let number = UInt32(String(decoding: digits, as: UTF8.self)), (100...599).contains(number)
        else { throw .malformed("its first line is no status line of HTTP/1.1") }
        guard number != 101 else { throw .malformed("it switches to another protocol, which nobody asked for") }
        status = number
        headers = []
        place = .fields
    }

    private mutating func takeField(_ text: Slice<UnsafeRawBufferPointer>) throws(Fault) {
        headers.append(try HTTPReply.field(text))
    }

    private static func field(_ text: Slice<UnsafeRawBufferPointer>) throws(Fault) -> Wire.HttpResponseHeader {
        let line = Array(text)
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > 0, line[..<colon].allSatisfy(isTokenByte)
        else { throw .malformed("a header line is no field, or continues the one before") }
        var value = line[(colon + 1)...]
        while let first = value.first, first == 0x20 || first == 0x09 { value.removeFirst() }
        while let last = value.last, last == 0x20 || last == 0x09 { value.removeLast() }
        return Wire.HttpResponseHeader(
            name: String(decoding: line[..<colon], as: UTF8.self), value: Bytes(Array(value), isSecret: true))
    }

    private func values(_ name: String) -> [[UInt8]] {
        headers.filter { HTTPField.isSameName($0.name, name) }.map(\.value.array)
    }

    // RFC 9112 section 6.3: both or several of them are how requests and answers are smuggled.
    private mutating func endHead() throws(Fault) {
        place = status < 200 ? .status : .body
        // A secret would not be recognised in slices, and there are names for Range that nobody knows.
        guard status != 206, values("Content-Range").isEmpty else {
            throw .malformed("it is a part of the answer, which nobody asked for")
        }
        let lengths = values("Content-Length")
        let codings = values("Transfer-Encoding")
        guard lengths.count + codings.count <= 1 else {
            throw .malformed("it says twice where it ends")
        }
        if let coding = codings.first {
            guard coding.map({ $0 | 0x20 }) == Array("chunked".utf8) else {
                throw .malformed("its transfer coding is not `chunked`")
            }
        }
        guard let length = lengths.first else { return }
        guard (1...18).contains(length.count), length.allSatisfy(\.isASCIIDigit),
            let count = Int(String(decoding: length, as: UTF8.self))
        else { throw .malformed("its Content-Length is no number") }
        guard count <= bodyLimit || isHead || status == 304 else {
            throw .tooLarge("the body of the answer has \(count) bytes, more than \(bodyLimit)")
        }
    }
}
