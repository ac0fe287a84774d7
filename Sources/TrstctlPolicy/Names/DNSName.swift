package import TrstctlSystem

/// A host name of letters, digits and hyphens (RFC 1123, section 2.1), in lower case, without a trailing dot.
///
/// A name whose last label is a number is refused: resolvers read `127.1`, `0x7f000001` and `2130706433` as addresses
/// (inet_aton(3)), so that what is checked would not be what is dialled.
package struct DNSName: Hashable, Sendable, CustomStringConvertible {
    /// The name in lower case.
    package let bytes: Bytes

    /// Checks a name and lower-cases it, once.
    ///
    /// - Parameter bytes: at most 253 bytes, labels of 1 to 63.
    /// - Throws: `GrammarError`.
    package init(_ bytes: Bytes) throws(GrammarError) {
        let lower = bytes.array.map(\.asciiLowerCased)
        guard !lower.isEmpty else { throw GrammarError(.empty, found: bytes, "the host is empty") }
        guard lower.count <= 253 else {
            throw GrammarError(.tooLong, found: bytes, "a host name has at most 253 characters")
        }
        guard lower.last != dot else {
            throw GrammarError(.badHost, found: bytes, "write the host name without the trailing dot")
        }
        let labels = lower.split(separator: dot, omittingEmptySubsequences: false)
        for label in labels where !DNSName.isLabel(label) {
            throw GrammarError(
                .badHost, found: bytes,
                "a host name is made of labels of 1 to 63 letters, digits and hyphens, separated by single dots")
        }
        guard let last = labels.last, !DNSName.isNumeric(last) else {
            throw GrammarError(
                .numericHost, found: bytes,
                "this would be read as a number; write an IPv4 address as four decimal numbers, 192.0.2.1")
        }
        self.bytes = Bytes(lower)
    }

    /// Checks the UTF-8 bytes of a text.
    package init(_ text: String) throws(GrammarError) {
        try self.init(Bytes(text))
    }

    private static func isLabel(_ label: ArraySlice<UInt8>) -> Bool {
        let hyphen = UInt8(ascii: "-")
        return (1...63).contains(label.count) && label.first != hyphen && label.last != hyphen
            && label.allSatisfy { $0.isASCIIAlphanumeric || $0 == hyphen }
    }

    // The rule "ends in a number" of https://url.spec.whatwg.org/#ends-in-a-number-checker.
    private static func isNumeric(_ label: ArraySlice<UInt8>) -> Bool {
        if label.allSatisfy(\.isASCIIDigit) { return true }
        guard label.starts(with: "0x".utf8) else { return false }
        return label.dropFirst(2).allSatisfy(\.isASCIILowerHexadecimal)
    }

    /// The labels, most specific first.
    package var labels: [Bytes] { bytes.array.split(separator: dot).map { Bytes(Array($0)) } }

    /// The name as text.
    package var text: String { printable(bytes) }

    package var description: String { text }
}
