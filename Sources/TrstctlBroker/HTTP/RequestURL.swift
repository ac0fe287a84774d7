import TrstctlPolicy
import TrstctlSystem

/// The URL of a request, read as bytes and in one way only.
///
/// What a general URL parser repairs (user information, percent-encoded hosts, other spellings of an address,
/// backslashes) is refused, so that what is authorised is what is dialled.
struct RequestURL: Hashable, Sendable {
    /// Whether TLS is spoken.
    let isSecure: Bool
    /// Host and port, the scheme's default filled in.
    let address: DialAddress
    /// Path and query as they are sent (RFC 9112 section 3.2.1); printable ASCII, begins with a slash.
    let target: String

    /// The most bytes of a URL.
    static let limit = 8_192

    /// Reads `https://host[:port][/path][?query]`, or the same with `http`.
    ///
    /// - Throws: `invalid`.
    init(_ text: String) throws(EffectError) {
        let bytes = Array(text.utf8)
        guard bytes.count <= RequestURL.limit else {
            throw RequestURL.invalid(bytes, "it is longer than \(RequestURL.limit) bytes")
        }
        let scheme: [UInt8]
        if bytes.starts(with: "https://".utf8) {
            (isSecure, scheme) = (true, Array("https://".utf8))
        } else if bytes.starts(with: "http://".utf8) {
            (isSecure, scheme) = (false, Array("http://".utf8))
        } else {
            throw RequestURL.invalid(bytes, "it begins with neither https:// nor http://")
        }
        let rest = bytes.dropFirst(scheme.count)
        let end = rest.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") } ?? rest.endIndex
        try RequestURL.checkTarget(rest[end...], bytes)
        let path = String(decoding: rest[end...], as: UTF8.self)
        target = path.utf8.first == UInt8(ascii: "/") ? path : "/" + path
        address = try RequestURL.address(Array(rest[..<end]), isSecure: isSecure, bytes)
    }

    private static func address(
        _ authority: [UInt8], isSecure: Bool, _ url: [UInt8]
    ) throws(EffectError) -> DialAddress {
        guard !authority.contains(UInt8(ascii: "@")) else {
            throw invalid(url, "a user name in a URL is not allowed; use authentication")
        }
        // An address of version 6 has colons of its own, and ends in a bracket when no port follows.
        let lastColon = authority.lastIndex(of: UInt8(ascii: ":"))
        let hasPort = lastColon.map { !authority[$0...].contains(UInt8(ascii: "]")) } ?? false
        let complete = hasPort ? authority : authority + Array(isSecure ? ":443".utf8 : ":80".utf8)
        do throws(GrammarError) {
            return try DialAddress(Bytes(complete))
        } catch {
            throw invalid(url, "\(error)")
        }
    }

    // The characters of RFC 3986, section 3.3 and 3.4, and what `%` needs after it.
    private static func checkTarget(_ target: ArraySlice<UInt8>, _ url: [UInt8]) throws(EffectError) {
        guard !target.contains(UInt8(ascii: "#")) else { throw invalid(url, "a fragment is never sent to a server") }
        guard target.allSatisfy(isAllowed) else {
            throw invalid(url, "a character in it has to be percent-encoded")
        }
        for (index, byte) in zip(target.indices, target) where byte == UInt8(ascii: "%") {
            let digits = target[(index + 1)...].prefix(2)
            guard digits.count == 2, digits.allSatisfy(isHexadecimalDigit) else {
                throw invalid(url, "after % there are two hexadecimal digits")
            }
        }
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        isTokenByte(byte)
            && ![UInt8(ascii: "^"), UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "#")].contains(byte)
            || "/:@(),;=?".utf8.contains(byte)
    }

    private static func invalid(_ url: [UInt8], _ reason: String) -> EffectError {
        let shown = printable(Bytes(Array(url.prefix { $0 != UInt8(ascii: "?") })), limit: 300)
        return EffectError(.invalid, object: shown, "url \"\(shown)\": \(reason)")
    }

    /// The same with its query in the order in which AWS signs it: sorted by bytes, every name with a `=`.
    var withSortedQuery: RequestURL {
        guard let mark = target.firstIndex(of: "?") else { return self }
        let parts = target[target.index(after: mark)...].split(separator: "&")
            .map { $0.contains("=") ? Array($0.utf8) : Array($0.utf8) + [UInt8(ascii: "=")] }
            .sorted { $0.lexicographicallyPrecedes($1) }
        let query = parts.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "&")
        return RequestURL(self, target: "\(target[..<mark])?\(query)")
    }

    private init(_ other: RequestURL, target: String) {
        (isSecure, address) = (other.isSecure, other.address)
        self.target = target
    }

    /// The host as it stands in a URL and in `Host`, with the port where it is not the scheme's.
    var hostField: String {
        let isDefault = address.port == (isSecure ? 443 : 80)
        return isDefault ? String(address.text.dropLast(String(address.port).utf8.count + 1)) : address.text
    }

    /// For people and the audit: without the query, in which a connector may have put what it was told.
    var shown: String {
        let path = target.prefix { $0 != "?" }
        return "\(isSecure ? "https" : "http")://\(hostField)\(path)"
    }
}

/// A character of a token (RFC 9110 section 5.6.2).
func isTokenByte(_ byte: UInt8) -> Bool {
    byte.isASCIIAlphanumeric || "!#$%&'*+-.^_`|~".utf8.contains(byte)
}

private func isHexadecimalDigit(_ byte: UInt8) -> Bool {
    byte.asciiLowerCased.isASCIILowerHexadecimal
}
