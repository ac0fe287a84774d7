import TrstctlSystem

/// Why an operation is refused, and what would allow it.
package struct Denial: Hashable, Sendable, CustomStringConvertible {
    /// The kind of reason, stable for audits and tests.
    package enum Reason: String, CaseIterable, Hashable, Sendable {
        case notGranted = "not-granted"
        case notDeclared = "not-declared"
        case readOnlyScope = "read-only-scope"
        case badPath = "bad-path"
        case badAddress = "bad-address"
        case badArguments = "bad-arguments"
        case unsupported
    }

    /// The capability; nil for a call that this host does not perform.
    package let capability: Capability?
    /// What the operation was about, escaped for people.
    package let object: String
    /// The kind of reason.
    package let reason: Reason
    /// The rule that comes closest, or nil.
    package let nearest: String?
    /// The line below `plugins.<name>.grants` that would allow it, or nil when no line would.
    package let manifestLine: String?
    /// One or two sentences for people.
    package let message: String

    package var description: String { message }

    /// A denial for an operation that cannot even be formed, because its object breaks the grammar.
    package static func malformed(_ error: GrammarError, capability: Capability) -> Denial {
        let reason: Reason
        switch capability {
        case .fsRead, .fsWrite: reason = .badPath
        case .netDial: reason = .badAddress
        case .processExec: reason = .badArguments
        }
        return Denial(
            capability: capability, object: error.found, reason: reason, nearest: nil, manifestLine: nil,
            message: "\(capability) refused: \(error.description)")
    }

    static func unsupported(_ operation: Operation) -> Denial {
        Denial(
            capability: nil, object: operation.object, reason: .unsupported, nearest: nil, manifestLine: nil,
            message: "\(operation.object) is not supported by this host")
    }

    static func readOnly(_ operation: Operation, _ capability: Capability) -> Denial {
        Denial(
            capability: capability, object: operation.object, reason: .readOnlyScope, nearest: nil, manifestLine: nil,
            message: "\(operation.phrase) refused: this call only reads, so it may not change anything; "
                + "no grant allows that")
    }

    static func notGranted(
        _ operation: Operation, _ capability: Capability, in effective: GrantSet, _ place: GrantPlace
    ) -> Denial {
        let nearest = effective.nearest(to: operation)
        let line = operation.yamlRule(beside: effective).map { "\(capability): [\($0)]" }
        var message = "\(operation.phrase) refused: no \(capability) grant covers it"
        if let nearest { message += " (the nearest is \(nearest))" }
        if let line {
            message += "; to allow it, add the rule to this list \(place): \(line)"
        }
        return Denial(
            capability: capability, object: operation.object, reason: .notGranted, nearest: nearest,
            manifestLine: line, message: message)
    }

    static func notDeclared(_ operation: Operation, _ capability: Capability) -> Denial {
        Denial(
            capability: capability, object: operation.object, reason: .notDeclared, nearest: nil, manifestLine: nil,
            message: "\(operation.phrase) refused: the connector did not declare \(capability) for it, "
                + "so no line in the manifest would allow it; report this to the connector's author")
    }
}

extension Operation {
    /// The rule that would allow exactly this, as YAML; nil when it cannot stand in a manifest.
    ///
    /// - Parameter grants: those that there are, whose terms count for a further command of the same program; nil where
    ///   they disagree.
    /// - Returns: the rule, with its terms.
    fileprivate func yamlRule(beside grants: GrantSet) -> String? {
        switch self {
        case .readFile(let path), .stat(let path), .writeFile(let path), .removeFile(let path):
            path == .root ? nil : yamlScalar(path.bytes)
        case .exec(let argv):
            (try? ExecGrant(argv: argv)).flatMap { GrantSet(exec: [$0]).onTerms(of: grants).rules.exec.first?.yaml }
        case .dial(let address), .send(let address): yamlScalar(Bytes(address.text))
        case .dialSocket(let path), .sendSocket(let path): yamlScalar(DialGrant.socket(path).bytes)
        case .unsupported: nil
        }
    }
}
