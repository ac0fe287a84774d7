import TrstctlHost

/// A run's report as text.
struct RunText {
    let report: RunReport

    var text: String {
        var parts = report.recoveries.map { RecoveryText.text($0) }
        var table = Table(["TARGET", "CONNECTOR", "OUTCOME", "LIVE", "WANTED", "NOTE"])
        for target in report.targets {
            table.add([
                target.target, target.connector, target.outcome.rawValue, short(target.liveFingerprint),
                short(target.fingerprint), note(target),
            ])
        }
        parts.append(table.text)
        for target in report.targets {
            if let detail = detail(target) { parts.append(detail) }
        }
        let warnings = report.connectors.flatMap(\.warnings)
        if !warnings.isEmpty { parts.append(warnings.map { "warning: \($0)" }.joined(separator: "\n")) }
        parts.append(summary)
        return parts.joined(separator: "\n\n")
    }

    private func short(_ fingerprint: String) -> String {
        fingerprint.isEmpty ? "-" : String(fingerprint.prefix(12))
    }

    private func note(_ target: TargetReport) -> String {
        var note = target.summary
        if target.isProven { note = "served fingerprint verified" + (note.isEmpty ? "" : "; \(note)") }
        if let stage = target.stage { note = "\(stage.rawValue): \(note)" }
        if target.rollback == .rolledBack { note = "rolled back; \(note)" }
        if target.rollback == .failed { note = "ROLLBACK FAILED; \(note)" }
        return note
    }

    private func detail(_ target: TargetReport) -> String? {
        var lines: [String] = []
        for change in target.changes where target.outcome == .differs || target.outcome == .deployed {
            let sign = ["create": "+", "replace": "~", "remove": "-", "run": ">", "call": ">"][change.kind] ?? "*"
            var line = "  \(sign) \(change.kind) \(change.object)"
            if !change.before.isEmpty || !change.after.isEmpty {
                line += "  \(change.before.isEmpty ? "nothing" : change.before)"
                if !change.after.isEmpty { line += " -> \(change.after)" }
            }
            lines.append(line)
        }
        lines += target.warnings.map { "  warning: \($0)" }
        if !target.detail.isEmpty {
            lines += target.detail.split(separator: "\n", omittingEmptySubsequences: false).map { "  \($0)" }
        }
        return lines.isEmpty ? nil : "\(target.target):\n" + lines.joined(separator: "\n")
    }

    private var summary: String {
        var counts: [(String, Int)] = []
        for target in report.targets {
            if let index = counts.firstIndex(where: { $0.0 == target.outcome.rawValue }) {
                counts[index].1 += 1
            } else {
                counts.append((target.outcome.rawValue, 1))
            }
        }
        let count = report.targets.count
        return "\(count) target\(count == 1 ? "" : "s"): "
            + (counts.isEmpty ? "nothing to do" : counts.map { "\($0.1) \($0.0)" }.joined(separator: ", "))
    }
}
