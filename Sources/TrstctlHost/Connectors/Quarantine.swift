import TrstctlPolicy

/// A connector that the manifest's own text keeps from running, until the operator acknowledges or corrects what was
/// found there: by the linter, or a pin that is none.
struct Quarantine: Error, CustomStringConvertible {
    let connector: ConnectorName
    /// At least one, in the order of the file.
    let findings: [FindingReport]

    /// A pin that is none weighs more: nobody can say which build the rest was written for.
    var code: ReasonCode {
        findings.contains(where: \.isBadPin) ? ReasonCode(ManifestError.Code.badPin) : ReasonCode(.dangerousGrant)
    }

    var description: String {
        (["the connector \(connector) is not started, because of what the manifest says about it:"]
            + findings.map { "  " + $0.text.split(separator: "\n").joined(separator: "\n  ") })
            .joined(separator: "\n")
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
