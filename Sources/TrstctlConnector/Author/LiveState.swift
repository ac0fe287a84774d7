internal import TrstctlWire

/// What is at a target now.
public struct LiveState: Sendable {
    /// Whether there is a credential at all.
    public var isPresent: Bool
    /// Its fingerprint; nil when it cannot be read.
    public var fingerprint: Fingerprint?
    /// Whether a deployment would find nothing to do.
    public var isInSync: Bool
    /// Facts for people, for example a file's mode; at most 64.
    public var facts: [(name: String, value: String)]

    /// What was found; a connector fills in what it can tell.
    public init(
        isPresent: Bool, fingerprint: Fingerprint? = nil, isInSync: Bool = false,
        facts: [(name: String, value: String)] = []
    ) {
        self.isPresent = isPresent
        self.fingerprint = fingerprint
        self.isInSync = isInSync
        self.facts = facts
    }

    /// There is no credential.
    public static let absent = LiveState(isPresent: false)

    var message: Wire.ReadResponse {
        Wire.ReadResponse(
            present: isPresent, fingerprint: fingerprint?.hexadecimal ?? "", inSync: isInSync,
            facts: facts.prefix(64).map { Wire.Fact(name: $0.name.cut(to: 256), value: $0.value.cut(to: 4096)) })
    }
}

/// What a deployment did.
public struct DeployOutcome: Sendable {
    /// Whether anything was changed.
    public var isChanged: Bool
    /// One sentence for the report.
    public var summary: String

    /// Something was changed.
    public static func changed(_ summary: String) -> DeployOutcome {
        DeployOutcome(isChanged: true, summary: summary)
    }

    /// There was nothing to do.
    public static func unchanged(_ summary: String) -> DeployOutcome {
        DeployOutcome(isChanged: false, summary: summary)
    }

    var message: Wire.ApplyResponse { Wire.ApplyResponse(changed: isChanged, summary: summary.cut(to: 4096)) }
}
