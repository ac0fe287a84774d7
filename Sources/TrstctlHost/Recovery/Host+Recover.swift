import TrstctlPolicy
import TrstctlSystem

extension Host {
    /// Undoes what earlier runs left half done, and nothing else.
    ///
    /// - Parameter abandoned: targets whose interrupted deployment stays as it is.
    /// - Returns: what became of each deployment.
    /// - Throws: `StateError` when an apply is running or a journal cannot be read, `UsageError` for a target that has
    ///   no interrupted deployment.
    package func recover(abandoning abandoned: [String] = []) async throws -> RecoverReport {
        let state = StateDirectory(options.stateDirectory)
        let lock = try state.lockForApply()
        defer { withExtendedLifetime(lock) {} }
        let known = Set(try Recovery.interrupted(state))
        for name in abandoned where !known.contains(name) {
            throw UsageError(
                "there is no interrupted deployment to \"\(printable(name))\"; there are: "
                    + (known.isEmpty ? "none" : known.sorted().joined(separator: ", "))
                    + (known.isEmpty
                        ? "\n  next: leave --abandon away: there is nothing to recover"
                        : "\n  next: name one of these, or undo what can be undone first: \(NextCommand.trstctl("recover"))")
            )
        }
        let audit = try requiredAudit()
        defer { finish(audit) }
        var recovery = recovery(state, audit)
        // They are the result; nobody has to hear them twice.
        recovery.announce = { _ in }
        return RecoverReport(try await recovery.run(abandoning: Set(abandoned)))
    }

    /// What a plan says has to be recovered, and warns of.
    ///
    /// A user who may not look into root's state can look at a plan all the same, as without the audit log.
    func dueRecoveries() throws(StateError) -> [RecoveryReport] {
        do throws(StateError) {
            let due = try Recovery.due(StateDirectory(options.stateDirectory))
            for report in due { options.log("trstctl", "warning", report.summary) }
            return due
        } catch {
            guard error.isForbidden else { throw error }
            options.log(
                "trstctl", "warning",
                "WHETHER A DEPLOYMENT HAS TO BE RECOVERED IS NOT KNOWN, because this user may not look at the journals: "
                    + "\(error)")
            return []
        }
    }

    func recovery(_ state: StateDirectory, _ audit: AuditLog?) -> Recovery {
        let log = { @Sendable [log = options.log] (text: String) in log("trstctl", "recovery", text) }
        return Recovery(state: state, audit: audit, log: log, announce: log)
    }
}
