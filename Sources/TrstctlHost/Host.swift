import Glibc
import TrstctlBroker
package import TrstctlLaunch
package import TrstctlPolicy
package import TrstctlSystem
import TrstctlWire

/// The connector host as a value: what the command line, or any program, uses.
package struct Host: Sendable {
    /// Where things are, and who hears about them.
    package struct Options: Sendable {
        /// The manifest's path.
        package var manifest: Bytes
        /// Where the host keeps its state; nil means `StateDirectory.standard`.
        package var stateDirectory: String?
        /// Directories that are searched for connectors first.
        package var pluginDirectories: [Bytes] = []
        /// How many targets are worked on at the same time, 1 to 1,024.
        package var parallel = 16
        /// This host's version.
        package var version: String
        package var timeouts = Session.Timeouts()
        package var callTimeouts = CallTimeouts()
        /// How long reading one connector's file may take, in milliseconds.
        package var readingTimeout = SealedExecutable.defaultPatience
        /// Where socket directories are made; nil means the default of `RunDirectory`.
        package var runtimeBase: String?
        /// Connectors that may run although the manifest has no pin for them: the development override.
        package var allowUnpinned: [String] = []
        /// Fields of targets and connectors that are set for this run: `TARGET.FIELD=VALUE`.
        package var connectorConfig: [String] = []
        /// Whether `log` also gets what connectors log at debug and info, and Progress.
        package var isVerbose = true
        /// Gets what connectors print and log: connector, source, line.
        package var log: @Sendable (_ connector: String, _ source: String, _ line: String) -> Void = { _, _, _ in }

        package init(manifest: Bytes, version: String) {
            self.manifest = manifest
            self.version = version
        }
    }

    package let options: Options

    /// Prepares the process: no core dumps, no SIGPIPE, memory unreadable for others of the same user.
    package init(_ options: Options) {
        self.options = options
        HostProcess.prepare
    }

    /// Prepares the process, and refuses to begin where there are too few descriptors for a run.
    ///
    /// To be called before any task is started.
    ///
    /// - Throws: `StateError`.
    package static func checkProcess() throws(StateError) { try HostProcess.checkOpenFiles() }

    var searchPath: SearchPath { .current(explicit: options.pluginDirectories) }

    func makePool(
        audit: AuditLog?, _ loaded: LoadedManifest?, _ overrides: Set<ConnectorName> = []
    ) -> ConnectorPool {
        RunDirectory.sweep(base: options.runtimeBase)
        var pool = ConnectorPool.Options(searchPath: searchPath, hostVersion: options.version, log: options.log)
        pool.audit = audit
        pool.logLevel = options.isVerbose ? .debug : .warning
        pool.timeouts = options.timeouts
        pool.readingTimeout = options.readingTimeout
        pool.runtimeBase = options.runtimeBase
        pool.manifest = loaded
        pool.allowUnpinned = overrides
        return ConnectorPool(pool)
    }

    /// Reads and checks the manifest.
    ///
    /// - Returns: the manifest and the directory that its relative paths are relative to.
    /// - Throws: `ManifestError`, also for grants that the linter refuses.
    package func manifest() throws(ManifestError) -> (Manifest, AbsolutePath) {
        let loaded = try loadManifest()
        return (loaded.manifest, loaded.directory)
    }

    /// What would be changed, without changing it.
    ///
    /// - Parameter names: which targets; empty means all.
    /// - Returns: a report for each target, in the manifest's order.
    /// - Throws: `ManifestError` or `UsageError`; `StateError` when the run could not be recorded, see `openAudit`.
    package func plan(_ names: [String]) async throws -> RunReport {
        let due = try dueRecoveries()
        let audit = try openAudit()
        var report = try await run(names, .plan, audit)
        report.recoveries = due
        return report
    }

    /// Deploys, where something differs; before that, undoes what an earlier run left half done.
    ///
    /// - Parameter names: which targets; empty means all.
    /// - Returns: a report for each target, in the manifest's order.
    /// - Throws: `ManifestError`, `UsageError`, or `StateError` when another apply is running.
    package func apply(_ names: [String]) async throws -> RunReport {
        let state = StateDirectory(options.stateDirectory)
        let lock = try state.lockForApply()
        defer { withExtendedLifetime(lock) {} }
        let audit = try requiredAudit()
        let recoveries: [RecoveryReport]
        do {
            recoveries = try await recovery(state, audit).run()
        } catch {
            finish(audit)
            throw error
        }
        let journal = RunJournal(in: try state.openJournals(), path: state.journals)
        var report = try await run(names, .apply, audit, journal, recoveries)
        let ending = journal.finish()
        if let failure = ending.failure {
            options.log("trstctl", "warning", "the journal, which holds old keys, could not be removed: \(failure)")
        }
        if !ending.isSettled { report.unsettle("\(ending.failure.map { "\($0)" } ?? "")") }
        report.recoveries = recoveries
        return report
    }

    private func run(
        _ names: [String], _ goal: TargetReconciler.Goal, _ audit: AuditLog?, _ journal: RunJournal? = nil,
        _ recoveries: [RecoveryReport] = []
    ) async throws -> RunReport {
        defer { finish(audit) }
        let loaded = try lintedManifest()
        let (manifest, directory) = (loaded.manifest, loaded.directory)
        let targets = try select(names, in: manifest)
        let overrides = try overrides()
        let input = ConfigInput(overrides: try ConfigOverrides(options.connectorConfig, manifest))
        let pool = makePool(audit: audit, loaded, overrides)
        var reconciler = TargetReconciler(
            manifest: manifest, directory: directory, pool: pool, credentials: CredentialCache(targets), audit: audit)
        reconciler.input = input
        reconciler.journal = journal
        for report in recoveries where report.outcome == .failed { reconciler.unrecovered[report.target] = report }
        reconciler.timeouts = options.callTimeouts
        let worker = reconciler
        let parallel = max(1, min(1_024, options.parallel))
        return try await EventLoop.run {
            let result = await withTaskCancellationHandler {
                await work(targets, worker, parallel, goal)
            } onCancel: {
                pool.cancelStarts()
            }
            let connectors = await pool.reports()
            await pool.stopAll()
            noteUnlockedMemory()
            return RunReport(
                command: goal == .plan ? "plan" : "apply", targets: result, connectors: connectors)
        }
    }

    /// Works on the targets: first all of them are configured, so that conflicts are known before anything is touched.
    ///
    /// - Returns: their reports, in the order of the targets.
    private func work(
        _ targets: [Target], _ reconciler: TargetReconciler, _ parallel: Int, _ goal: TargetReconciler.Goal
    ) async -> [TargetReport] {
        let prepared = await spread(targets, of: targets, parallel) { await reconciler.prepare($0, goal: goal) }
        let rules = prepared.map { (name: $0.report.target, write: $0.writes, layout: $0.layout) }
        let conflicts = TargetConflict.find(rules)
        let checked = prepared.enumerated().map { index, target in
            conflicts[index].map { reconciler.refuse(target, $0) } ?? target
        }
        return await spread(checked, of: targets, parallel) { await reconciler.reconcile($0, goal: goal) }
    }

    /// Works on the items of targets, so many at a time, and no connector's before all of another's.
    ///
    /// - Returns: what became of them, in their order.
    private func spread<Item: Sendable, Output: Sendable>(
        _ items: [Item], of targets: [Target], _ parallel: Int, _ body: @escaping @Sendable (Item) async -> Output
    ) async -> [Output] {
        await withTaskGroup(of: (Int, Output).self) { group in
            var outputs = [Output?](repeating: nil, count: items.count)
            var order = FairOrder(of: targets.map(\.connector))
            func add() {
                guard let index = order.next() else { return }
                group.addTask { (index, await body(items[index])) }
            }
            for _ in 0..<parallel { add() }
            while let (index, output) = await group.next() {
                outputs[index] = output
                order.end(index)
                add()
            }
            return outputs.compactMap { $0 }
        }
    }

    private func noteUnlockedMemory() {
        guard SecretMemory.usage.unlockedSmall > 0 else { return }
        options.log(
            "trstctl", "warning",
            "private keys were in memory that could be swapped out, because the limit of locked memory is too low: "
                + NextCommand.trstctl("doctor"))
    }

    private func select(_ names: [String], in manifest: Manifest) throws(UsageError) -> [Target] {
        guard !names.isEmpty else { return manifest.targets }
        var chosen: [Target] = []
        for name in names {
            guard let entry = EntryName(name), let target = manifest.target(entry) else {
                let known = manifest.targets.map(\.name.text).joined(separator: ", ")
                throw UsageError(
                    "the manifest has no target \"\(printable(name))\"; it has: \(known.isEmpty ? "none" : known)\n"
                        + "  next: name one of these, or add it under targets: in the manifest")
            }
            if !chosen.contains(where: { $0.name == target.name }) { chosen.append(target) }
        }
        return chosen
    }
}

/// A request that makes no sense, as the person who typed it should hear it.
package struct UsageError: Error, Sendable, CustomStringConvertible {
    package var description: String

    package init(_ description: String) {
        self.description = description
    }
}
