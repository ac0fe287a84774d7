import TrstctlLaunch
import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

extension Host {
    /// Every connector that the manifest names or that lies in the search path, and how it stands.
    ///
    /// Nothing is run. A missing manifest counts as an empty one, so that a new installation can be looked at.
    package func listPlugins() async -> [PluginReport] {
        let manifest = (try? self.manifest())?.0
        let inventory = Discovery(searchPath).list()
        var names = inventory.lookups.map(\.name)
        let used = (manifest?.plugins.map(\.name) ?? []) + (manifest?.targets.map(\.connector) ?? [])
        for name in used where !names.contains(name) { names.append(name) }
        var reports = names.map { check($0, manifest?.plugin($0)?.pins ?? []) }
        for rejection in inventory.rejections {
            var report = PluginReport(name: "")
            report.path = printable(rejection.path)
            report.pin = .refused
            report.reason = rejection.text
            reports.append(report)
        }
        return reports.sorted { $0.name == $1.name ? $0.path < $1.path : $0.name < $1.name }
    }

    /// Verifies connectors as a start would, without starting them.
    ///
    /// - Parameter names: which; empty means all that the manifest pins.
    /// - Returns: a report for each.
    /// - Throws: `ManifestError` or `UsageError`.
    package func verifyPlugins(_ names: [String]) throws -> [PluginReport] {
        let manifest = try self.manifest().0
        let chosen = names.isEmpty ? manifest.plugins.map(\.name) : try names.map(connectorName)
        return chosen.map { check($0, manifest.plugin($0)?.pins ?? []) }
    }

    private func check(_ name: ConnectorName, _ pins: [SHA256Digest]) -> PluginReport {
        var report = PluginReport(name: name.text)
        let lookup = Discovery(searchPath).find(name)
        report.shadowed = lookup.shadowed.map { printable($0) }
        report.rejected = lookup.rejections.map(\.description)
        guard let candidate = lookup.candidate else {
            report.pin = lookup.rejections.isEmpty ? .missing : .refused
            report.reason = lookup.rejections.first?.description ?? "no \(name.executableFileName) in the search path"
            return report
        }
        report.path = printable(candidate.path)
        report.directory = printable(candidate.directory.path)
        do throws(VerificationError) {
            let sealed = try SealedExecutable(copying: candidate)
            report.link = "\(sealed.kind)"
            report.sha256 = sealed.digest.hex
            report.pin = .pinned
            _ = try VerifiedExecutable(sealed, pins: Pins(pins))
        } catch {
            switch error.code {
            case .unpinned: report.pin = .unpinned
            case .mismatch: report.pin = .mismatch
            default: report.pin = .refused
            }
            report.reason = "\(error)"
        }
        return report
    }

    func connectorName(_ text: String) throws(UsageError) -> ConnectorName {
        guard let name = ConnectorName(text) else {
            throw UsageError(
                "\"\(printable(text))\" is no connector name: a letter a-z, then up to 62 of a-z, 0-9 and -")
        }
        return name
    }

    /// Starts a connector, confined and without any grant, and asks what it is and what it needs.
    ///
    /// - Throws: `ConnectorRefusal`, `UsageError`, `ManifestError`.
    package func inspectPlugin(_ text: String) async throws -> InspectReport {
        let name = try connectorName(text)
        let (manifest, directory) = try self.manifest()
        let audit = try openAudit(isRequired: false)
        defer { finish(audit) }
        let pool = makePool(audit: audit)
        return try await EventLoop.run {
            do {
                let connector = try await pool.connector(name, pins: nil)
                let report = await Host.inspect(connector, name, manifest, directory)
                await pool.stopAll()
                return report
            } catch {
                await pool.stopAll()
                throw error
            }
        }
    }

    private static func inspect(
        _ connector: RunningConnector, _ name: ConnectorName, _ manifest: Manifest, _ directory: AbsolutePath
    ) async -> InspectReport {
        let hello = connector.session.hello
        let description = hello.description ?? Wire.Description()
        let approved = manifest.plugin(name)
        var targets: [InspectReport.TargetGrants] = []
        for target in manifest.targets where target.connector == name {
            var entry = InspectReport.TargetGrants(target: target.name.text, declared: [], missing: [], error: "")
            do {
                let declared = try await ConnectorDeclaration.declare(
                    target, connector, directory: directory, timeout: 10_000
                ).grants
                entry.declared = declared.yamlLines
                entry.missing = declared.difference(from: approved?.grants ?? GrantSet()).yamlLines
            } catch {
                entry.error = "\(error)"
            }
            targets.append(entry)
        }
        let digest = SHA256Digest(hex: connector.report.sha256)
        let isPinned = digest.map { Pins(approved?.pins ?? []).accept($0) } ?? false
        return InspectReport(
            connector: connector.report, summary: printable(description.summary),
            protocolVersions: Array(hello.protocolVersions.prefix(16)),
            optionalMethods: description.optionalMethods.prefix(16).map { "\($0)" },
            fields: description.config.prefix(ConfigResolution.maximumFields).map(InspectReport.Field.init),
            needs: description.capabilities.prefix(32).map {
                InspectReport.Need(capability: capabilityName($0.capability), reason: printable($0.reason))
            },
            targets: targets,
            pin: isPinned ? .pinned : (approved?.pins.isEmpty ?? true) ? .unpinned : .mismatch)
    }

    private static func capabilityName(_ capability: Wire.Capability) -> String {
        switch capability {
        case .fsRead: "fs.read"
        case .fsWrite: "fs.write"
        case .netDial: "net.dial"
        case .processExec: "process.exec"
        case .capabilityUnspecified, .unrecognized: "unknown (\(capability.rawValue))"
        }
    }
}

extension InspectReport.Field {
    init(_ field: Wire.ConfigField) {
        let type: String
        switch field.type {
        case .string: type = "text"
        case .integer: type = "integer"
        case .boolean: type = "boolean"
        case .stringList: type = "list"
        case .path: type = "path"
        case .unrecognized(let number): type = "unknown (\(number))"
        }
        let fallback: String
        switch field.defaultValue?.kind {
        case .text(let text): fallback = printable(text)
        case .integer(let number): fallback = "\(number)"
        case .boolean(let flag): fallback = "\(flag)"
        case .list(let list): fallback = "[" + list.values.map { printable($0) }.joined(separator: ", ") + "]"
        case nil: fallback = ""
        }
        self.init(
            name: printable(field.name), type: type, required: field.required, secret: field.secret,
            defaultValue: fallback, help: printable(field.help))
    }
}
