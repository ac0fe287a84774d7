import TrstctlSystem

/// What an operator permits with a peer beyond reaching it at a public address over TLS.
///
/// Written behind a rule of `net.dial`, each after one space and in this order: `private`, `loopback`, `plain`.
package struct DialOptions: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// The name may lead to addresses of private networks.
    package static let privateNetwork = DialOptions(rawValue: 1)
    /// The name may lead to this machine.
    package static let loopback = DialOptions(rawValue: 2)
    /// Content may go to the peer without TLS, although it leaves this machine.
    package static let plain = DialOptions(rawValue: 4)

    private static let words: [(DialOptions, String)] = [
        (.privateNetwork, " private"), (.loopback, " loopback"), (.plain, " plain"),
    ]

    /// Reads what follows the port, in the one spelling that there is.
    init(_ suffix: ArraySlice<UInt8>, of text: Bytes) throws(GrammarError) {
        var rest = suffix
        var found: DialOptions = []
        for (option, word) in DialOptions.words {
            let bytes = Array(word.utf8)
            guard rest.starts(with: bytes), [nil, UInt8(ascii: " ")].contains(rest.dropFirst(bytes.count).first) else {
                continue
            }
            found.insert(option)
            rest = rest.dropFirst(bytes.count)
        }
        guard rest.isEmpty else {
            throw GrammarError(
                .badOption, found: text,
                "after host:port there may be `private`, `loopback` and `plain`, in this order, each after one space")
        }
        self = found
    }

    /// The words as they stand behind a rule.
    package var suffix: String { DialOptions.words.filter { contains($0.0) }.map(\.1).joined() }
}
