import TrstctlSystem

/// What became of a deployment that an earlier run left half done.
package struct RecoveryReport: Codable, Hashable, Sendable {
    /// The outcome in one word; stable, for scripts.
    package enum Outcome: String, Codable, Sendable {
        /// A plan found it: nothing was done about it.
        case due = "recovery-due"
        /// Everything is as it was before.
        case rolledBack = "rolled-back"
        /// Everything is as it was before, but files that somebody else changed meanwhile: they were not touched, or, in
        /// a version, set aside.
        case changedMeanwhile = "changed-meanwhile"
        /// Something is not as it was before: see `detail`; the next start tries again.
        case failed = "rollback-failed"
        /// The operator said that it stays as it is.
        case abandoned
    }

    /// The run that was interrupted: its journal's name.
    package var run: String
    package var target: String
    package var connector: String
    package var outcome: Outcome
    /// The files that were put back.
    package var restored: [String]
    /// The files that somebody else changed meanwhile, and what they are now.
    package var foreign: [String]
    /// The files that somebody else changed meanwhile in a version that is not visible any more, and where they are now.
    package var setAside: [String]
    /// Whether the host itself saw a fingerprint of before served.
    package var isProven: Bool
    /// Evidence and the next step, several lines.
    package var detail: String

    init(run: String, target: String, connector: String, _ outcome: Outcome) {
        self.run = run
        self.target = target
        self.connector = connector
        self.outcome = outcome
        restored = []
        foreign = []
        setAside = []
        isProven = false
        detail = ""
    }

    /// One sentence.
    package var summary: String {
        switch outcome {
        case .due:
            "the deployment to \(target) was left half done and has to be recovered: \(NextCommand.trstctl("recover"))"
        case .rolledBack:
            restored.isEmpty
                ? "the deployment to \(target) was left half done; its files were as before"
                : "the deployment to \(target) was left half done; "
                    + (restored.count == 1 ? "1 file was put back" : "\(restored.count) files were put back")
        case .changedMeanwhile:
            "the deployment to \(target) was left half done; "
                + [
                    foreign.isEmpty
                        ? nil
                        : "\(foreign.count) of its files \(foreign.count == 1 ? "was" : "were") changed by somebody since, and "
                            + "\(foreign.count == 1 ? "stays" : "stay"): apply again",
                    setAside.isEmpty
                        ? nil
                        : (setAside.count == 1
                            ? "1 file that somebody changed since was set aside: copy it back before the next apply"
                            : "\(setAside.count) files that somebody changed since were set aside: copy them back before "
                                + "the next apply"),
                ].compactMap(\.self).joined(separator: "; ")
        case .failed:
            "ROLLBACK FAILED: the deployment to \(target) was left half done and could not be undone; "
                + "the next start tries again"
        case .abandoned: "the deployment to \(target) stays as it is"
        }
    }
}

/// The result of `recover`.
package struct RecoverReport: Codable, Sendable {
    package var command = "recover"
    package var recoveries: [RecoveryReport]

    package init(_ recoveries: [RecoveryReport]) { self.recoveries = recoveries }

    /// 0 when everything is as it was before, or there was nothing to do; otherwise 1.
    package var exitCode: Int32 {
        recoveries.contains { $0.outcome == .failed || $0.outcome == .changedMeanwhile } ? 1 : 0
    }
}
