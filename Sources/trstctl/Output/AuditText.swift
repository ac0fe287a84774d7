import TrstctlHost

/// The audit log as text.
enum AuditText {
    static func text(_ result: AuditResult) -> String {
        var table = Table([
            "TIME", "RUN", "EVENT", "CONNECTOR", "TARGET", "SCOPE", "OPERATION", "OUTCOME", "OBJECT", "NOTE",
        ])
        for record in result.records {
            table.add([
                record.time, String(record.run.prefix(6)), record.event.rawValue, record.connector,
                record.target ?? "-",
                record.scope ?? "-", record.operation ?? "-", record.outcome, record.object ?? "-", note(record),
            ])
        }
        var notes = result.warnings.map { "warning: \($0)" }
        if result.damagedLines > 0 { notes.append("warning: \(result.damagedLines) lines are no audit records") }
        if result.records.contains(where: { note($0).hasSuffix(cut) }) {
            notes.append("note: a text that ends with \(cut) goes on; --json has all of it")
        }
        if let leftOut = leftOut(result) { notes.append(leftOut) }
        let text = result.records.isEmpty ? "nothing is recorded that was asked for" : table.text
        return notes.isEmpty ? text : text + "\n\n" + notes.joined(separator: "\n")
    }

    private static let cut = "…"

    /// Why, on one line: of an approval all of it, because what was approved is what one asks an audit log for.
    private static func note(_ record: AuditRecord) -> String {
        let reason = record.reason ?? record.grant.map { "by \($0)" } ?? ""
        let line = reason.split(separator: "\n").map { $0.drop { $0 == " " } }.joined(separator: "; ")
        let limit = record.event == .approval ? 8_192 : 160
        return line.count > limit ? line.prefix(limit) + cut : line
    }

    /// The connectors with the most lines that are not shown.
    private static func leftOut(_ result: AuditResult) -> String? {
        guard !result.leftOut.isEmpty else { return nil }
        let sum = result.leftOut.values.reduce(0, +)
        let most = result.leftOut.sorted { $0.value == $1.value ? $0.key < $1.key : $0.value > $1.value }
        var parts = most.prefix(10).map { "\($0.value) of \($0.key)" }
        if most.count > 10 { parts.append("and of \(most.count - 10) more") }
        return "note: \(sum) older lines are not shown (\(parts.joined(separator: ", "))); --last N shows more"
    }
}
