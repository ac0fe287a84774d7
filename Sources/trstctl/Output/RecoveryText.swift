import TrstctlHost

/// What became of interrupted deployments, as text.
enum RecoveryText {
    static func text(_ report: RecoverReport) -> String {
        guard !report.recoveries.isEmpty else { return "nothing to recover" }
        return report.recoveries.map(text).joined(separator: "\n\n")
    }

    static func text(_ report: RecoveryReport) -> String {
        let lines = report.detail.split(separator: "\n").map { "  \($0)" }
        return (["recovery of \(report.target): \(report.outcome.rawValue): \(report.summary)"] + lines)
            .joined(separator: "\n")
    }
}
