import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

/// One header field of a request, checked as bytes.
struct HTTPField: Hashable, Sendable {
    let name: String
    let value: Bytes

    /// A field that the host writes itself.
    ///
    /// - Parameters:
    ///   - name: a token.
    ///   - value: nothing in it ends a line.
    init(_ name: String, _ value: Bytes) {
        self.name = name
        self.value = value
    }

    /// Takes a connector's field.
    ///
    /// - Throws: `invalid` for what is no field, `reservedHeader` for one of the host's.
    init(_ header: Wire.HttpHeader, _ secrets: SecretSource, _ patience: Patience) throws(EffectError) {
        let shown = printable(header.name)
        guard (1...128).contains(header.name.utf8.count), header.name.utf8.allSatisfy(isTokenByte) else {
            throw EffectError(
                .invalid, object: "headers", "\"\(shown)\" is no name of a header field: a token of 1 to 128 characters"
            )
        }
        guard !HTTPField.isReserved(header.name) else {
            throw EffectError(
                .reservedHeader, object: shown,
                "the header field \(shown) is the host's, and is not taken from a connector",
                fix: "leave it out")
        }
        let value = try secrets.assemble(
            header.value, limit: BrokeredRequest.contentLimit, field: "the value of header \(shown)",
            patience: patience, archives: 0)
        guard HTTPField.isValue(value) else {
            throw EffectError(
                .invalid, object: "headers",
                "the value of header \(shown) holds a control character, which could end it")
        }
        self.init(header.name, value)
    }

    /// Those that say who is meant, where a message ends, what a proxy does, in which parts or coding an answer comes (a
    /// secret in it would not be recognised), and that another method or path is meant than the one that was decided.
    ///
    /// Servers that hand fields on as variables (RFC 3875 section 4.1.18) make one of `X-Name` and of `X_Name`.
    static func isReserved(_ name: String) -> Bool {
        let lower = name.utf8.map { $0.isASCIIAlphanumeric ? $0.asciiLowerCased : UInt8(ascii: "-") }
        return reserved.contains(lower) || lower.starts(with: "proxy-".utf8)
    }

    private static let reserved = Set(
        [
            "host", "content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "te", "trailer",
            "expect", "http2-settings", "range", "if-range", "request-range", "x-ms-range", "accept-encoding",
            "x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url",
        ].map { Array($0.utf8) })

    /// Visible characters, spaces and tabs (RFC 9110 section 5.5).
    static func isValue(_ value: Bytes) -> Bool {
        value.withUnsafeBytes { $0.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 } }
    }

    func isNamed(_ other: String) -> Bool { HTTPField.isSameName(name, other) }

    static func isSameName(_ left: String, _ right: String) -> Bool {
        left.utf8.count == right.utf8.count
            && zip(left.utf8, right.utf8).allSatisfy { $0.asciiLowerCased == $1.asciiLowerCased }
    }
}

/// The method of a request.
struct HTTPMethod: Hashable, Sendable {
    let text: String

    /// Takes a connector's method.
    ///
    /// - Throws: `invalid`; also for CONNECT and TRACE, which are about the way and not about the peer.
    init(_ text: String) throws(EffectError) {
        guard (1...16).contains(text.utf8.count), text.utf8.allSatisfy(isTokenByte) else {
            throw EffectError(
                .invalid, object: "method", "\"\(printable(text))\" is no method: a token of 1 to 16 characters")
        }
        guard !HTTPField.isSameName(text, "CONNECT"), !HTTPField.isSameName(text, "TRACE") else {
            throw EffectError(.invalid, object: "method", "the method \(text) is not offered")
        }
        self.text = text
    }

    private init(known text: String) { self.text = text }

    static let get = HTTPMethod(known: "GET")
    static let post = HTTPMethod(known: "POST")
    static let put = HTTPMethod(known: "PUT")

    /// Asks and changes nothing (RFC 9110 section 9.2.1); methods are compared as they are written.
    var isSafe: Bool { ["GET", "HEAD", "OPTIONS"].contains { $0.utf8.elementsEqual(text.utf8) } }

    /// May be sent twice (RFC 9110 section 9.2.2).
    var isIdempotent: Bool { isSafe || ["PUT", "DELETE"].contains { $0.utf8.elementsEqual(text.utf8) } }

    var isHead: Bool { text.utf8.elementsEqual("HEAD".utf8) }

    /// Has a body even when it is empty: its length is sent as 0.
    var hasBody: Bool { ["POST", "PUT", "PATCH"].contains { $0.utf8.elementsEqual(text.utf8) } }
}
