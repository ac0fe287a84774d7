import TrstctlHost

/// Reports about connectors as text.
enum PluginText {
    static func list(_ reports: [PluginReport]) -> String {
        guard !reports.isEmpty else { return "no connectors found" }
        var table = Table(["NAME", "PIN", "LINK", "SHA-256", "PATH"])
        for report in reports {
            table.add([
                report.name.isEmpty ? "-" : report.name, report.pin.rawValue, report.link.isEmpty ? "-" : report.link,
                report.sha256.isEmpty ? "-" : String(report.sha256.prefix(12)), report.path.isEmpty ? "-" : report.path,
            ])
        }
        var notes: [String] = []
        for report in reports {
            if report.pin == .mismatch || report.pin == .refused || report.pin == .missing {
                notes.append("\(report.name.isEmpty ? report.path : report.name): \(report.reason)")
            }
            notes += report.shadowed.map { "\(report.name): also at \($0), which is not used (shadowed)" }
        }
        return ([table.text] + (notes.isEmpty ? [] : [notes.joined(separator: "\n")])).joined(separator: "\n\n")
    }

    static func verify(_ reports: [PluginReport]) -> String {
        guard !reports.isEmpty else { return "the manifest pins no connectors" }
        return reports.map { report in
            report.pin == .pinned
                ? "\(report.name): ok  \(report.sha256)  \(report.path)"
                : "\(report.name): \(report.pin.rawValue)\n\(report.reason)"
        }.joined(separator: "\n")
    }

    static func inspect(_ report: InspectReport) -> String {
        let connector = report.connector
        var lines = [
            "\(connector.name) \(connector.version): \(report.summary)",
            "  path         \(connector.path)",
            "  sha256       \(connector.sha256)  (\(report.pin.rawValue))",
            "  link         \(connector.link)",
            "  protocol     \(report.protocolVersions.map(String.init).joined(separator: ", "))",
            "  optional     \(report.optionalMethods.isEmpty ? "none" : report.optionalMethods.joined(separator: ", "))",
            "  confinement  \(connector.confinement.joined(separator: " "))",
            "  needs",
        ]
        lines += report.needs.map { "    \($0.capability)  to \($0.reason)" }
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
        return lines.joined(separator: "\n")
    }

    static func pinned(_ reports: [PinReport], _ manifest: String) -> String {
        reports.map { report in
            var lines = [
                report.changed
                    ? "pinned \(report.name) in \(manifest)" : "\(report.name) is pinned already: nothing was written",
                "  path    \(report.path)",
                "  sha256  \(report.previous.isEmpty ? "" : report.previous.map { String($0.prefix(12)) }.joined(separator: ", ") + " -> ")\(report.sha256)",
            ]
            if !report.addedGrants.isEmpty { lines.append("  grants that are approved now:") }
            lines += report.addedGrants.map { "    + \($0)" }
            if !report.unusedGrants.isEmpty { lines.append("  grants that stand there and are not asked for:") }
            lines += report.unusedGrants.map { "      \($0)" }
            lines += report.warnings.map { "  warning: \($0)" }
            return lines.joined(separator: "\n")
        }.joined(separator: "\n")
    }
}
