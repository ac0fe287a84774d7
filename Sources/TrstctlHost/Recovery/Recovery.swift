import TrstctlBroker
import TrstctlLaunch
import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

/// Undoes what earlier runs left half done: whoever holds the lock does it before anything else.
///
/// It needs neither the manifest nor the connector: the journal says what was authorised then. It can itself be
/// interrupted at any point and done again.
struct Recovery: Sendable {
    let state: StateDirectory
    let audit: AuditLog?
    /// Gets what goes wrong besides.
    let log: @Sendable (String) -> Void
    /// Gets a sentence about each deployment, and what was done.
    var announce: @Sendable (String) -> Void

    /// What has to be recovered, without doing it, and without the lock.
    static func due(_ state: StateDirectory) throws(StateError) -> [RecoveryReport] {
        // An apply that is at work has open deployments, as it should.
        guard !state.isLocked, try !names(state).isEmpty else { return [] }
        return try journals(state, in: try state.openJournals()).flatMap { journal in
            journal.deployments.map {
                RecoveryReport(run: journal.run, target: $0.header.target, connector: $0.header.connector, .due)
            }
        }
    }

    /// The targets whose deployment was interrupted.
    static func interrupted(_ state: StateDirectory) throws(StateError) -> [String] {
        guard try !names(state).isEmpty else { return [] }
        return try journals(state, in: try state.openJournals()).flatMap { $0.deployments.map(\.header.target) }
    }

    /// Recovers.
    ///
    /// - Parameter abandoned: targets whose interrupted deployment stays as it is.
    /// - Returns: what became of each deployment, the latest first.
    /// - Throws: `StateError` for a journal that cannot be read: then nothing is done.
    func run(abandoning abandoned: Set<String> = []) async throws(StateError) -> [RecoveryReport] {
        guard try !Recovery.names(state).isEmpty else { return [] }
        let directory = try state.openJournals()
        var reports: [RecoveryReport] = []
        for journal in try Recovery.journals(state, in: directory) {
            var isDone = true
            for deployment in journal.deployments {
                let report =
                    abandoned.contains(deployment.header.target)
                    ? abandon(deployment, journal) : await recover(deployment, journal)
                note(report, deployment)
                reports.append(report)
                if report.outcome == .failed { isDone = false }
            }
            guard isDone else { continue }
            do throws(RecoveryError) {
                try journal.remove()
            } catch {
                log("\(error)")
            }
        }
        withExtendedLifetime(directory) {}
        return reports
    }

    private static func names(_ state: StateDirectory) throws(StateError) -> [String] {
        do throws(RecoveryError) {
            return try JournalRecovery.names(in: state.journals)
        } catch {
            throw StateError(
                description: "\(error)\n  next: see whose it is: ls -ld \(state.journals)",
                isForbidden: state.hidesJournals)
        }
    }

    private static func journals(
        _ state: StateDirectory, in directory: borrowing OwnedDescriptor
    ) throws(StateError) -> [JournalRecovery] {
        var journals: [JournalRecovery] = []
        for name in try names(state) {
            do throws(RecoveryError) {
                journals.append(try JournalRecovery(name, in: directory.raw, path: state.journals))
            } catch {
                throw StateError(description: "\(error)")
            }
        }
        return journals
    }

    private func abandon(_ deployment: InterruptedDeployment, _ journal: JournalRecovery) -> RecoveryReport {
        var report = RecoveryReport(
            run: journal.run, target: deployment.header.target, connector: deployment.header.connector, .abandoned)
        close(deployment, .abandoned, journal, &report)
        return report
    }

    private func recover(_ deployment: InterruptedDeployment, _ journal: JournalRecovery) async -> RecoveryReport {
        let header = deployment.header
        var report = RecoveryReport(
            run: journal.run, target: header.target, connector: header.connector, .rolledBack)
        let files = await ScopeRegistry.workers.run { journal.putBack(deployment) }
        report.restored = files.restored.map(\.description)
        report.foreign = files.foreign
        report.setAside = files.setAside
        var lines = files.restored.map { "put back: \($0)" } + files.foreign.map { "NOT TOUCHED, changed since: \($0)" }
        lines += files.setAside.map { "CHANGED BY SOMEBODY ELSE since: \($0)" }
        for failure in files.failures {
            report.outcome = .failed
            lines.append("COULD NOT BE PUT BACK: \(failure)")
        }
        lines += files.onDisk.map { "on disk: \($0)" }
        if !files.restored.isEmpty || deployment.hasRun {
            for command in header.rollback {
                let failure = await activate(command, header)
                let text = command.argv.map { printable($0) }.joined(separator: " ")
                lines.append(failure.map { "COULD NOT BE REACTIVATED: \(text): \($0)" } ?? "ran: \(text)")
                if failure != nil { report.outcome = .failed }
            }
            if let failure = await prove(header, &report) {
                report.outcome = .failed
                lines.append(failure)
            }
        }
        if report.outcome == .failed {
            lines.append("to leave it as it is: \(NextCommand.trstctl("recover", "--abandon", header.target))")
        } else if !files.foreign.isEmpty || !files.setAside.isEmpty {
            report.outcome = .changedMeanwhile
        }
        report.detail = lines.joined(separator: "\n")
        if report.outcome != .failed { close(deployment, .undone, journal, &report) }
        return report
    }

    private func close(
        _ deployment: InterruptedDeployment, _ end: DeploymentEnd, _ journal: JournalRecovery,
        _ report: inout RecoveryReport
    ) {
        do throws(RecoveryError) {
            try journal.close(deployment, end)
        } catch {
            report.outcome = .failed
            report.detail += (report.detail.isEmpty ? "" : "\n") + "the journal could not be closed: \(error)"
        }
    }

    /// Runs a command on the terms on which it was authorised when the deployment began, through the same decision.
    ///
    /// - Returns: why it failed; nil when it did not.
    private func activate(_ command: RollbackCommand, _ header: DeploymentHeader) async -> String? {
        let scope = BrokerScope(
            rights: .mutating, grants: command.grants, plugin: header.connector, limits: ScopeLimits(),
            observer: observer(header))
        let reply = await ScopeRegistry.workers.run { scope.perform(.exec(Wire.ExecRequest(arguments: command.argv))) }
        _ = scope.close(commit: true)
        return ReplyStatus.failure(of: reply)
    }

    private func prove(_ header: DeploymentHeader, _ report: inout RecoveryReport) async -> String? {
        guard let probe = header.probe, !header.served.isEmpty else { return nil }
        let (found, reason) = await ServedProof(probe: probe).wait(for: Set(header.served))
        guard !header.served.contains(found) else {
            report.isProven = true
            return nil
        }
        return "\(probe.address.text) DOES NOT SERVE what it served before: expected "
            + header.served.joined(separator: " or ") + ", found " + (found.isEmpty ? "nothing: \(reason)" : found)
    }

    private func observer(_ header: DeploymentHeader) -> @Sendable (EffectRecord) -> Void {
        guard let audit else { return { _ in } }
        return { record in
            audit.write(
                AuditRecord(
                    record, scope: "Recovery", target: header.target, connector: header.connector,
                    digest: header.digest, run: audit.run))
        }
    }

    private func note(_ report: RecoveryReport, _ deployment: InterruptedDeployment) {
        announce(report.summary + (report.detail.isEmpty ? "" : "\n" + report.detail))
        guard let audit else { return }
        var record = AuditRecord(
            .recovery, run: audit.run, connector: report.connector, outcome: report.outcome.rawValue)
        record.target = report.target
        record.digest = deployment.header.digest
        record.object = "run \(report.run)"
        record.reason = report.detail.isEmpty ? report.summary : report.detail
        audit.write(record)
    }
}

extension ReplyStatus {
    /// Why a command did not end with exit status 0; nil when it did.
    static func failure(of reply: Wire.Reply) -> String? {
        guard case .exec(let response) = reply.result else { return ReplyStatus(reply).text }
        guard response.outcome != .exited || response.status != 0 else { return nil }
        let output = (response.stderr.isEmpty ? response.stdout : response.stderr).array.prefix(1_024)
            .split(separator: UInt8(ascii: "\n")).map { readable(Array($0), limit: 1_024) }.joined(separator: "\n  ")
        let ending =
            switch response.outcome {
            case .exited: "exit status \(response.status)"
            case .signalled: "signal \(response.status)"
            default: "killed at its deadline"
            }
        return output.isEmpty ? ending : "\(ending): \(output)"
    }
}
