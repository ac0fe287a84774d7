import TrstctlLaunch
import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

extension Host {
    /// Starts a connector, confined and without any grant, and asks what it is and what it needs.
    ///
    /// A missing manifest counts as an empty one, because this comes before the first pin.
    ///
    /// - Throws: `ConnectorRefusal`, `UsageError`, `ManifestError`; `StateError` when the start could not be recorded.
    package func inspectPlugin(_ text: String) async throws -> InspectReport {
        let name = try connectorName(text)
        let loaded = try manifestIfThere()
        let audit = try openAudit()
        defer { finish(audit) }
        let pool = makePool(audit: audit, loaded)
        return try await EventLoop.run {
            do {
                let connector = try await pool.connector(name, isAsking: true)
                let report = await Host.inspect(connector, name, loaded)
                await pool.stopAll()
                return report
            } catch {
                await pool.stopAll()
                throw error
            }
        }
    }

    private static func inspect(
        _ connector: RunningConnector, _ name: ConnectorName, _ loaded: LoadedManifest?
    ) async -> InspectReport {
        var asked = GrantSet()
        let hello = connector.session.hello
        let description = hello.description ?? Wire.Description()
        let approved = loaded?.manifest.plugin(name)
        var targets: [InspectReport.TargetGrants] = []
        for target in loaded?.manifest.targets ?? [] where target.connector == name {
            var entry = InspectReport.TargetGrants(target: target.name.text, declared: [], missing: [], error: "")
            do {
                let declared = try await ConnectorDeclaration.declare(
                    target, connector, directory: loaded?.directory ?? .root, timeouts: CallTimeouts()
                ).grants
                entry.declared = declared.yamlLines
                asked = asked.joined(declared)
                let grants = approved?.grants ?? GrantSet()
                let missing = declared.difference(from: grants).normalised.onTerms(of: grants)
                entry.missing = missing.rules.yamlLines + missing.undecided.yamlLines
            } catch {
                entry.error = "\(error)"
            }
            targets.append(entry)
        }
        let digest = SHA256Digest(hex: connector.report.sha256)
        let isPinned = digest.map { Pins(approved?.pins ?? []).accept($0) } ?? false
        let pin: PluginReport.PinState =
            isPinned ? .pinned : (approved?.pins.isEmpty ?? true) ? .unpinned : .mismatch
        let asksForKey = description.needsKey && approved?.needsKey != true
        let isMissing = targets.contains { !$0.missing.isEmpty }
        let approval = asksForKey || isMissing && approved?.isBlank == false ? ["--approve"] : []
        let isDone = isPinned && !isMissing && !asksForKey
        return InspectReport(
            connector: connector.report, summary: printable(description.summary),
            protocolVersions: Array(hello.protocolVersions.prefix(16)),
            optionalMethods: description.optionalMethods.prefix(16).map { "\($0)" },
            fields: description.config.prefix(ConfigResolution.maximumFields).map(InspectReport.Field.init),
            needs: description.capabilities.prefix(32).map {
                InspectReport.Need(capability: capabilityName($0.capability), reason: printable($0.reason))
            },
            needsKey: description.needsKey, needsKeyApproved: approved?.needsKey ?? false, targets: targets,
            unused: (approved?.grants ?? GrantSet()).difference(from: asked).yamlLines,
            findings: (loaded?.findings ?? []).filter { $0.plugin == name.text },
            confinementMode: "\(approved?.confinement ?? .strict)",
            pin: pin, next: isDone ? "" : NextCommand.trstctl(["plugin", "pin"] + approval + [name.text]))
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
