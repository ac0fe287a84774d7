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
    /// The fields that are given by reference and that it does not keep as secrets, as `target.field`.
    package var unkept: [String] = []

    package var description: String {
        let asksForMore = asksForKey || !(difference + undecided).isEmpty
        var lines = [
            "the connector \(connector) "
                + (asksForMore ? "asks for more than is approved" : "does not keep secrets that are given to it")
                + ": nothing was written"
        ]
        lines += pinned.map { "  pinned:  \($0)" }
        lines.append("  found:   \(digest)")
        lines += (difference + undecided).map { "  + \($0)" }
        if asksForKey { lines.append("  + needs_key: true (it would receive private keys themselves)") }
        lines += unkept.map { "  ! \($0) is given by reference, and this build does not keep it as a secret" }
        lines.append(
            pinned.contains(digest)
                ? "It is the build that is pinned already: the manifest's targets make it ask for this."
                : pinned.isEmpty
                    ? "Nothing is pinned; what stands in its entry is a decision, and approves no more than it says."
                    : "An update that suddenly asks for more is what a stolen one looks like.")
        guard undecided.isEmpty else {
            lines.append(
                "The rules for the same program disagree about its terms (sha256, setuid), so that these get none:")
            lines += undecided.map { "  \($0)" }
            lines.append(
                "  next:    if it should have this, write these rules yourself under plugins: \(connector): grants:, each "
                    + "with the terms that you want, then \(NextCommand.trstctl("plugin", "pin", connector.text))")
            return lines.joined(separator: "\n")
        }
        if !unkept.isEmpty {
            lines.append(
                "  next:    do not use this build, if the one before kept these fields as secrets; if their values are "
                    + "public, write these into the manifest")
        }
        if asksForMore {
            let approval = NextCommand.trstctl("plugin", "pin", "--approve", connector.text)
            lines.append("  next:    \(approval), if it should have all of this")
        }
        return lines.joined(separator: "\n")
    }
}
