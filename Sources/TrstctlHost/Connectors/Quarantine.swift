import TrstctlPolicy

/// A connector that the linter keeps from running until the operator acknowledges or corrects what it found.
struct Quarantine: Error, CustomStringConvertible {
    let connector: ConnectorName
    /// At least one, in the order of the file.
    let findings: [FindingReport]

    var description: String {
        (["the connector \(connector) is not started, because of what the manifest grants it:"]
            + findings.map { "  " + $0.text.split(separator: "\n").joined(separator: "\n  ") })
            .joined(separator: "\n")
    }
}

extension LoadedManifest {
    /// What keeps a connector from being started; the others are not concerned, because what is dangerous about a grant
    /// is that its own connector gets it.
    func quarantine(_ name: ConnectorName) -> Quarantine? {
        let refusals = findings.filter { $0.isRefusal && $0.plugin == name.text }
        return refusals.isEmpty ? nil : Quarantine(connector: name, findings: refusals)
    }
}
