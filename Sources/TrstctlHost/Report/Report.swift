/// What became of one target.
package struct TargetReport: Codable, Sendable {
    /// The outcome in one word; stable, for scripts.
    package enum Outcome: String, Codable, Sendable {
        /// Nothing to do: the target serves the credential already.
        case inSync = "in-sync"
        /// A plan found differences.
        case differs
        /// The credential was deployed, and proven where a probe is configured.
        case deployed
        /// It failed; the target's files are what they were before.
        case failed
        /// It failed, and could not be rolled back: see `detail`; the next start tries again.
        case revertFailed = "revert-failed"
        /// The connector was refused before it could touch anything.
        case refused
        /// The run was interrupted before this target's turn.
        case cancelled
    }

    /// The step at which a target failed.
    package enum Stage: String, Codable, Sendable {
        case recovery, credential, connector, configuration, grants, read, plan, apply, probe
    }

    /// What became of the changes of a deployment that failed.
    package enum Rollback: String, Codable, Sendable {
        /// Nothing had been changed.
        case none
        /// The target's files are what they were before, the commands that make it use them ran, and what is served,
        /// where that was known, is what was served before.
        case rolledBack = "rolled-back"
        /// One of these is not so: see `detail`.
        case failed = "rollback-failed"
    }

    package var target: String
    package var connector: String
    package var credential: String
    package var outcome: Outcome
    /// The fingerprint that the credential has; empty when it could not be read.
    package var fingerprint: String
    /// The fingerprint that was at the target before; empty when there was none, or it was not looked at.
    package var liveFingerprint: String
    package var stage: Stage?
    /// Why it was refused, failed or cancelled, in one word (`spec/reasons.md`); nil when all went well.
    package var code: String?
    /// What became of the changes when it failed.
    package var rollback: Rollback
    /// One sentence.
    package var summary: String
    /// Evidence and the next step, several lines.
    package var detail: String
    package var changes: [ChangeReport]
    package var warnings: [String]
    /// Brokered calls that were denied, in all of the host's calls: Read, the rehearsal, Apply.
    package var denials: Int
    /// Whether the host itself saw the fingerprint served.
    package var isProven: Bool
    /// From the first step to the last, in milliseconds.
    package var milliseconds: Int64

    package init(target: String, connector: String, credential: String) {
        self.target = target
        self.connector = connector
        self.credential = credential
        outcome = .cancelled
        rollback = .none
        fingerprint = ""
        liveFingerprint = ""
        summary = ""
        detail = ""
        changes = []
        warnings = []
        denials = 0
        isProven = false
        milliseconds = 0
    }
}

/// One thing that was or would be changed.
package struct ChangeReport: Codable, Hashable, Sendable {
    /// `create`, `replace`, `remove`, `run`, `call`.
    package var kind: String
    package var object: String
    package var before: String
    package var after: String

    package init(kind: String, object: String, before: String, after: String) {
        self.kind = kind
        self.object = object
        self.before = before
        self.after = after
    }
}

/// What became of a connector: which bytes ran, and under which layers.
package struct ConnectorReport: Codable, Sendable {
    package var name: String
    package var version: String
    package var path: String
    package var sha256: String
    package var link: String
    /// How the bytes stand to the manifest: `pinned`, `unpinned`, `mismatch`, or `refused` for another reason; empty when
    /// they were not looked at.
    package var pin: String
    /// Who signed them, as far as the manifest asks.
    package var signature: String
    /// What every report has to say about how it runs.
    package var warnings: [String]
    /// The layers of confinement that were active, for example `landlock-7`.
    package var confinement: [String]
    /// Why it was refused, in one word (`spec/reasons.md`); empty when all went well.
    package var code: String
    /// Why it was refused or died; empty when all went well.
    package var error: String

    package init(name: String) {
        self.name = name
        version = ""
        path = ""
        sha256 = ""
        link = ""
        pin = ""
        signature = ""
        warnings = []
        confinement = []
        code = ""
        error = ""
    }
}

/// The result of `plan` or `apply`.
package struct RunReport: Codable, Sendable {
    package var command: String
    package var targets: [TargetReport]
    package var connectors: [ConnectorReport]
    /// What an earlier run had left half done, and what became of it; in a plan, what has to be recovered first.
    package var recoveries: [RecoveryReport]

    package init(
        command: String, targets: [TargetReport], connectors: [ConnectorReport], recoveries: [RecoveryReport] = []
    ) {
        self.command = command
        self.targets = targets
        self.connectors = connectors
        self.recoveries = recoveries
    }

    /// Takes back what was said of deployments, because it could not be made durable.
    mutating func unsettle(_ reason: String) {
        for index in targets.indices where targets[index].outcome == .deployed {
            targets[index].outcome = .revertFailed
            targets[index].rollback = .failed
            targets[index].stage = .apply
            targets[index].code = ReasonCode(.notDurable).description
            targets[index].summary = "deployed, but not durably: the next start of trstctl may undo it"
            targets[index].detail = "the journal cannot be made durable: \(reason)"
        }
    }

    /// The exit code, see README: a refused connector is 3, a failed target 1.
    package var exitCode: Int32 {
        if targets.contains(where: { $0.outcome == .refused }) { return 3 }
        let failures: [TargetReport.Outcome] = [.failed, .revertFailed, .cancelled]
        let isFailed = targets.contains { failures.contains($0.outcome) }
        return isFailed || recoveries.contains { $0.outcome == .failed } ? 1 : 0
    }

    /// Whether a plan found differences.
    package var hasDifferences: Bool { targets.contains { $0.outcome == .differs } }
}
