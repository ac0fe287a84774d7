import TrstctlBroker
import TrstctlLaunch
import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

/// Undoing a deployment that failed.
extension TargetWork {
    /// The fingerprints of which one is served when the deployment is undone; empty when that is not known.
    ///
    /// What answers now, and what lies in the files: a reload during the rollback loads these.
    func servedBefore(_ live: String) async -> Set<String> {
        guard let probe = target.probe, let served = await ServedProof(probe: probe).look() else { return [] }
        return live.isEmpty ? [served] : [served, live]
    }

    /// What a recovery has to know, should this process be gone.
    func header(_ served: Set<String>) -> DeploymentHeader {
        var header = DeploymentHeader(
            target: target.name.text, connector: target.connector.text, digest: connector.report.sha256,
            fingerprint: credential.fingerprint)
        header.served = served.sorted()
        header.probe = target.probe
        header.rollback = declaration.rollback.compactMap { command in
            let decision = authorize(.exec(argv: command), effective: grants, scope: .mutating)
            guard case .allowed(.exec(let ticket)) = decision else { return nil }
            return RollbackCommand(argv: command, terms: ticket.terms)
        }
        return header
    }

    /// Makes the target use the files that were put back, and proves it where that is possible.
    ///
    /// - Parameters:
    ///   - scope: of the deployment, closed.
    ///   - closing: what putting files back came to.
    ///   - deployment: its journal; it stays open, for the next start, when the rollback fails.
    ///   - before: the fingerprints that may be served now; empty when that is not known.
    ///   - failure: gets what was done and what failed.
    func rollBack(
        _ scope: BrokerScope, _ closing: RevertReport, _ deployment: DeploymentJournal?, _ before: Set<String>,
        _ failure: inout Failure
    ) async {
        let started = scope.commandsStarted
        let calls = scope.callsMade
        let effects = scope.records.filter { $0.isMutation && ($0.outcome == .allowed || $0.wasStarted(started)) }
        let hasChanged = effects.contains { ["WriteFile", "RemoveFile", "Exec"].contains($0.operation) }
        failure.rollback = hasChanged || !closing.restored.isEmpty ? .rolledBack : .none
        failure.describe(closing)
        failure.describe(calls)
        var isActivated = false
        // What was sent may have made the target use the files, too: a server's own control socket does.
        if needsActivation(effects) || !calls.isEmpty {
            isActivated = true
            await activate(&failure)
        }
        if hasChanged || !calls.isEmpty, let probe = target.probe, !before.isEmpty {
            let proof = ServedProof(probe: probe)
            var (found, reason) = await proof.wait(for: before)
            // A command that failed may have ended the server: only what is served tells.
            if !before.contains(found), !isActivated, !declaration.rollback.isEmpty {
                await activate(&failure)
                (found, reason) = await proof.wait(for: before)
            }
            if before.contains(found) {
                failure.add("served again: \(found)")
            } else {
                failure.rollback = .failed
                failure.add(
                    "\(probe.address.text) DOES NOT SERVE what it served before: expected "
                        + before.sorted().joined(separator: " or ") + ", found "
                        + (found.isEmpty ? "nothing: \(reason)" : found))
            }
        }
        guard let deployment else { return }
        guard failure.rollback != .failed else {
            if deployment.hasBegun {
                failure.add("the next start of trstctl tries again: \(NextCommand.trstctl("recover"))")
            }
            return
        }
        await ScopeRegistry.workers.run {
            do throws(EffectError) {
                try deployment.end(.undone)
            } catch {
                // Everything is as it was, durably: a recovery would find nothing to do.
                deployment.release()
            }
        }
    }

    /// Whether a command may have made the target use files that are gone again.
    ///
    /// One that is declared for rollbacks may have, and one that worked after a file was changed, or was killed with the
    /// connector. A test of the configuration that failed changed nothing.
    private func needsActivation(_ effects: [EffectRecord]) -> Bool {
        let commands = Set(declaration.rollback.map { EffectRecord.shown(Operation.exec(argv: $0).object) })
        var hasChanged = false
        for effect in effects {
            if effect.operation == "WriteFile" || effect.operation == "RemoveFile" { hasChanged = true }
            guard effect.operation == "Exec" else { continue }
            let mayHaveWorked = effect.outcome == .failed || effect.reason == "exit status 0"
            if commands.contains(effect.object) || (hasChanged && mayHaveWorked) { return true }
        }
        return false
    }

    /// Runs the commands that the connector declared for rollbacks.
    ///
    /// Only what was granted runs, through the same decision as everything else.
    private func activate(_ failure: inout Failure) async {
        guard !declaration.rollback.isEmpty else { return }
        let scope = makeScope(.mutating, "Rollback")
        for arguments in declaration.rollback {
            let request = Wire.ExecRequest(arguments: arguments)
            let reply = await ScopeRegistry.workers.run { scope.perform(.exec(request)) }
            let command = arguments.map { printable($0) }.joined(separator: " ")
            if let reason = ReplyStatus.failure(of: reply) {
                failure.rollback = .failed
                failure.add("COULD NOT BE REACTIVATED: \(command): \(reason)")
            } else {
                failure.add("ran: \(command)")
            }
        }
        _ = await close(scope, commit: true)
    }
}

extension EffectRecord {
    /// Whether it is a command that ran, although the call failed: it was killed, or its output may not be shown.
    fileprivate func wasStarted(_ commands: Set<String>) -> Bool {
        operation == "Exec" && outcome == .failed && commands.contains(object)
    }
}

extension TargetReconciler.Failure {
    /// Adds a line of evidence.
    fileprivate mutating func add(_ line: String) { detail += (detail.isEmpty ? "" : "\n") + line }

    /// Adds what no rollback takes back.
    fileprivate mutating func describe(_ calls: Set<String>) {
        for call in calls.sorted().prefix(16) { add("NOT UNDONE, because only the peer could: \(call)") }
        if calls.count > 16 { add("NOT UNDONE: \(calls.count - 16) more; `changes` has them") }
    }

    /// Adds what became of the target's files.
    fileprivate mutating func describe(_ closing: RevertReport) {
        if !closing.restored.isEmpty {
            add("put back: " + closing.restored.map(\.description).joined(separator: ", "))
        }
        for line in closing.overwritten {
            add("put back, although it was changed by a command or by somebody: \(line)")
        }
        for line in closing.foreign { add("NOT TOUCHED, because somebody changed it since: \(line)") }
        for failed in closing.failures {
            rollback = .failed
            add("COULD NOT BE PUT BACK: \(failed)")
        }
        for line in closing.setAside { add("CHANGED BY SOMEBODY ELSE meanwhile: \(line)") }
        for line in closing.onDisk { add("on disk: \(line)") }
    }
}
