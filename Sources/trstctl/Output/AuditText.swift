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
                record.scope ?? "-", record.operation ?? "-", record.outcome, record.object ?? "-",
                String((record.reason ?? record.grant.map { "by \($0)" } ?? "").prefix(120)).split(separator: "\n")
                    .first
                    .map(String.init) ?? "",
            ])
        }
        return result.damagedLines == 0
            ? table.text : table.text + "\n\nwarning: \(result.damagedLines) lines are no audit records"
    }
}
