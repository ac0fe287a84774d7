import Synchronization
import TrstctlBroker
package import TrstctlLaunch
package import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

/// A connector that was refused: it did not run, or runs no more, and stops only itself.
package struct ConnectorRefusal: Error, Sendable, CustomStringConvertible {
    /// Several lines: what, expected, found, next command.
    package var description: String
    package var report: ConnectorReport
}

/// A connector that runs, with what is known about it.
package struct RunningConnector: Sendable {
    package var session: Session
    package var report: ConnectorReport
    let scopes: ScopeRegistry
    /// How many targets' calls it works on at the same time.
    let turns: CallTurns
    /// For the scopes of all its targets.
    let network = NetworkSettings()
    /// Until when it may take Configure calls.
    let configuring = SharedDeadline()
}

/// A time that many calls have together.
final class SharedDeadline: Sendable {
    private let end = Mutex<Deadline?>(nil)

    /// What is left of it, in milliseconds; it begins when this is asked first.
    func left(of milliseconds: Int64) -> Int64 {
        let end = end.withLock { end in
            let known = end ?? .after(milliseconds: milliseconds)
            end = known
            return known
        }
        return max(0, (end.nanoseconds - Deadline.now.nanoseconds) / 1_000_000)
    }
}

/// The connectors of one invocation: each is found, verified and started once, when the first target needs it, and
/// shared by all targets that name it.
package final class ConnectorPool: Sendable {
    /// How the pool finds and starts connectors.
    package struct Options: Sendable {
        package var searchPath: SearchPath
        package var timeouts = Session.Timeouts()
        /// How long reading one connector's file may take, in milliseconds.
        package var readingTimeout = SealedExecutable.defaultPatience
        package var runtimeBase: String?
        /// What is pinned and approved; nil means nothing is.
        package var manifest: LoadedManifest?
        /// The development override: these run when the manifest has no pin for them.
        package var allowUnpinned: Set<ConnectorName> = []
        package var hostVersion: String
        /// The least level of connectors' Log that `log` gets, and, as INFO, of Progress.
        var logLevel = Wire.LogRequest.Level.debug
        /// Gets a line for every start and refusal.
        var audit: AuditLog?
        /// Gets what connectors print and log: connector, source, line.
        package var log: @Sendable (_ connector: String, _ source: String, _ line: String) -> Void

        package init(
            searchPath: SearchPath, hostVersion: String,
            log: @Sendable @escaping (_ connector: String, _ source: String, _ line: String) -> Void
        ) {
            self.searchPath = searchPath
            self.hostVersion = hostVersion
            self.log = log
        }
    }

    private typealias Start = Task<Result<RunningConnector, ConnectorRefusal>, Never>

    private let options: Options
    private let starts = Mutex<[ConnectorName: Start]>([:])

    package init(_ options: Options) {
        self.options = options
    }

    /// The running connector, started when it is not yet.
    ///
    /// - Parameters:
    ///   - name: which.
    ///   - isAsking: start it whatever is pinned, for `plugin pin` and `plugin inspect` only, which confine it and grant
    ///     it nothing. A pool is used for one of the two.
    /// - Returns: the connector.
    /// - Throws: `ConnectorRefusal`, the same one for every target that asks.
    package func connector(_ name: ConnectorName, isAsking: Bool = false) async throws(ConnectorRefusal)
        -> RunningConnector
    {
        let start = starts.withLock { starts in
            if let start = starts[name] { return start }
            let start = Start(executorPreference: EventLoop.shared) { await self.start(name, isAsking) }
            starts[name] = start
            return start
        }
        return try await start.value.get()
    }

    /// Gives up on the starts that are under way: they end with `cancelled`, and leave nothing.
    package func cancelStarts() {
        for start in starts.withLock({ Array($0.values) }) { start.cancel() }
    }

    /// How long calls of a session that is over may take until they are on record, in milliseconds.
    private static let lastRecords: Int64 = 2_000

    /// Ends every session, side by side; nothing is left behind, and what was asked for is on record.
    package func stopAll() async {
        let running = starts.withLock { starts in
            defer { starts.removeAll() }
            return Array(starts.values)
        }
        await withDiscardingTaskGroup { group in
            for start in running {
                group.addTask {
                    guard case .success(let connector) = await start.value else { return }
                    await connector.session.stop()
                    await connector.scopes.settle(until: .after(milliseconds: ConnectorPool.lastRecords))
                }
            }
        }
    }

    /// What is known about the connectors that were asked for, by name.
    package func reports() async -> [ConnectorReport] {
        let all = starts.withLock { Array($0.values) }
        var reports: [ConnectorReport] = []
        for start in all {
            switch await start.value {
            case .success(let connector): reports.append(connector.report)
            case .failure(let refusal): reports.append(refusal.report)
            }
        }
        return reports.sorted { $0.name < $1.name }
    }

    private func start(
        _ name: ConnectorName, _ isAsking: Bool
    ) async -> Result<RunningConnector, ConnectorRefusal> {
        var report = ConnectorReport(name: name.text)
        do {
            // One that is only asked is granted nothing.
            if !isAsking, let quarantine = options.manifest?.quarantine(name) {
                guard quarantine.hasBadPin, let examined = try? await verify(name, isAsking) else { throw quarantine }
                report.note(examined)
                report.pin = "refused"
                throw quarantine.noting(examined.digest, of: examined.path)
            }
            let examined = try await verify(name, isAsking)
            report.note(examined)
            let executable = try examined.verified.get()
            report.pin = executable.isPinned ? "pinned" : "unpinned"
            report.signature = "\(executable.signature)"
            report.warnings += executable.signature.warnings
            if !executable.isPinned, !isAsking {
                report.warnings.append("\(name) is unpinned, \(ConnectorPool.overrideNote)")
            }
            let scopes = ScopeRegistry(
                logLevel: options.logLevel,
                log: { [log = options.log] in log(name.text, "log", ConnectorPool.line($0)) },
                progress: { [log = options.log] in log(name.text, "progress", readable($0.message.utf8, limit: 256)) },
                stray: stray(of: report))
            var request = SessionRequest(name: name.text, handler: CallHandler(scopes.begin))
            request.confinement = confinement(name, isAsking)
            request.libraries = options.manifest?.manifest.plugin(name)?.libraries ?? []
            request.timeouts = options.timeouts
            request.runtimeBase = options.runtimeBase
            request.host.version = options.hostVersion
            request.logLevel = options.logLevel
            request.log = { [log = options.log] stream, line in log(name.text, stream.rawValue, line) }
            let (session, layers) = try await Session.start(executable, request)
            report.version = printable(Bytes(session.hello.connector?.version ?? ""), limit: 128)
            report.confinement = layers.layers.map(\.description)
            if request.confinement == .off {
                let missing = layers.missing.map(\.layer.rawValue).joined(separator: ", ")
                report.warnings.append(
                    "\(name) runs WITHOUT CONFINEMENT (confinement: off), that is without \(missing)")
            } else {
                report.warnings += layers.missing.map { "\(name) runs without a layer of its confinement, \($0)" }
            }
            let reason = (report.warnings + [layers.description]).joined(separator: "; ")
            // It was told nothing yet, and asked for nothing.
            if let audit = options.audit, !audit.write(started(report, reason, audit)) {
                await session.stop()
                throw audit.cannotRecord("the connector \(name) was ended before it was used")
            }
            return .success(
                RunningConnector(
                    session: session, report: report, scopes: scopes,
                    turns: CallTurns(session.hello.description?.concurrency ?? 0)))
        } catch {
            report.code = ReasonCode(error).description
            report.error = "\(error)"
            if let audit = options.audit {
                audit.write(AuditRecord(refusalOf: report, code: report.code, report.error, run: audit.run))
            }
            return .failure(ConnectorRefusal(description: "\(error)", report: report))
        }
    }

    /// Writes the brokered calls that belong to no call of the host into the audit log.
    private func stray(of report: ConnectorReport) -> @Sendable (EffectRecord?) -> Void {
        guard let audit = options.audit else { return { _ in } }
        let (connector, digest) = (report.name, report.sha256)
        return { record in
            guard let record else {
                var record = AuditRecord(
                    .suppressed, run: audit.run, connector: connector, outcome: "further calls outside of any scope")
                record.digest = digest
                audit.write(record)
                return
            }
            audit.write(
                AuditRecord(record, scope: nil, target: nil, connector: connector, digest: digest, run: audit.run))
        }
    }

    /// How much of the confinement may be missing.
    ///
    /// A connector that is only asked runs unpinned, so never without any.
    private func confinement(_ name: ConnectorName, _ isAsking: Bool) -> ConfinementMode {
        switch options.manifest?.manifest.plugin(name)?.confinement ?? .strict {
        case .strict: .strict
        case .bestEffort: .bestEffort
        case .off: isAsking ? .bestEffort : .off
        }
    }

    private func started(_ report: ConnectorReport, _ reason: String, _ audit: AuditLog) -> AuditRecord {
        var record = AuditRecord(.start, run: audit.run, connector: report.name, outcome: "started")
        record.digest = report.sha256
        record.object = report.path
        record.reason = reason
        return record
    }

    /// What reports say about a connector that runs without a pin.
    static let overrideNote = "allowed by --allow-unpinned for this run"

    /// The rules for one connector.
    ///
    /// - Parameters:
    ///   - name: which.
    ///   - manifest: nil means that nothing is pinned.
    ///   - allowUnpinned: the development override.
    ///   - isAsking: it is asked what it is, and granted nothing.
    /// - Returns: the rules.
    static func rules(
        _ name: ConnectorName, _ manifest: LoadedManifest?, allowUnpinned: Set<ConnectorName>, isAsking: Bool
    ) -> VerificationRules {
        let pinning: VerificationRules.Pinning =
            isAsking ? .asking : allowUnpinned.contains(name) ? .allowsUnpinned : .required
        return VerificationRules(
            manifest?.manifest.plugin(name), trust: manifest?.manifest.trust ?? Trust(), pinning: pinning,
            manifestModified: manifest?.modified)
    }

    /// Verifies on a worker thread.
    ///
    /// A file system that does not answer holds up that thread, not the run.
    private func verify(_ name: ConnectorName, _ isAsking: Bool) async throws -> ExaminedExecutable {
        let (searchPath, readingTimeout) = (options.searchPath, options.readingTimeout)
        let rules = ConnectorPool.rules(
            name, options.manifest, allowUnpinned: options.allowUnpinned, isAsking: isAsking)
        let verified = OneShot<Result<ExaminedExecutable, any Error>>()
        // Not on the cooperative pool, which a program that embeds the host may keep busy.
        Task(executorPreference: EventLoop.shared) {
            verified.set(
                await ScopeRegistry.workers.run {
                    Result {
                        ExaminedExecutable(
                            try Discovery(searchPath).candidate(name), rules, patience: readingTimeout)
                    }
                })
        }
        let patience = readingTimeout + 5_000
        guard let result = await verified.wait(until: .after(milliseconds: patience)) else {
            throw UsageError(
                Task.isCancelled
                    ? "the start of \(name) was cancelled"
                    : "the connector \(name) could not be found and read within \(patience) ms: its file system does "
                        + "not answer\n  next: see what is mounted there with findmnt")
        }
        return try result.get()
    }

    private static func line(_ request: Wire.LogRequest) -> String {
        let level: String
        switch request.level {
        case .debug: level = "debug"
        case .info, .unrecognized: level = "info"
        case .warning: level = "warning"
        case .error: level = "error"
        }
        return "\(level): \(readable(request.message.utf8))"
    }
}
