package import TrstctlPolicy
import TrstctlSystem

/// A build that asks for more than the operator approved: neither its digest nor its grants were written.
package struct PinRefusal: Error, Sendable, CustomStringConvertible {
    package let connector: ConnectorName
    /// The digest of the build that was looked at.
    package let digest: SHA256Digest
    /// What is pinned.
    package let pinned: [SHA256Digest]
    /// What it asks for beyond what is approved, one rule each, on the terms that an approval would give them.
    package let difference: [GrantSet.Line]
    /// The commands among it that cannot be approved like this, because the rules of their program disagree about terms.
    package var undecided: [GrantSet.Line] = []
    /// Whether it asks for private keys themselves, and that is not approved.
    package var asksForKey = false

    package var description: String {
        var lines = ["the connector \(connector) asks for more than is approved: nothing was written"]
        lines += pinned.map { "  pinned:  \($0)" }
        lines.append("  found:   \(digest)")
        lines += (difference + undecided).map { "  + \($0)" }
        if asksForKey { lines.append("  + needs_key: true (it would receive private keys themselves)") }
        lines.append("An update that suddenly asks for more is what a stolen one looks like.")
        guard undecided.isEmpty else {
            lines.append(
                "The rules for the same program disagree about its terms (sha256, setuid), so that these get none:")
            lines += undecided.map { "  \($0)" }
            lines.append(
                "  next:    if it should have this, write these rules yourself under plugins: \(connector): grants:, each "
                    + "with the terms that you want, then \(NextCommand.trstctl("plugin", "pin", connector.text))")
            return lines.joined(separator: "\n")
        }
        let approval = NextCommand.trstctl("plugin", "pin", "--approve", connector.text)
        lines.append("  next:    \(approval), if it should have all of this")
        return lines.joined(separator: "\n")
    }
}
