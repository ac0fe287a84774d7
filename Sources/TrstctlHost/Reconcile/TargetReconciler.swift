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

    private func prepare(
        _ target: Target, _ goal: Goal, _ report: inout TargetReport
    ) async throws(Failure) -> TargetWork {
        if goal == .apply, let recovery = unrecovered[target.name.text] {
            throw Failure(
                stage: .recovery, code: ReasonCode(.notRecovered),
                summary: "its interrupted deployment could not be undone", detail: recovery.detail,
                rollback: .failed)
        }
        let credential = try await loadCredential(target)
        report.fingerprint = credential.fingerprint
        report.warnings = credential.warnings.map { "\($0)" }
        let connector = try await startConnector(target)
        let (grants, declaration) = try await configure(target, connector)
        return TargetWork(
            target: target, credential: credential, connector: connector, grants: grants,
            declaration: declaration, timeouts: timeouts, audit: audit, journal: journal,
            secrets: SecretSource(credential, declaration),
            layout: target.layout == .versioned ? try versionedLayout(grants) : nil)
    }

    private func versionedLayout(_ grants: GrantSet) throws(Failure) -> VersionedLayout {
        do throws(EffectError) {
            return try VersionedLayout(grants.write)
        } catch {
            throw Failure(
                stage: .configuration, code: ReasonCode(error), summary: "the files cannot be versioned",
                detail: "\(error)")
        }
    }

    private func run(_ work: TargetWork, _ goal: Goal, _ report: inout TargetReport) async throws(Failure) {
        let (target, credential) = (work.target, work.credential)
        let live = try await work.read(&report)
        report.liveFingerprint = live.fingerprint
        let planned = try await work.rehearse(&report)
        report.changes = planned.changes
        guard !planned.changes.isEmpty || planned.wouldChange else {
            // A connector that cannot tell a fingerprint is believed, and a probe proves it; one that tells another is not.
            guard live.fingerprint == credential.fingerprint || (live.isInSync && live.fingerprint.isEmpty) else {
                throw Failure(
                    stage: .plan, code: ReasonCode(.notLive),
                    summary: "the connector has nothing to do, yet the credential is not live",
                    detail: "expected fingerprint \(credential.fingerprint)\nfound    "
                        + (live.fingerprint.isEmpty ? "none" : live.fingerprint)
                        + "\nThis is a bug of the connector, or its configuration names other files than the server's.")
            }
            report.outcome = .inSync
            report.summary = "nothing to do"
            // Also in a plan: it asks and changes nothing, and what an apply would fail with is not in sync.
            if target.probe != nil {
                try await work.prove()
                report.isProven = true
            }
            return
        }
        guard goal == .apply else {
            report.outcome = .differs
            let count = planned.changes.count
            report.summary = "\(count) change\(count == 1 ? "" : "s") to make"
            return
        }
        if let audit, audit.isIncomplete {
            throw Failure(
                stage: .apply, code: ReasonCode(.state),
                summary: "it is not deployed, because that could not be recorded",
                detail: "\(audit.cannotRecord("nothing was changed"))")
        }
        let hasActed = try await work.apply(&report, live: live.fingerprint)
        guard !report.isProven, !hasActed, report.changes.isEmpty else { return }
        try await checkEffect(work, &report)
    }

    /// A deployment for which the host did nothing and proved nothing is one when Read finds it, and otherwise none.
    private func checkEffect(_ work: TargetWork, _ report: inout TargetReport) async throws(Failure) {
        let live = try await work.read(&report)
        let expected = work.credential.fingerprint
        guard live.fingerprint == expected || (live.isInSync && live.fingerprint.isEmpty) else {
            throw Failure(
                stage: .apply, code: ReasonCode(.changedNothing),
                summary: "the connector reports success, but changed nothing",
                detail:
                    "Neither its rehearsal nor its deployment asked the host to change anything, no probe is configured "
                    + "that could prove it, and it does not find the credential live afterwards.\n"
                    + "expected fingerprint \(expected)\nfound    "
                    + (live.fingerprint.isEmpty ? "none" : live.fingerprint) + "\nThis is a bug of the connector.")
        }
    }

    private func loadCredential(_ target: Target) async throws(Failure) -> Credential {
        guard let source = manifest.credential(target.credential) else {
            throw Failure(
                stage: .credential, code: ReasonCode(ManifestError.Code.unknownReference),
                summary: "the manifest has no credential \(target.credential.text)")
        }
        do {
            return try await credentials.credential(source)
        } catch {
            throw Failure(
                stage: .credential, code: ReasonCode(error),
                summary: "the credential \(source.name.text) cannot be deployed",
                detail: "\(error)")
        }
    }

    private func startConnector(_ target: Target) async throws(Failure) -> RunningConnector {
        do {
            return try await pool.connector(target.connector)
        } catch {
            throw Failure(
                stage: .connector, code: ReasonCode(error),
                summary: "the connector \(target.connector.text) was refused",
                detail: error.description, isRefusal: true)
        }
    }

    /// Tells the connector about the target, and computes what it may do for it.
    private func configure(_ target: Target, _ connector: RunningConnector) async throws(Failure) -> (
        effective: GrantSet, declared: Declaration
    ) {
        let declaration = try await declare(target, connector)
        let declared = declaration.grants
        try checkKeyAccess(target, connector)
        let approved = manifest.plugin(target.connector)?.grants ?? GrantSet()
        let missing = declared.difference(from: approved).normalised
        guard missing.isEmpty else {
            let lines = missing.onTerms(of: approved)
            throw Failure(
                stage: .grants, code: ReasonCode(.notApproved),
                summary: "the connector \(target.connector.text) asks for more than the manifest approves",
                detail: ([
                    "It asks for these grants, which are not approved under plugins: \(target.connector.text): grants:"
                ]
                    + lines.rules.yamlBlock.map { "    \($0)" }
                    + lines.undecided.yamlLines.map { "    \($0)  # on the terms (sha256, setuid) that you want" } + [
                        "Nothing was touched. To approve them, add these rules there, or type: "
                            + NextCommand.trstctl("plugin", "pin", "--approve", target.connector.text)
                    ]).joined(separator: "\n"),
                isRefusal: true)
        }
        return (GrantSet.intersection(declared: declared, approved: approved), declaration)
    }

    /// A connector that asks for private keys themselves runs only where the operator lets it have them.
    private func checkKeyAccess(_ target: Target, _ connector: RunningConnector) throws(Failure) {
        guard connector.session.hello.description?.needsKey ?? false,
            !(manifest.plugin(target.connector)?.needsKey ?? false)
        else { return }
        throw Failure(
            stage: .grants, code: ReasonCode(.notApproved),
            summary: "the connector \(target.connector.text) asks for private keys themselves, which is not approved",
            detail: "It asks to receive the key's bytes, not only to have them put in place.\nNothing was touched. To "
                + "approve it, add this line under plugins: \(target.connector.text):\n    needs_key: true\nor type: "
                + NextCommand.trstctl("plugin", "pin", "--approve", target.connector.text),
            isRefusal: true)
    }

    private func declare(_ target: Target, _ connector: RunningConnector) async throws(Failure) -> Declaration {
        do {
            return try await ConnectorDeclaration.declare(
                target, connector, directory: directory, input: input, timeout: timeouts.configure)
        } catch {
            throw Failure(
                stage: .configuration, code: ReasonCode(error), summary: "the configuration was not accepted",
                detail: "\(error)")
        }
    }
}

/// How long each of the host's calls may take, in milliseconds.
package struct CallTimeouts: Sendable {
    package var configure: Int64 = 10_000
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
