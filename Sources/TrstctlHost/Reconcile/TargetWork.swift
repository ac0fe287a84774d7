import TrstctlBroker
import TrstctlLaunch
import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

/// The calls for one target, each in its own scope.
struct TargetWork: Sendable {
    typealias Failure = TargetReconciler.Failure

    let target: Target
    let credential: Credential
    let connector: RunningConnector
    /// Effective: declared and approved.
    let grants: GrantSet
    let declaration: Declaration
    let timeouts: CallTimeouts
    let audit: AuditLog?
    let journal: RunJournal?
    /// For all its scopes.
    let secrets: SecretSource
    /// How its files lie, when they become visible together.
    let layout: VersionedLayout?

    private var deployment: Wire.Deployment { Wire.Deployment(credential, target: target, declaration) }
    /// With the key for a connector that must have it; only Apply, and its rehearsal, carry it.
    private var deploymentToApply: Wire.Deployment {
        Wire.Deployment(credential, target: target, declaration, givesKey: true)
    }

    /// What is live: the fingerprint, or empty, and whether the connector finds nothing to do.
    ///
    /// - Parameter report: gets the denials.
    /// - Returns: both.
    /// - Throws: what failed.
    func read(_ report: inout TargetReport) async throws(Failure) -> (fingerprint: String, isInSync: Bool) {
        let turn = try await takeTurn(.read)
        defer { turn.end() }
        let scope = makeScope(.readOnly, "Read")
        defer { noteDenials(scope, "while it was read", &report) }
        let request = Wire.ReadRequest(deployment: deployment)
        let reply = try await closing(scope) { () async throws(Failure) in
            try await call(.read(request), scope, turn, timeouts.read, .read)
        }
        guard case .read(let response) = reply.result, reply.status?.code == .ok else {
            throw failure(.read, reply)
        }
        let fingerprint = response.fingerprint
        guard fingerprint.isEmpty || SHA256Digest(hex: fingerprint) != nil else {
            throw Failure(
                stage: .read, code: ReasonCode(.badFingerprint),
                summary: "the connector answered Read with a fingerprint that is none",
                detail: "found \"\(printable(fingerprint))\", expected 64 lower-case hex digits")
        }
        return (fingerprint, response.inSync)
    }

    /// Whether an apply has to be rehearsed before.
    ///
    /// A rehearsal tells whether there is something to do, and what would fail fails before anything is touched. Where
    /// another credential is live the first is known; and who may do nothing but replace one file leaves nothing half done.
    func needsRehearsal(finding live: String) -> Bool {
        live.isEmpty || live == credential.fingerprint || !grants.changeOneFileAtMost
    }

    /// What an Apply would change: the connector's own deploy, in a scope that records instead of performing.
    ///
    /// - Parameter report: gets the denials.
    /// - Returns: what the host would do, and whether the connector says that it would change something; a connector
    ///   that keeps what it changes to itself has nothing in the first and true in the second.
    /// - Throws: what failed.
    func rehearse(
        _ report: inout TargetReport
    ) async throws(Failure) -> (changes: [ChangeReport], wouldChange: Bool) {
        let turn = try await takeTurn(.plan)
        defer { turn.end() }
        let scope = makeScope(.recording, "Plan")
        defer { noteDenials(scope, "in its rehearsal", &report) }
        let request = Wire.ApplyRequest(deployment: deploymentToApply, recording: true)
        let (reply, changes) = try await closing(scope) { () async throws(Failure) in
            let reply = try await call(.apply(request), scope, turn, timeouts.apply, .plan)
            if reply.status?.code == .ok { try await publish(scope, .plan) }
            return (reply, scope.changes)
        }
        guard reply.status?.code == .ok, case .apply(let response) = reply.result else {
            throw failure(.plan, reply)
        }
        return (changes.map(ChangeReport.init), response.changed)
    }

    /// Applies; whatever fails, the target is rolled back.
    ///
    /// - Parameters:
    ///   - report: gets what was changed, and whether it is proven.
    ///   - live: the fingerprint that the connector found, or empty.
    /// - Returns: whether the host did something for it that changes what it is done to, or writes what is there already;
    ///   and whether the connector says that it changed something.
    /// - Throws: what failed, and what became of the changes.
    func apply(
        _ report: inout TargetReport, live: String
    ) async throws(Failure) -> (hasActed: Bool, claimsChange: Bool) {
        let turn = try await takeTurn(.apply)
        defer { turn.end() }
        // Not before the turn, which can take minutes to come: what is served may be another certificate by then.
        let before = await servedBefore(live)
        let deployment = journal.map { DeploymentJournal($0, header(before)) }
        let scope = makeScope(.mutating, "Apply", deployment)
        let claimsChange: Bool
        defer { noteDenials(scope, "during the deployment", &report) }
        do throws(Failure) {
            let request = Wire.ApplyRequest(deployment: deploymentToApply, recording: false)
            let reply = try await call(.apply(request), scope, turn, timeouts.apply, .apply)
            guard reply.status?.code == .ok, case .apply(let response) = reply.result else {
                throw failure(.apply, reply)
            }
            claimsChange = response.changed
            // Nothing may change between the proof and the report.
            guard await seal(scope) else {
                throw Failure(
                    stage: .apply, code: ReasonCode(.answeredEarly),
                    summary: "the connector reports success while the host still worked for it",
                    detail: "A command, a request or a file that it had asked for was not finished, and was ended. "
                        + "This is a bug of the connector: it has to wait for the answers.")
            }
            // Nothing of what follows is the connector's.
            turn.end()
            try await publish(scope, .apply)
            if target.probe != nil {
                try await prove()
                report.isProven = true
            }
            // What the connector says of itself is never shown as if the host had seen it.
            report.summary =
                response.summary.isEmpty
                ? "" : "\(target.connector.text) says: \(readable(response.summary.utf8, limit: 256))"
            // One that needs the host for nothing is asked again, in Read; one that was denied what it asked for is not.
            let askedForNothing = report.changes.isEmpty && scope.denials == 0
            guard report.isProven || askedForNothing || !scope.changes.isEmpty else {
                throw Failure(
                    stage: .apply, code: ReasonCode(.changedNothing),
                    summary: "the connector reports success, but changed nothing",
                    detail: (scope.denials > 0
                        ? "What its deployment asked for was denied"
                        : "Its rehearsal had changes to make, its deployment asked for none")
                        + ", and no probe is configured that could prove it. This is a bug of the connector.")
            }
            try await commit(scope)
        } catch {
            var failure = error
            let closing = await close(scope, commit: false)
            turn.end()
            report.changes = scope.changes.map(ChangeReport.init)
            await rollBack(scope, closing, deployment, before, &failure)
            throw failure
        }
        let closing = await close(scope, commit: true)
        // Those of a closed scope are worked out once.
        report.changes = scope.changes.map(ChangeReport.init)
        let left = closing.foreign + closing.overwritten
        report.warnings += left.map { "changed by somebody else before the connector had it put back: \($0)" }
        report.warnings += closing.leftovers.map { "an earlier version, which holds an old key, stays: \($0)" }
        report.warnings += closing.setAside.map { "changed by somebody else meanwhile: \($0)" }
        report.outcome = .deployed
        return (scope.records.contains { $0.isMutation && $0.outcome == .allowed }, claimsChange)
    }

    /// Counts what a call was denied: a run that went well with denials says so.
    private func noteDenials(_ scope: BrokerScope, _ when: String, _ report: inout TargetReport) {
        let denials = scope.denials
        guard denials > 0 else { return }
        report.denials += denials
        report.warnings.append(
            "\(denials) brokered call\(denials == 1 ? " was" : "s were") denied \(when): "
                + NextCommand.trstctl("audit", "--denied", "--target", target.name.text))
    }

    private func seal(_ scope: BrokerScope) async -> Bool {
        if scope.sealIfIdle() { return true }
        return await ScopeRegistry.workers.run { scope.seal() }
    }

    /// Before the proof: what nobody sees cannot be proven.
    private func publish(_ scope: BrokerScope, _ stage: TargetReport.Stage) async throws(Failure) {
        guard layout != nil else { return }
        let failure = await obstacle { () throws(EffectError) in try scope.publish() }
        guard let failure else { return }
        throw Failure(
            stage: stage, code: ReasonCode(failure), summary: "the new files could not be made visible",
            detail: "\(failure)")
    }

    /// The host's own proof: a TLS handshake that shows the fingerprint, before the deadline.
    func prove() async throws(Failure) {
        guard let probe = target.probe else { return }
        let expected = credential.fingerprint
        let (found, reason) = await ServedProof(probe: probe).wait(for: [expected])
        guard found != expected else { return }
        throw Failure(
            stage: .probe, code: ReasonCode(.notServed),
            summary: "\(probe.address.text) does not serve the deployed certificate",
            detail: "expected fingerprint \(expected)\nfound    "
                + (found.isEmpty ? "none: \(reason)" : "fingerprint \(found)")
                + "\nnext: see what listens at \(probe.address.text), and whether it loads these files")
    }

    /// Makes the deployment final; when that fails, it can still be undone, and is.
    private func commit(_ scope: BrokerScope) async throws(Failure) {
        let failure = await obstacle { () throws(EffectError) in try scope.commit() }
        guard let failure else { return }
        throw Failure(
            stage: .apply, code: ReasonCode(failure), summary: "the deployment could not be made durable",
            detail: "\(failure)")
    }

    /// What keeps a worker from doing something; nil when nothing did.
    private func obstacle(_ body: @escaping @Sendable () throws(EffectError) -> Void) async -> EffectError? {
        await ScopeRegistry.workers.run { () -> EffectError? in
            do throws(EffectError) {
                try body()
                return nil
            } catch {
                return error
            }
        }
    }
}

extension ChangeReport {
    /// A change as the scope recorded it.
    init(_ change: Wire.Change) {
        let kind: String
        switch change.kind {
        case .create: kind = "create"
        case .replace: kind = "replace"
        case .remove: kind = "remove"
        case .run: kind = "run"
        case .call: kind = "call"
        case .changeUnspecified, .unrecognized: kind = "change"
        }
        self.init(kind: kind, object: change.object, before: change.before, after: change.after)
    }
}

extension GrantSet {
    /// Whether all that they let a connector change is one file.
    var changeOneFileAtMost: Bool {
        guard exec.isEmpty, dial.isEmpty, write.count <= 1 else { return false }
        return write.allSatisfy { $0.extent == .file }
    }
}
