import Glibc
import TrstctlCrypto
import TrstctlPolicy
import TrstctlSystem

/// Speaking until a handshake can begin.
///
/// Nothing is sent in the clear but the wish for TLS. When the peer does not agree, the probe fails; it never goes on
/// without TLS. Bytes that arrive behind the agreement are refused: somebody on the way could have put them there
/// (CVE-2011-0411, CVE-2021-23222).
extension StartTLS {
    /// The most bytes that a peer may say before it agrees.
    static let byteLimit = 16 << 10

    /// Speaks until the peer waits for a handshake.
    ///
    /// - Parameters:
    ///   - socket: connected, nothing said yet.
    ///   - address: for messages.
    /// - Throws: `notTLS` when the peer speaks something else or refuses, `tooMuch`, and the socket's errors.
    func agree(over socket: borrowing ProbeSocket, address: String) throws(ProbeError) {
        var talk = StartTLSTalk(name: rawValue, address: address)
        switch self {
        case .smtp:
            // RFC 3207: greeting, EHLO, which has to offer it, STARTTLS.
            try talk.expectReply("220", over: socket)
            try talk.say("EHLO [127.0.0.1]\r\n", over: socket)
            let offers = try talk.expectReply("250", over: socket)
            guard offers.contains(where: { isOffer($0) }) else { throw talk.refusal("it does not offer STARTTLS") }
            try talk.say("STARTTLS\r\n", over: socket)
            try talk.expectReply("220", over: socket)
        case .imap:
            // RFC 9051 section 6.2.1; what stands before the tagged answer is not for us.
            try talk.expectLine("* OK", over: socket)
            try talk.say("a STARTTLS\r\n", over: socket)
            while true {
                let line = try talk.line(over: socket)
                if line.starts(with: "* ".utf8) { continue }
                guard line.starts(with: "a OK".utf8) else { throw talk.refusal(line) }
                break
            }
        case .pop3:
            // RFC 2595 section 4.
            try talk.expectLine("+OK", over: socket)
            try talk.say("STLS\r\n", over: socket)
            try talk.expectLine("+OK", over: socket)
        case .ldap: try talk.askLDAP(over: socket)
        case .postgres: try talk.askPostgres(over: socket)
        case .mysql: try talk.askMySQL(over: socket)
        }
        guard talk.pending.isEmpty else {
            throw ProbeError(
                .notTLS, .handshake, address,
                "the peer sent more behind its agreement to start TLS; somebody on the way may have put it there")
        }
    }

    private func isOffer(_ line: [UInt8]) -> Bool {
        line.dropFirst(4).map { $0 & 0xDF }.elementsEqual("STARTTLS".utf8)
    }
}

/// One conversation: what has arrived and was not looked at yet, and how much there was.
struct StartTLSTalk {
    let name: String
    let address: String
    private(set) var pending: [UInt8] = []
    private var received = 0

    init(name: String, address: String) {
        self.name = name
        self.address = address
    }

    func refusal(_ reason: String) -> ProbeError {
        ProbeError(.notTLS, .handshake, address, "no TLS after \(name): \(reason)")
    }

    func refusal(_ line: [UInt8]) -> ProbeError { refusal("it says `\(PrintableText.of(line, limit: 80))`") }

    func say(_ text: String, over socket: borrowing ProbeSocket) throws(ProbeError) {
        try say(Array(text.utf8), over: socket)
    }

    func say(_ bytes: [UInt8], over socket: borrowing ProbeSocket) throws(ProbeError) {
        try Bytes(bytes).withUnsafeBytes { bytes throws(ProbeError) in try socket.send(bytes) }
    }

    private mutating func receive(over socket: borrowing ProbeSocket) throws(ProbeError) {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        let got = try socket.receive(into: &buffer)
        guard got > 0 else {
            throw ProbeError(.closed, .handshake, address, "the peer closed the connection before TLS began")
        }
        received += got
        guard received <= StartTLS.byteLimit else {
            throw ProbeError(
                .tooMuch, .handshake, address, "more than \(StartTLS.byteLimit) bytes before TLS began")
        }
        pending += buffer.prefix(got)
    }

    /// The next line, without its end.
    mutating func line(over socket: borrowing ProbeSocket) throws(ProbeError) -> [UInt8] {
        while true {
            if let end = pending.firstIndex(of: 0x0A) {
                var line = Array(pending[..<end])
                pending.removeFirst(end + 1)
                if line.last == 0x0D { line.removeLast() }
                return line
            }
            try receive(over: socket)
        }
    }

    /// Exactly this many bytes.
    mutating func take(_ count: Int, over socket: borrowing ProbeSocket) throws(ProbeError) -> [UInt8] {
        guard count <= StartTLS.byteLimit else { throw refusal("it announces \(count) bytes") }
        while pending.count < count { try receive(over: socket) }
        defer { pending.removeFirst(count) }
        return Array(pending.prefix(count))
    }

    mutating func expectLine(_ beginning: String, over socket: borrowing ProbeSocket) throws(ProbeError) {
        let line = try line(over: socket)
        guard line.starts(with: beginning.utf8) else { throw refusal(line) }
    }

    /// A reply of SMTP, of one line or several (RFC 5321 section 4.2.1).
    @discardableResult
    mutating func expectReply(
        _ code: String, over socket: borrowing ProbeSocket
    ) throws(ProbeError) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        while true {
            let line = try line(over: socket)
            guard line.starts(with: code.utf8) else { throw refusal(line) }
            lines.append(line)
            guard line.dropFirst(3).first == UInt8(ascii: "-") else { return lines }
        }
    }

    /// The extended operation of RFC 4511 section 4.14, and the result code of its answer.
    mutating func askLDAP(over socket: borrowing ProbeSocket) throws(ProbeError) {
        let name = Array("1.3.6.1.4.1.1466.20037".utf8)
        // LDAPMessage { messageID 1, [APPLICATION 23] { [0] name } }; every length is short.
        try say(
            [0x30, UInt8(name.count + 7), 0x02, 0x01, 0x01, 0x77, UInt8(name.count + 2), 0x80, UInt8(name.count)]
                + name,
            over: socket)
        guard try take(1, over: socket) == [0x30] else { throw refusal("it does not speak LDAP") }
        let body = try take(try length(over: socket), over: socket)
        // messageID 1, [APPLICATION 24] with a length in any form, ENUMERATED of one byte.
        guard body.starts(with: [0x02, 0x01, 0x01, 0x78]), let long = body.dropFirst(4).first else {
            throw refusal("it answers something else than was asked")
        }
        let result = body.dropFirst(5 + (long & 0x80 == 0 ? 0 : Int(long & 0x7F)))
        guard result.starts(with: [0x0A, 0x01]), let code = result.dropFirst(2).first else {
            throw refusal("it answers something else than was asked")
        }
        guard code == 0 else { throw refusal("it refuses with result code \(code)") }
    }

    /// A definite length of BER, short or of one to four bytes.
    private mutating func length(over socket: borrowing ProbeSocket) throws(ProbeError) -> Int {
        let first = Int(try take(1, over: socket).first ?? 0)
        guard first & 0x80 != 0 else { return first }
        guard (1...4).contains(first & 0x7F) else { throw refusal("it does not speak LDAP") }
        return try take(first & 0x7F, over: socket).reduce(0) { $0 << 8 | Int($1) }
    }

    /// SSLRequest and one byte, https://www.postgresql.org/docs/current/protocol-flow.html (SSL session encryption).
    mutating func askPostgres(over socket: borrowing ProbeSocket) throws(ProbeError) {
        try say([0, 0, 0, 8, 0x04, 0xD2, 0x16, 0x2F], over: socket)
        let answer = try take(1, over: socket)
        guard answer == Array("S".utf8) else {
            throw answer == Array("N".utf8) ? refusal("it refuses: ssl is off") : refusal(answer)
        }
    }

    /// The greeting, which has to offer TLS, and the SSL request packet.
    ///
    /// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html
    mutating func askMySQL(over socket: borrowing ProbeSocket) throws(ProbeError) {
        let header = try take(4, over: socket)
        let greeting = try take(header.prefix(3).reversed().reduce(0) { $0 << 8 | Int($1) }, over: socket)
        guard greeting.first == 10, let end = greeting.dropFirst().firstIndex(of: 0) else {
            throw refusal("it does not speak MySQL's protocol 10")
        }
        // Connection id (4), beginning of the challenge (8), a zero, then the lower half of the capabilities.
        let capabilities = greeting.dropFirst(end + 1 + 13).prefix(2)
        guard capabilities.count == 2, let high = capabilities.last, high & 0x08 != 0 else {
            throw refusal("it does not offer TLS")
        }
        // CLIENT_PROTOCOL_41 | CLIENT_SSL | CLIENT_SECURE_CONNECTION, 16 MiB, utf8mb4, 23 zeros.
        try say(
            [32, 0, 0, 1, 0x00, 0x8A, 0x00, 0x00, 0, 0, 0, 1, 45] + [UInt8](repeating: 0, count: 23), over: socket)
    }
}
