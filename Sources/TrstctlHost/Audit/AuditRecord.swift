import TrstctlBroker
import TrstctlPolicy
import TrstctlSystem

/// One line of the audit log; never content, never a secret.
package struct AuditRecord: Codable, Hashable, Sendable {
    /// What the line is about.
    package enum Event: String, Codable, Sendable {
        /// A connector was started.
        case start
        /// A connector was refused, could not be started, or asked `plugin pin` for what is not approved.
        case refusal
        /// `plugin pin` wrote a digest, and the grants that the reason names, into the manifest.
        case approval
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

    /// A connector that may not do what it was to do.
    init(refusalOf report: ConnectorReport, code: String, _ reason: String, run: String) {
        self.init(.refusal, run: run, connector: report.name, outcome: "refused")
        digest = report.sha256.isEmpty ? nil : report.sha256
        object = report.path.isEmpty ? nil : report.path
        self.code = code.isEmpty ? nil : code
        self.reason = reason
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

    /// Whether it says that something was refused; of calls without a line of their own nobody knows.
    var isRefusal: Bool {
        event == .refusal || event == .suppressed || outcome == EffectRecord.Outcome.denied.rawValue
            || outcome == TargetReport.Outcome.refused.rawValue
    }

    /// The record with nothing in it that could forge a line where it is shown, and with no text that could fill the log.
    ///
    /// Those who make the texts see to it already, each for its own; here it holds for all of them, when they are written
    /// and when they are read.
    ///
    /// - Parameter limit: the longest text, in bytes before anything is escaped.
    /// - Returns: the record to write, or to show.
    func bounded(to limit: Int = 8_192) -> AuditRecord {
        func bounded(_ text: String) -> String {
            // Nearly all of them; looking scalar by scalar costs as much as writing the line.
            guard text.utf8.count > limit || !text.utf8.allSatisfy({ (0x20...0x7E).contains($0) || $0 == 0x0A }) else {
                return text
            }
            // Line feeds stay: JSON escapes them, and reasons have several lines.
            let lines = text.utf8.prefix(limit).split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            let shown = lines.map { readable($0, limit: limit) }.joined(separator: "\n")
            return text.utf8.count > limit ? "\(shown) […] (\(text.utf8.count) bytes)" : shown
        }
        var copy = self
        copy.time = bounded(time)
        copy.run = bounded(run)
        copy.connector = bounded(connector)
        copy.digest = digest.map(bounded)
        copy.target = target.map(bounded)
        copy.scope = scope.map(bounded)
        copy.operation = operation.map(bounded)
        copy.object = object.map(bounded)
        copy.grant = grant.map(bounded)
        copy.outcome = bounded(outcome)
        copy.code = code.map(bounded)
        copy.reason = reason.map(bounded)
        return copy
    }
}
