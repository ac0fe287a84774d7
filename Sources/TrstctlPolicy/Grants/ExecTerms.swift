/// What the operator says about the program of a command rule, besides the command.
package struct ExecTerms: Hashable, Sendable, CustomStringConvertible {
    /// The most digests of one rule: one per build or platform.
    package static let maximumPins = 16

    /// The digests that the program's file may have, each once, in order; empty accepts any.
    package let pins: [SHA256Digest]
    /// Whether a program with a set-user-id or set-group-id bit may run.
    package let allowsSetuid: Bool

    package init(pins: [SHA256Digest] = [], allowsSetuid: Bool = false) {
        self.pins = Set(pins).sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
        self.allowsSetuid = allowsSetuid
    }

    /// True when whatever these other terms accept is accepted by these.
    func include(_ other: ExecTerms) -> Bool {
        (pins.isEmpty || (!other.pins.isEmpty && Set(other.pins).isSubset(of: pins)))
            && (allowsSetuid || !other.allowsSetuid)
    }

    /// What stands behind the arguments in the manifest.
    var yaml: String {
        (pins.isEmpty ? "" : ", sha256: [\(pins.map { "\"\($0.hex)\"" }.joined(separator: ", "))]")
            + (allowsSetuid ? ", setuid: true" : "")
    }

    package var description: String {
        (pins.isEmpty ? "" : " sha256 " + pins.map(\.hex).joined(separator: " or ")) + (allowsSetuid ? " setuid" : "")
    }

    /// In the order in which rules are listed.
    func precedes(_ other: ExecTerms) -> Bool {
        if allowsSetuid != other.allowsSetuid { return !allowsSetuid }
        return pins.lexicographicallyPrecedes(other.pins) { $0.bytes.lexicographicallyPrecedes($1.bytes) }
    }
}
