import TrstctlPolicy
import TrstctlSystem

/// A connector that the manifest's own text keeps from running, until the operator acknowledges or corrects what was
/// found there: by the linter, or a pin that is none.
struct Quarantine: Error, CustomStringConvertible {
    let connector: ConnectorName
    /// At least one, in the order of the file.
    let findings: [FindingReport]
    /// The connector's file and its digest, where a pin is none: what the pin could have been.
    private var found: (path: Bytes, digest: SHA256Digest)?

    init(connector: ConnectorName, findings: [FindingReport]) {
        self.connector = connector
        self.findings = findings
    }

    /// Whether a pin is none.
    var hasBadPin: Bool { findings.contains(where: \.isBadPin) }

    /// A pin that is none weighs more: nobody can say which build the rest was written for.
    var code: ReasonCode {
        hasBadPin ? ReasonCode(ManifestError.Code.badPin) : ReasonCode(.dangerousGrant)
    }

    var description: String {
        (["the connector \(connector) is not started, because of what the manifest says about it:"]
            + findings.map { "  " + $0.text.split(separator: "\n").joined(separator: "\n  ") }
            + (found.map { ["  found: \($0.digest), the SHA-256 of \(printable($0.path))"] } ?? []))
            .joined(separator: "\n")
    }

    /// The same, and which digest was found, if that is what is missing.
    func noting(_ digest: SHA256Digest?, of path: Bytes) -> Quarantine {
        var noted = self
        if hasBadPin { noted.found = digest.map { (path, $0) } }
        return noted
    }
}

extension LoadedManifest {
    /// What keeps a connector from being started; the others are not concerned, because what is dangerous about a grant
    /// is that its own connector gets it, and a pin is that of its own connector.
    func quarantine(_ name: ConnectorName) -> Quarantine? {
        let refusals = findings.filter { $0.isRefusal && $0.plugin == name.text }
        return refusals.isEmpty ? nil : Quarantine(connector: name, findings: refusals)
    }
}
