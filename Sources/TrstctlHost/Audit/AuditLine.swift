/// A record as a line of the log: a JSON object (RFC 8259) with its keys in alphabetical order.
///
/// Written by hand, because a general encoder takes three times as long, and a deployment writes eight lines
/// (`spec/DECISIONS.md`, 139); tests compare it with the general one.
struct AuditLine {
    private(set) var bytes: [UInt8] = [UInt8(ascii: "{")]

    /// - Parameter record: with no text that could forge a line, see `AuditRecord.bounded`.
    init(_ record: AuditRecord) {
        bytes.reserveCapacity(512)
        add("bytes", record.bytes.map(String.init), quoted: false)
        add("code", record.code)
        add("connector", record.connector)
        add("digest", record.digest)
        add("event", record.event.rawValue)
        add("grant", record.grant)
        add("milliseconds", record.milliseconds.map(String.init), quoted: false)
        add("object", record.object)
        add("operation", record.operation)
        add("outcome", record.outcome)
        add("reason", record.reason)
        add("run", record.run)
        add("scope", record.scope)
        add("target", record.target)
        add("time", record.time)
        bytes.append(UInt8(ascii: "}"))
        bytes.append(UInt8(ascii: "\n"))
    }

    /// A member; nothing when there is no value.
    private mutating func add(_ key: StaticString, _ value: String?, quoted: Bool = true) {
        guard let value else { return }
        if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
        bytes.append(UInt8(ascii: "\""))
        key.withUTF8Buffer { bytes.append(contentsOf: $0) }
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: ":"))
        guard quoted else { return bytes.append(contentsOf: value.utf8) }
        bytes.append(UInt8(ascii: "\""))
        for byte in value.utf8 { add(escaping: byte) }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func add(escaping byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"):
            bytes.append(UInt8(ascii: "\\"))
            bytes.append(byte)
        case UInt8(ascii: "\n"):
            bytes.append(contentsOf: "\\n".utf8)
        case 0..<0x20:
            let digits = Array("0123456789abcdef".utf8)
            bytes.append(contentsOf: "\\u00".utf8)
            bytes.append(digits[Int(byte >> 4)])
            bytes.append(digits[Int(byte & 0xF)])
        default:
            bytes.append(byte)
        }
    }
}
