extension Host {
    /// The audit log of a run that changes something: without it there is no such run.
    ///
    /// - Throws: `StateError` when it cannot be written.
    func requiredAudit() throws(StateError) -> AuditLog {
        let state = StateDirectory(options.stateDirectory)
        try state.makeDirectories()
        return try AuditLog(directory: state.path)
    }

    /// The audit log of a run that starts connectors and changes nothing.
    ///
    /// What starts unrecorded could be started unseen, so a full disk or a log that somebody changed stops such a run as
    /// well. Only a user who may not write root's log can look at a plan without it, and every run says so.
    ///
    /// - Returns: nil for that user.
    /// - Throws: `StateError` when it cannot be written for another reason.
    func openAudit() throws(StateError) -> AuditLog? {
        do throws(StateError) {
            return try requiredAudit()
        } catch {
            guard error.isForbidden else { throw error }
            options.log(
                "trstctl", "warning",
                "NO START AND NO REFUSAL OF THIS RUN IS RECORDED, because this user may not write the audit log: \(error)"
            )
            return nil
        }
    }

    /// Records what would not be started, found by a command that starts nothing and therefore goes on without the log.
    func noteRefusals(_ reports: [PluginReport]) {
        guard !reports.isEmpty else { return }
        do throws(StateError) {
            guard let audit = try openAudit() else { return }
            defer { finish(audit) }
            for report in reports {
                var connector = ConnectorReport(name: report.name)
                (connector.path, connector.sha256) = (report.path, report.sha256)
                audit.write(AuditRecord(refusalOf: connector, code: report.code, report.reason, run: audit.run))
            }
        } catch {
            options.log("trstctl", "warning", "THESE REFUSALS ARE NOT RECORDED: \(error)")
        }
    }

    func finish(_ audit: AuditLog?) {
        if let failure = audit?.finish() {
            options.log("trstctl", "warning", "THE AUDIT LOG IS INCOMPLETE: \(failure)")
        }
    }
}
