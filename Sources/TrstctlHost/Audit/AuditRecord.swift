import TrstctlBroker
import TrstctlSystem

/// One line of the audit log; never content, never a secret.
package struct AuditRecord: Codable, Hashable, Sendable {
    /// What the line is about.
    package enum Event: String, Codable, Sendable {
        /// A connector was started.
        case start
        /// A connector was refused, or could not be started.
        case refusal
        /// A brokered call.
        case call
        /// Calls of a scope that have no line of their own, because there were too many.
        case suppressed
        /// What became of a target.
        case outcome
        /// What became of a deployment that an earlier run left half done.
        case recovery
    }

    /// UTC, RFC 3339 with milliseconds.
    package var time: String
    /// The run of `trstctl`, 16 hex digits, the same in all its lines.
    package var run: String
    package var event: Event
    package var connector: String
    /// The SHA-256 of the bytes that ran, lower-case hex.
    package var digest: String?
    package var target: String?
    /// The host's call that a brokered call belongs to: `Read`, `Plan`, `Apply`.
    package var scope: String?
    package var operation: String?
    package var object: String?
    /// The rule that allowed it.
    package var grant: String?
    /// `allowed`, `denied`, `failed`, `planned`; for outcomes the word of the report.
    package var outcome: String
    /// Why it was refused, denied or failed, in one word (`spec/reasons.md`).
    package var code: String?
    package var reason: String?
    package var bytes: Int?
    package var milliseconds: Int64?

    init(_ event: Event, run: String, connector: String, outcome: String) {
        time = UTCTime.now.description
        self.run = run
        self.event = event
        self.connector = connector
        self.outcome = outcome
    }

    /// A brokered call; one that belongs to no call of the host has neither scope nor target.
    init(
        _ record: EffectRecord, scope: String?, target: String?, connector: String, digest: String, run: String
    ) {
        self.init(.call, run: run, connector: connector, outcome: record.outcome.rawValue)
        self.digest = digest
        self.target = target
        self.scope = scope
        operation = record.operation
        object = record.object
        grant = record.grant
        code = record.code
        reason = record.reason
        bytes = record.bytes
        milliseconds = record.milliseconds
    }
}
