import Synchronization
import TrstctlBroker
import TrstctlLaunch
import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

/// Brings one target to its credential, or tells how far it is: credential, connector, configuration, grants, Read, Plan,
/// Apply, proof.
struct TargetReconciler: Sendable {
    /// How far to go.
    enum Goal: Sendable {
        case plan, apply
    }

    let manifest: Manifest
    let directory: AbsolutePath
    let pool: ConnectorPool
    let credentials: CredentialCache
    let audit: AuditLog?
    var input = ConfigInput()
    /// Where an apply makes what it changes undoable.
    var journal: RunJournal?
    /// The targets with an interrupted deployment that could not be undone.
    var unrecovered: [String: RecoveryReport] = [:]
    var timeouts = CallTimeouts()

    /// A target's failure on the way: the step, one sentence, evidence.
    struct Failure: Error {
        var stage: TargetReport.Stage
        var code: ReasonCode
        var summary: String
        var detail = ""
        var isRefusal = false
        var rollback = TargetReport.Rollback.none
    }

    /// A target that is ready to be looked at, or has failed already.
    struct Prepared: Sendable {
        var report: TargetReport
        let credential: EntryName
        /// The files that the target may write; empty when it failed.
        var writes: [PathGrant] = []
        /// How they lie, when they become visible together.
        var layout: VersionedLayout?
        /// Empty when it failed.
        let work = HeldWork()
        /// When it began.
        let begin: Deadline
    }

    /// The work of a target until its turn: then it is taken out, so that its key goes when it is done, not at the end of
    /// the run.
    final class HeldWork: Sendable {
        private let work = Mutex<TargetWork?>(nil)

        func put(_ new: TargetWork) { work.withLock { $0 = new } }

        func take() -> TargetWork? {
            work.withLock { work in
                defer { work = nil }
                return work
            }
        }
    }

    /// Reads the credential, starts the connector and configures it; touches nothing.
    ///
    /// Never throws: what went wrong stands in the report.
    func prepare(_ target: Target, goal: Goal) async -> Prepared {
        var prepared = Prepared(
            report: TargetReport(
                target: target.name.text, connector: target.connector.text, credential: target.credential.text),
            credential: target.credential, begin: .now)
        guard !Task.isCancelled else {
            prepared.report.code = ReasonCode(.cancelled).description
            prepared.report.summary = "the run was interrupted before its turn"
            return prepared
        }
        do throws(Failure) {
            let work = try await prepare(target, goal, &prepared.report)
            prepared.writes = work.grants.write
            prepared.layout = work.layout
            prepared.work.put(work)
        } catch {
            prepared.report.fail(error, isCancelled: Task.isCancelled)
        }
        return prepared
    }

    /// Works on a target; never throws: what went wrong stands in the report.
    func reconcile(_ prepared: Prepared, goal: Goal) async -> TargetReport {
        var report = prepared.report
        defer { credentials.release(prepared.credential) }
        if let work = prepared.work.take() {
            if Task.isCancelled {
                report.code = ReasonCode(.cancelled).description
                report.summary = "the run was interrupted before its turn"
            } else {
                do throws(Failure) {
                    try await run(work, goal, &report)
                } catch {
                    report.fail(error, isCancelled: Task.isCancelled)
                }
            }
        }
        note(report)
        report.milliseconds = (Deadline.now.nanoseconds - prepared.begin.nanoseconds) / 1_000_000
        return report
    }

    /// Refuses a target because of another one: what was prepared for it goes, and nothing of it is touched.
    func refuse(_ prepared: Prepared, _ conflict: TargetConflict) -> Prepared {
        _ = prepared.work.take()
        var refused = prepared
        refused.report.outcome = .refused
        refused.report.stage = .configuration
        refused.report.code = ReasonCode(.sameFile).description
        refused.report.summary = conflict.summary
        refused.report.detail = conflict.detail
        return refused
    }

    private func note(_ report: TargetReport) {
        guard let audit else { return }
        var record = AuditRecord(
            .outcome, run: audit.run, connector: report.connector, outcome: report.outcome.rawValue)
        record.target = report.target
        record.code = report.code
        record.object = report.fingerprint.isEmpty ? nil : report.fingerprint
        record.reason = report.stage.map { "\($0.rawValue): \(report.summary)" }
        // The host's own words; elsewhere there may be the connector's.
        if report.stage == .grants { record.reason? += "\n\(report.detail)" }
        audit.write(record)
    }

    private func run(_ work: TargetWork, _ goal: Goal, _ report: inout TargetReport) async throws(Failure) {
        let live = try await work.read(&report)
        report.liveFingerprint = live.fingerprint
        if goal == .plan || work.needsRehearsal(finding: live.fingerprint) {
            let planned = try await work.rehearse(&report)
            report.changes = planned.changes
            guard !planned.changes.isEmpty || planned.wouldChange else {
                return try await confirm(live, .plan, work, &report)
            }
        }
        guard goal == .apply else {
            report.outcome = .differs
            let count = report.changes.count
            report.summary = "\(count) change\(count == 1 ? "" : "s") to make"
            return
        }
        if let audit, audit.isIncomplete {
            throw Failure(
                stage: .apply, code: ReasonCode(.state),
                summary: "it is not deployed, because that could not be recorded",
                detail: "\(audit.cannotRecord("nothing was changed"))")
        }
        let applied = try await work.apply(&report, live: live.fingerprint)
        guard !report.isProven, !applied.hasActed, report.changes.isEmpty else { return }
        // The host did nothing and proved nothing: what Read finds now decides.
        let found = try await work.read(&report)
        guard applied.claimsChange else { return try await confirm(found, .apply, work, &report) }
        try checkEffect(found, work)
    }

    /// Nothing is to be done, as the connector says: that must be so.
    private func confirm(
        _ live: (fingerprint: String, isInSync: Bool), _ stage: TargetReport.Stage, _ work: TargetWork,
        _ report: inout TargetReport
    ) async throws(Failure) {
        guard isLive(live, work) else {
            throw Failure(
                stage: stage, code: ReasonCode(.notLive),
                summary: "the connector has nothing to do, yet the credential is not live",
                detail: difference(live, work)
                    + "\nThis is a bug of the connector, or its configuration names other files than the server's.")
        }
        report.outcome = .inSync
        report.summary = "nothing to do"
        // Also in a plan: it asks and changes nothing, and what an apply would fail with is not in sync.
        if work.target.probe != nil {
            try await work.prove()
            report.isProven = true
        }
    }

    /// A deployment for which the host did nothing and proved nothing is one when Read finds it, and otherwise none.
    private func checkEffect(
        _ live: (fingerprint: String, isInSync: Bool), _ work: TargetWork
    ) throws(Failure) {
        guard isLive(live, work) else {
            throw Failure(
                stage: .apply, code: ReasonCode(.changedNothing),
                summary: "the connector reports success, but changed nothing",
                detail:
                    "It asked the host to change nothing, no probe is configured "
                    + "that could prove it, and it does not find the credential live afterwards.\n"
                    + difference(live, work) + "\nThis is a bug of the connector.")
        }
    }

    /// Whether Read found the credential: a connector that cannot tell a fingerprint is believed, and a probe proves it; one
    /// that tells another is not.
    private func isLive(_ live: (fingerprint: String, isInSync: Bool), _ work: TargetWork) -> Bool {
        live.fingerprint == work.credential.fingerprint || (live.isInSync && live.fingerprint.isEmpty)
    }

    private func difference(_ live: (fingerprint: String, isInSync: Bool), _ work: TargetWork) -> String {
        "expected fingerprint \(work.credential.fingerprint)\nfound    "
            + (live.fingerprint.isEmpty ? "none" : live.fingerprint)
    }
}

/// How long each of the host's calls may take, in milliseconds.
package struct CallTimeouts: Sendable {
    package var configure: Int64 = 10_000
    /// Of all Configure calls of a connector together: no target is touched before every one is configured.
    package var configureAll: Int64 = 120_000
    package var read: Int64 = 60_000
    /// Also of the rehearsal.
    package var apply: Int64 = 600_000
}

extension TargetReport {
    /// Notes why the target failed.
    fileprivate mutating func fail(_ failure: TargetReconciler.Failure, isCancelled: Bool) {
        // A start that was given up is not the connector's fault.
        outcome =
            failure.isRefusal
            ? (isCancelled ? .cancelled : .refused) : failure.rollback == .failed ? .revertFailed : .failed
        rollback = failure.rollback
        stage = failure.stage
        code = (isCancelled ? ReasonCode(.cancelled) : failure.code).description
        summary = failure.summary
        detail = failure.detail
    }
}
