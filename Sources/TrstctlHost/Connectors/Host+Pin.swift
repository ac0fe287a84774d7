import TrstctlLaunch
import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

/// How `plugin pin` treats what is pinned and approved already.
package struct PinMode: Sendable {
    /// Keep the pins that are there, for another build or platform.
    package var isAdding: Bool
    /// Approve what the connector asks for beyond what is approved.
    package var isApproving: Bool

    package init(isAdding: Bool = false, isApproving: Bool = false) {
        self.isAdding = isAdding
        self.isApproving = isApproving
    }
}

extension Host {
    /// Pins connectors: starts each confined and without any grant, asks what the manifest's targets need, and writes its
    /// digest and those grants into the manifest.
    ///
    /// The first pin approves what is asked for. Later ones do not, unless told to: a build that asks for more is refused.
    /// Grants that stand there already are kept, so that an operator's wider approval survives. What is written is the
    /// digest of the sealed bytes that were asked, into the text that was read before: a manifest that is changed
    /// meanwhile stays as it is, and an approval that cannot be recorded is not made.
    ///
    /// - Parameters:
    ///   - names: which connectors.
    ///   - mode: how to treat what is pinned and approved already.
    /// - Returns: what was written, for each.
    /// - Throws: `ConnectorRefusal`, `PinRefusal`, `UsageError`, `ManifestError`, `StateError`; connectors before the
    ///   failing one are written.
    package func pinPlugins(_ names: [String], _ mode: PinMode = PinMode()) async throws -> [PinReport] {
        var reports: [PinReport] = []
        for text in names { reports.append(try await pin(try connectorName(text), mode)) }
        return reports
    }

    private func pin(_ name: ConnectorName, _ mode: PinMode) async throws -> PinReport {
        let file = try ManifestFile.open(options.manifest)
        let loaded = try LoadedManifest(file.contents, of: file, machinePlaces)
        let audit = try requiredAudit()
        defer { finish(audit) }
        let pool = makePool(audit: audit, loaded)
        let (report, asked, warnings) = try await EventLoop.run {
            do {
                let connector = try await pool.connector(name, isAsking: true)
                let (asked, warnings) = await Host.declarations(connector, name, loaded)
                await pool.stopAll()
                return (connector.report, asked, connector.report.warnings + warnings)
            } catch {
                await pool.stopAll()
                throw error
            }
        }
        do {
            guard let digest = SHA256Digest(hex: report.sha256) else { throw UsageError("no digest of \(name.text)") }
            let pinning = Pinning(
                name: name, digest: digest, declared: asked.grants, needsKey: asked.needsKey, unkept: asked.unkept,
                mode: mode)
            return try write(pinning, report, warnings, loaded.manifest.plugin(name), file, audit)
        } catch {
            audit.write(AuditRecord(refusalOf: report, code: ReasonCode(error).description, "\(error)", run: audit.run))
            throw error
        }
    }

    /// What a connector asks for, for all targets of the manifest that name it.
    private struct Asked: Sendable {
        var grants = GrantSet()
        var needsKey = false
        var unkept: [String] = []
    }

    private static func declarations(
        _ connector: RunningConnector, _ name: ConnectorName, _ loaded: LoadedManifest
    ) async -> (Asked, [String]) {
        let description = connector.session.hello.description
        var asked = Asked(needsKey: description?.needsKey ?? false)
        var warnings: [String] = []
        let targets = loaded.manifest.targets.filter { $0.connector == name }
        if targets.isEmpty { warnings.append("no target names this connector yet, so no grants were written") }
        for target in targets {
            asked.unkept += ConfigResolution.unkept(target, schema: description?.config ?? []).map {
                "\(target.name.text).\(printable($0))"
            }
            do {
                asked.grants = asked.grants.joined(
                    try await ConnectorDeclaration.declare(
                        target, connector, directory: loaded.directory, timeouts: CallTimeouts()
                    ).grants)
            } catch {
                warnings.append("target \(target.name.text): \(error)")
            }
        }
        asked.grants = asked.grants.normalised
        return (asked, warnings)
    }

    /// Writes what was found into the manifest, if the operator's approval covers it and can be recorded.
    func write(
        _ pinning: Pinning, _ report: ConnectorReport, _ warnings: [String], _ before: Plugin?,
        _ file: borrowing ManifestFile, _ audit: AuditLog
    ) throws -> PinReport {
        let change = try pinning.change(before)
        let edit = try ManifestEditor.pin(
            change, in: file.contents, directory: file.directory, file: file.name)
        let changed = edit.text != file.contents
        let loaded = try LoadedManifest(edit.text, of: file, machinePlaces)
        do throws(ManifestError) {
            try loaded.checkFindings(of: pinning.name)
        } catch {
            // The place is one of the new text, which nobody has seen.
            throw ManifestError(
                .dangerousGrant, file: file.name,
                "nothing was written, because with these grants the connector would be refused: \(error.message)",
                nextStep: error.nextStep)
        }
        let added =
            pinning.added(to: before).rules.lines.map(\.description)
            + (pinning.asksForNewKey(before) ? ["needs_key: true"] : [])
        if changed {
            var record = AuditRecord(.approval, run: audit.run, connector: pinning.name.text, outcome: "approved")
            record.digest = pinning.digest.hex
            record.object = report.path
            record.reason = added.isEmpty ? nil : added.map { "+ \($0)" }.joined(separator: "\n")
            guard audit.write(record) else { throw audit.cannotRecord("nothing was written") }
            try file.replace(with: edit.text)
        }
        let approved = before?.grants ?? GrantSet()
        let findings = loaded.findings.filter { $0.plugin == pinning.name.text }
        return PinReport(
            name: pinning.name.text, path: report.path, sha256: pinning.digest.hex,
            previous: before?.pins.map(\.hex) ?? [], addedGrants: added,
            unusedGrants: approved.difference(from: pinning.declared).lines.map(\.description),
            warnings: warnings + (before?.invalidPins ?? []).map { "replaced, because it was no pin: \($0.cause)" }
                + edit.droppedComments.map { "a comment was replaced: \($0)" } + findings.map(\.text),
            changed: changed)
    }
}

/// What one `plugin pin` found, and what follows from it.
struct Pinning {
    let name: ConnectorName
    let digest: SHA256Digest
    let declared: GrantSet
    /// Whether it asks for private keys themselves.
    var needsKey = false
    /// The fields that targets give by reference and that this build does not keep as secrets, as `target.field`.
    var unkept: [String] = []
    let mode: PinMode

    /// What the connector asks for beyond what is approved, on the terms on which its programs are.
    func added(to before: Plugin?) -> (rules: GrantSet, undecided: GrantSet) {
        let approved = before?.grants ?? GrantSet()
        return declared.difference(from: approved).onTerms(of: approved)
    }

    /// Whether it asks for private keys, and that is not approved yet.
    func asksForNewKey(_ before: Plugin?) -> Bool { needsKey && !(before?.needsKey ?? false) }

    /// The change to the manifest.
    ///
    /// Private keys are never approved in passing, not even by the first pin.
    ///
    /// - Throws: `PinRefusal` when the connector asks for more than is approved, or does not keep a field as a secret that
    ///   is given by reference, and nothing says to approve it; or when the terms of what is approved do not tell on
    ///   which terms to.
    func change(_ before: Plugin?) throws(PinRefusal) -> PinChange {
        let (added, undecided) = added(to: before)
        let isFirst = before?.isBlank ?? true
        let asksForKey = asksForNewKey(before)
        let isCovered = !asksForKey && (isFirst || (added.isEmpty && unkept.isEmpty))
        guard undecided.isEmpty, mode.isApproving || isCovered else {
            throw PinRefusal(
                connector: name, digest: digest, pinned: before?.pins ?? [], difference: added.lines,
                undecided: undecided.lines, asksForKey: asksForKey, unkept: unkept)
        }
        let grants = (before?.grants ?? GrantSet()).joined(added)
        var change = PinChange(
            connector: name, digest: digest, grants: added.isEmpty && before != nil ? nil : grants,
            isAdding: mode.isAdding)
        change.givesKey = asksForKey
        return change
    }
}
