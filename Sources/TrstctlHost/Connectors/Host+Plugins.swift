import TrstctlLaunch
import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

extension Host {
    /// Every connector that the manifest names or that lies in the search path, and how it stands.
    ///
    /// A missing manifest counts as an empty one, so that a new installation can be looked at.
    ///
    /// - Parameter isRunning: start those that may run, confined and without any grant, to ask for their version;
    ///   otherwise nothing is run.
    /// - Returns: a report for each, by name; files that are none of ours stand without a name.
    /// - Throws: `ManifestError`, `UsageError`; `StateError` when a start could not be recorded.
    package func listPlugins(isRunning: Bool = false) async throws -> [PluginReport] {
        let overrides = try overrides()
        let loaded = try manifestIfThere()
        let inventory = Discovery(searchPath).list()
        var names = inventory.lookups.map(\.name)
        let used = (loaded?.manifest.plugins.map(\.name) ?? []) + (loaded?.manifest.targets.map(\.connector) ?? [])
        for name in used where !names.contains(name) { names.append(name) }
        var reports = names.map { check($0, loaded, overrides) }
        // That something is not there, or not pinned yet, is its state; nobody was refused.
        noteRefusals(reports.filter { $0.pin == .mismatch || $0.pin == .refused })
        if isRunning { try await addVersions(to: &reports, loaded, overrides) }
        for rejection in inventory.rejections {
            var report = PluginReport(name: "")
            report.path = printable(rejection.path)
            report.pin = .refused
            report.code = rejection.reason.word ?? ""
            report.reason = rejection.text
            reports.append(report)
        }
        return reports.sorted { $0.name == $1.name ? $0.path < $1.path : $0.name < $1.name }
    }

    func manifestIfThere() throws(ManifestError) -> LoadedManifest? {
        do throws(ManifestError) {
            return try lintedManifest()
        } catch {
            guard error.code == .notFound else { throw error }
            return nil
        }
    }

    private func addVersions(
        to reports: inout [PluginReport], _ loaded: LoadedManifest?, _ overrides: Set<ConnectorName>
    ) async throws {
        let audit = try openAudit()
        defer { finish(audit) }
        let pool = makePool(audit: audit, loaded, overrides)
        let names = reports.filter(\.mayRun).map(\.name)
        let started = try await EventLoop.run {
            for name in names.compactMap({ ConnectorName($0) }) { _ = try? await pool.connector(name) }
            let reports = await pool.reports()
            await pool.stopAll()
            return reports
        }
        for connector in started {
            guard let index = reports.firstIndex(where: { $0.name == connector.name }) else { continue }
            reports[index].version = connector.version
            reports[index].code = connector.code
            reports[index].reason = connector.error.isEmpty ? "" : "does not start: \(connector.error)"
            reports[index].warnings = connector.warnings.filter { !$0.hasSuffix(ConnectorPool.overrideNote) }
        }
    }

    /// Verifies connectors as a start would, without starting them.
    ///
    /// - Parameter names: which; empty means all that stand under `plugins:`, pinned or not.
    /// - Returns: a report for each.
    /// - Throws: `ManifestError` or `UsageError`.
    package func verifyPlugins(_ names: [String]) throws -> [PluginReport] {
        let overrides = try overrides()
        let loaded = try lintedManifest()
        let chosen = names.isEmpty ? loaded.manifest.plugins.map(\.name) : try names.map(connectorName)
        let reports = chosen.map { check($0, loaded, overrides) }
        noteRefusals(reports.filter { !$0.mayRun })
        return reports
    }

    private func check(
        _ name: ConnectorName, _ loaded: LoadedManifest?, _ overrides: Set<ConnectorName>
    ) -> PluginReport {
        let plugin = loaded?.manifest.plugin(name)
        var report = PluginReport(name: name.text)
        report.confinement = "\(plugin?.confinement ?? .strict)"
        report.signature = plugin?.signature == nil ? "none" : "not checked"
        let lookup = Discovery(searchPath).find(name)
        report.shadowed = lookup.shadowed.map { printable($0) }
        report.rejected = lookup.rejections.map(\.description)
        guard let candidate = lookup.candidate else {
            report.pin = lookup.rejections.isEmpty ? .missing : .refused
            report.path = lookup.rejections.first { $0.isFile(of: name) }.map { printable($0.path) } ?? ""
            report.refuse(
                NotFound(name: name, searched: searchPath.directories.map(\.path), rejections: lookup.rejections))
            return report
        }
        report.path = printable(candidate.path)
        report.directory = printable(candidate.directory.path)
        report.origin = candidate.directory.origin.reportWord
        do throws(VerificationError) {
            let sealed = try SealedExecutable(copying: candidate)
            report.link = "\(sealed.kind)"
            report.sha256 = sealed.digest.hex
            // As a start would: what keeps it from running at all comes before what its bytes are.
            if let quarantine = loaded.flatMap({ $0.quarantine(name) }) {
                report.pin = .refused
                report.refuse(quarantine.noting(sealed.digest, of: candidate.path))
                return report
            }
            let rules = ConnectorPool.rules(name, loaded, allowUnpinned: overrides, isAsking: false)
            let verified = try VerifiedExecutable(sealed, rules)
            report.signature = "\(verified.signature)"
            report.pin = verified.isPinned ? .pinned : .unpinned
            report.note = verified.isPinned ? "" : ConnectorPool.overrideNote
            report.warnings = verified.signature.warnings
        } catch {
            switch error.code {
            case .unpinned: report.pin = .unpinned
            case .mismatch: report.pin = .mismatch
            default: report.pin = .refused
            }
            if case .signature = error.code { report.signature = "refused" }
            report.refuse(error)
        }
        return report
    }

    func connectorName(_ text: String) throws(UsageError) -> ConnectorName {
        guard let name = ConnectorName(text) else {
            throw UsageError(
                "\"\(printable(text))\" is no connector name: a letter a-z, then up to 62 of a-z, 0-9 and -\n"
                    + "  next: \(NextCommand.trstctl("plugin", "list")) shows what there is")
        }
        return name
    }
}

extension GrantSet {
    /// The rules of both.
    func joined(_ other: GrantSet) -> GrantSet {
        GrantSet(
            read: read + other.read, write: write + other.write, dial: dial + other.dial, exec: exec + other.exec)
    }
}

extension PluginReport {
    /// Notes why a start would be refused.
    fileprivate mutating func refuse(_ error: any Error) {
        reason = "\(error)"
        code = ReasonCode(error).description
    }
}

extension SearchPath.Origin {
    /// Which directory of the search path it is, in words.
    fileprivate var reportWord: String {
        switch self {
        case .commandLine: "--plugin-dir"
        case .environment: "TRSTCTL_PLUGIN_DIR"
        case .standard: "standard"
        }
    }
}
