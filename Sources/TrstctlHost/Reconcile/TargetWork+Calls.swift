import TrstctlBroker
import TrstctlCrypto
import TrstctlLaunch
import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

/// The turn, the scope and the call of each step.
extension TargetWork {
    func makeScope(_ rights: ScopeRights, _ name: String, _ journal: DeploymentJournal? = nil) -> BrokerScope {
        BrokerScope(
            rights: rights, grants: grants, declared: declaration.grants, plugin: target.connector.text,
            secrets: secrets, planned: rights == .recording ? PlannedServing(certificates: served) : nil,
            deployment: journal, proxy: declaration.proxy, layout: layout, network: connector.network,
            observer: observer(name))
    }

    /// What a probe of the rehearsal sees.
    private var served: [Wire.ServedCertificate] {
        ([credential.leaf] + credential.chain).map {
            Wire.ServedCertificate(
                fingerprint: $0.fingerprintText, subject: $0.subject, names: $0.dnsNames + $0.ipAddresses,
                notBefore: $0.notBefore, notAfter: $0.notAfter)
        }
    }

    /// Writes each brokered call into the audit log as it happens.
    private func observer(_ scope: String) -> @Sendable (EffectRecord) -> Void {
        guard let audit else { return { _ in } }
        let (target, connector, digest) = (target.name.text, target.connector.text, connector.report.sha256)
        return { record in
            audit.write(
                AuditRecord(
                    record, scope: scope, target: target, connector: connector, digest: digest, run: audit.run))
        }
    }

    private func noteSuppressed(_ scope: BrokerScope) {
        guard let audit, scope.recordsDropped > 0 else { return }
        var record = AuditRecord(
            .suppressed, run: audit.run, connector: target.connector.text, outcome: "\(scope.recordsDropped) calls")
        record.target = target.name.text
        audit.write(record)
    }

    /// Waits for the connector's turn.
    ///
    /// It ends when the call's scope is over: the next call must not begin while this one still changes something.
    func takeTurn(_ stage: TargetReport.Stage) async throws(Failure) -> CallTurn {
        do throws(SessionError) {
            return try await connector.takeTurn()
        } catch {
            throw failure(stage, error)
        }
    }

    /// Has the connector answer; closing the scope is left to the caller.
    func call(
        _ method: Wire.Call.Method, _ scope: BrokerScope, _ turn: CallTurn, _ timeout: Int64,
        _ stage: TargetReport.Stage
    ) async throws(Failure) -> Wire.Reply {
        let scopes = connector.scopes
        do {
            let token = try scopes.open(scope)
            defer { scopes.close(token) }
            return try await connector.call(
                method, turn, scopeToken: token, timeout: timeout, started: { scopes.bind(token, to: $0) },
                // Whatever the connector asks behind its answer comes too late, also in the same breath.
                answered: { scopes.close(token) })
        } catch {
            throw failure(stage, error)
        }
    }

    private func failure(_ stage: TargetReport.Stage, _ error: any Error) -> Failure {
        Failure(
            stage: stage, code: ReasonCode(error), summary: "the connector \(target.connector.text) failed",
            detail: "\(error)")
    }

    /// Works in a scope of which nothing stays, and closes it, whatever comes of that.
    func closing<Result>(
        _ scope: BrokerScope, _ work: () async throws(Failure) -> Result
    ) async throws(Failure) -> Result {
        let result: Swift.Result<Result, Failure>
        do throws(Failure) {
            result = .success(try await work())
        } catch {
            result = .failure(error)
        }
        _ = await close(scope, commit: false)
        return try result.get()
    }

    /// Closes on a worker when it has to put files back or to wait.
    func close(_ scope: BrokerScope, commit: Bool) async -> RevertReport {
        noteSuppressed(scope)
        if let report = scope.closeAtOnce(commit: commit) { return report }
        return await ScopeRegistry.workers.run { scope.close(commit: commit) }
    }

    func failure(_ stage: TargetReport.Stage, _ reply: Wire.Reply) -> Failure {
        let status = ReplyStatus(reply)
        return Failure(
            stage: stage, code: ReasonCode(answered: status.code), summary: status.summary, detail: status.detail)
    }
}
