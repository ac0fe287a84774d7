import Glibc

/// IP addresses as text.
enum IPLiteral {
    /// True for an IPv4 address in four decimal parts, or an IPv6 address without brackets, with or without a `%zone`.
    ///
    /// inet_pton(3) decides; the older forms of inet_aton(3), for example `127.1`, are none.
    static func isOne(_ text: String) -> Bool {
        guard !text.utf8.contains(0) else { return false }
        let address = withoutZone(text)
        var bytes = in6_addr()
        if inet_pton(AF_INET6, address, &bytes) == 1 { return true }
        return address == text && inet_pton(AF_INET, text, &bytes) == 1
    }

    /// The text up to a `%` (RFC 4007, 11).
    static func withoutZone(_ text: String) -> String {
        String(decoding: text.utf8.prefix { $0 != UInt8(ascii: "%") }, as: UTF8.self)
    }
}
