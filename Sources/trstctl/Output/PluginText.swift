import TrstctlHost
import TrstctlSystem

/// Reports about connectors as text.
enum PluginText {
    static func list(_ reports: [PluginReport]) -> String {
        guard !reports.isEmpty else { return "no connectors found" }
        let hasVersions = reports.contains { !$0.version.isEmpty }
        var table = Table(
            ["NAME"] + (hasVersions ? ["VERSION"] : [])
                + ["PIN", "SIGNATURE", "CONFINEMENT", "LINK", "SHA-256", "DIRECTORY", "PATH"])
        for report in reports {
            let version = report.version.split(separator: "\n").first.map(String.init) ?? ""
            let cells =
                [report.name] + (hasVersions ? [version] : [])
                + [
                    report.pin.rawValue, report.signature, report.confinement, report.link,
                    String(report.sha256.prefix(12)), report.origin, report.path,
                ]
            table.add(cells.map { $0.isEmpty ? "-" : $0 })
        }
        var notes: [String] = []
        for report in reports {
            let name = report.name.isEmpty ? report.path : report.name
            if !report.note.isEmpty { notes.append("\(name): \(report.pin.rawValue), \(report.note)") }
            if !report.reason.isEmpty { notes.append("\(name): \(report.pin.rawValue): \(report.reason)") }
            notes += report.warnings.map { "\(name): \($0)" }
            notes += report.shadowed.map { "\(name): also at \($0), which is not used (shadowed)" }
            if report.pin != .refused { notes += report.rejected.map { "\(name): not used: \($0)" } }
        }
        return ([table.text] + (notes.isEmpty ? [] : [notes.joined(separator: "\n")])).joined(separator: "\n\n")
    }

    static func validated(_ summary: ManifestSummary, _ manifest: String) -> String {
        let counts = [
            (summary.connectors, "connector"), (summary.credentials, "credential"), (summary.targets, "target"),
        ]
        .map { "\($0) \($1)\($0 == 1 ? "" : "s")" }.joined(separator: ", ")
        let refusals = summary.findings.filter(\.isRefusal)
        let warnings = summary.findings.count - refusals.count
        let badPins = refusals.count(where: \.isBadPin)
        let grants = refusals.count - badPins
        let faults = [
            badPins == 0 ? nil : badPins == 1 ? "1 pin that is none" : "\(badPins) pins that are none",
            grants == 0 ? nil : grants == 1 ? "1 dangerous grant" : "\(grants) dangerous grants",
        ].compactMap(\.self).joined(separator: ", ")
        var head = refusals.isEmpty ? "\(manifest) is valid: \(counts)" : "\(manifest) is refused: \(faults)"
        if warnings > 0 { head += "; \(warnings) warning\(warnings == 1 ? "" : "s")" }
        let unpinned = summary.unpinned.map {
            "note: nothing is pinned for \($0): its targets are refused until \(NextCommand.trstctl("plugin", "pin", $0))"
        }
        return ([head] + summary.findings.map(\.text) + unpinned).joined(separator: "\n")
    }

    static func verify(_ reports: [PluginReport]) -> String {
        guard !reports.isEmpty else { return "the manifest has no connectors under plugins:" }
        return reports.map { report in
            guard report.mayRun else { return "\(report.name): \(report.pin.rawValue)\n\(report.reason)" }
            let state = report.pin == .pinned ? "ok" : "\(report.pin.rawValue), \(report.note)"
            let line = "\(report.name): \(state)  \(report.sha256)  \(report.path)"
            return ([line] + report.warnings.map { "  warning: \($0)" }).joined(separator: "\n")
        }.joined(separator: "\n")
    }

    static func inspect(_ report: InspectReport) -> String {
        let connector = report.connector
        var lines = [
            "\(connector.name) \(connector.version): \(report.summary)",
            "  path         \(connector.path)",
            "  sha256       \(connector.sha256)  (\(report.pin.rawValue))",
            "  link         \(connector.link)",
            "  protocol     \(protocolRange(report.protocolVersions))",
            "  optional     \(report.optionalMethods.isEmpty ? "none" : report.optionalMethods.joined(separator: ", "))",
            "  signature    \(connector.signature)",
            "  confinement  \(report.confinementMode): \(connector.confinement.joined(separator: " "))",
        ]
        lines += connector.warnings.map { "  warning      \($0)" }
        lines.append("  needs")
        lines += report.needs.map { "    \($0.capability)  to \($0.reason)" }
        if report.needsKey {
            let mark = report.needsKeyApproved ? "" : "NOT APPROVED  "
            lines.append("    \(mark)needs_key  to receive private keys themselves")
        }
        lines.append("  configuration")
        for field in report.fields {
            var marks = [field.type]
            if field.required { marks.append("required") }
            if field.secret { marks.append("secret") }
            if !field.defaultValue.isEmpty { marks.append("default \(field.defaultValue)") }
            lines.append("    \(field.name)  (\(marks.joined(separator: ", ")))  \(field.help)")
        }
        for target in report.targets {
            lines.append("  target \(target.target)")
            if !target.error.isEmpty { lines.append("    \(target.error)") }
            lines += target.declared.map { "    asks for  \($0)" }
            lines += target.missing.map { "    NOT APPROVED  \($0)" }
        }
        if !report.next.isEmpty { lines.append("  next: \(report.next), if it should run and have all of this") }
        if !report.unused.isEmpty { lines.append("  approved, and asked for by no target") }
        lines += report.unused.map { "    \($0)" }
        lines += report.findings.map(\.text)
        return lines.joined(separator: "\n")
    }

    private static func protocolRange(_ versions: [UInt32]) -> String {
        guard let low = versions.min(), let high = versions.max() else { return "none" }
        return low == high ? "\(low)" : "\(low) to \(high)"
    }

    static func pinned(_ reports: [PinReport], _ manifest: String) -> String {
        reports.map { report in
            let replaced = report.changed ? report.previous.filter { $0 != report.sha256 } : []
            let before = replaced.map { String($0.prefix(12)) }.joined(separator: ", ")
            var lines = [
                report.changed
                    ? "pinned \(report.name) in \(manifest)" : "\(report.name) is pinned already: nothing was written",
                "  path    \(report.path)",
                "  sha256  \(before.isEmpty ? "" : before + " -> ")\(report.sha256)",
            ]
            if !report.addedGrants.isEmpty { lines.append("  grants that are approved now:") }
            lines += report.addedGrants.map { "    + \($0)" }
            if !report.unusedGrants.isEmpty { lines.append("  grants that stand there and are not asked for:") }
            lines += report.unusedGrants.map { "      \($0)" }
            lines += report.warnings.map { "  warning: " + $0.replacing("\n", with: "\n    ") }
            return lines.joined(separator: "\n")
        }.joined(separator: "\n")
    }
}
