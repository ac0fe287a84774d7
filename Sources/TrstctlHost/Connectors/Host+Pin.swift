import TrstctlLaunch
import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

extension Host {
    /// Pins connectors: starts each confined and without any grant, asks what the manifest's targets need, and writes its
    /// digest and those grants into the manifest.
    ///
    /// Grants that stand there already are kept, so that an operator's wider approval survives.
    ///
    /// - Parameters:
    ///   - names: which connectors.
    ///   - isAdding: keep the pins that are there, for another build or platform.
    /// - Returns: what was written, for each.
    /// - Throws: `ConnectorRefusal`, `UsageError`, `ManifestError`; connectors before the failing one are written.
    package func pinPlugins(_ names: [String], isAdding: Bool) async throws -> [PinReport] {
        var reports: [PinReport] = []
        for text in names { reports.append(try await pin(try connectorName(text), isAdding)) }
        return reports
    }

    private func pin(_ name: ConnectorName, _ isAdding: Bool) async throws -> PinReport {
        let (manifest, directory) = try self.manifest()
        let audit = try openAudit(isRequired: false)
        defer { finish(audit) }
        let pool = makePool(audit: audit)
        let (report, declared, warnings) = try await EventLoop.run {
            do {
                let connector = try await pool.connector(name, pins: nil)
                let (declared, warnings) = await Host.declarations(connector, name, manifest, directory)
                await pool.stopAll()
                return (connector.report, declared, warnings)
            } catch {
                await pool.stopAll()
                throw error
            }
        }
        guard let digest = SHA256Digest(hex: report.sha256) else { throw UsageError("no digest of \(name.text)") }
        return try write(name, digest, declared, report, warnings, isAdding)
    }

    /// What the connector declares for all targets of the manifest that name it.
    private static func declarations(
        _ connector: RunningConnector, _ name: ConnectorName, _ manifest: Manifest, _ directory: AbsolutePath
    ) async -> (GrantSet, [String]) {
        var all = GrantSet()
        var warnings: [String] = []
        let targets = manifest.targets.filter { $0.connector == name }
        if targets.isEmpty { warnings.append("no target names this connector yet, so no grants were written") }
        for target in targets {
            do {
                let declared = try await ConnectorDeclaration.declare(
                    target, connector, directory: directory, timeout: 10_000
                ).grants
                all.read += declared.read
                all.write += declared.write
                all.dial += declared.dial
                all.exec += declared.exec
            } catch {
                warnings.append("target \(target.name.text): \(error)")
            }
        }
        return (all.normalised, warnings)
    }

    private func write(
        _ name: ConnectorName, _ digest: SHA256Digest, _ declared: GrantSet, _ report: ConnectorReport,
        _ warnings: [String], _ isAdding: Bool
    ) throws -> PinReport {
        // Read again: the start took a while, and the edit must fit the text as it is now.
        let file = try ManifestFile.open(options.manifest)
        let before = try file.parse().plugin(name)
        let approved = before?.grants ?? GrantSet()
        let added = declared.difference(from: approved)
        var grants = approved
        grants.read += added.read
        grants.write += added.write
        grants.dial += added.dial
        grants.exec += added.exec
        let change = PinChange(
            connector: name, digest: digest, grants: added.isEmpty && before != nil ? nil : grants, isAdding: isAdding)
        let edit = try ManifestEditor.pin(
            change, in: file.contents, directory: file.directory, file: file.name)
        let changed = edit.text != file.contents
        if changed { try file.replace(with: edit.text) }
        return PinReport(
            name: name.text, path: report.path, sha256: digest.hex, previous: before?.pins.map(\.hex) ?? [],
            addedGrants: added.yamlLines, unusedGrants: approved.difference(from: declared).yamlLines,
            warnings: warnings + edit.droppedComments.map { "a comment was replaced: \($0)" }, changed: changed)
    }
}
