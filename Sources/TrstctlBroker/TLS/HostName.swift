import TrstctlCrypto
import TrstctlSystem

/// Host names as they may be looked up and named in a handshake.
enum HostName {
    /// True for 1 to 253 bytes in labels of 1 to 63 letters, digits, `-` and `_` (RFC 1123, 2.1; underscores occur).
    ///
    /// One trailing dot is allowed. A last label of digits is not: `127.1` and its kind are addresses to some resolvers.
    static func isValid(_ name: String) -> Bool {
        var bytes = Array(name.utf8)
        if bytes.last == UInt8(ascii: ".") { bytes.removeLast() }
        guard (1...253).contains(bytes.count) else { return false }
        let labels = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard let last = labels.last, let first = last.first, !first.isASCIIDigit || !last.allSatisfy(isHexadecimal)
        else {
            return false
        }
        return labels.allSatisfy { (1...63).contains($0.count) && $0.allSatisfy(isAllowed) }
    }

    static func printable(_ text: String) -> String {
        PrintableText.of(text.utf8, limit: 300)
    }

    /// Digits as inet_aton(3) reads them: also `0x7f`.
    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        let lower = byte.asciiLowerCased
        return lower.isASCIILowerHexadecimal || lower == UInt8(ascii: "x")
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        byte.isASCIIAlphanumeric || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
    }
}
