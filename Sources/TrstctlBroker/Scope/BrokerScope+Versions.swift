import Glibc
import Synchronization
import TrstctlPolicy

/// Files that become visible together: `layout: versioned`.
extension BrokerScope {
    /// Makes the changed version of the target's directory the visible one, or notes that it would be.
    ///
    /// This has to happen before anything outside looks at the files: a command, a probe, a request, the host's own proof.
    ///
    /// - Throws: then the directory is as it was.
    package func publish() throws(EffectError) {
        guard rights != .readOnly else { return }
        try files.withLock { journal throws(EffectError) in
            guard let layout = journal.versions?.layout, !journal.isClosed, journal.isToBePublished else { return }
            let isFirst = !journal.isPublished
            let present = try journal.versions?.present()
            if rights == .mutating {
                try recorded("Publish", layout.link.description) { _ throws(EffectError) in
                    try journal.versions?.publish(deployment, &journal.unsynced)
                }
            }
            journal.note(published: layout.link, overDirectory: isFirst && present == .directory)
        }
    }

    /// Makes the versioned directory as a whole what it was before.
    func putBackVersions(
        _ entries: [FileJournal.Entry], _ report: inout RevertReport, in journal: inout FileJournal
    ) {
        guard let layout = journal.versions?.layout else { return }
        defer { report.setAside = journal.versions?.setAside ?? [] }
        do throws(EffectError) {
            try journal.versions?.restore(deployment)
        } catch {
            report.failures.append(error)
            report.onDisk.append("\(layout.link): not as it was before")
            if let left = journal.versions?.left { report.onDisk.append(left) }
            return
        }
        for entry in entries {
            if entry.before != entry.after { report.restored.append(entry.ticket.path) }
            journal.forget(entry.ticket.path)
        }
        journal.forgetVersions()
    }

    /// Removes the versions that nobody needs any more.
    func prune(_ report: inout RevertReport, in journal: FileJournal) {
        report.setAside = journal.versions?.setAside ?? []
        do throws(EffectError) {
            try journal.versions?.prune()
        } catch {
            report.leftovers.append(error)
        }
    }

    /// The version in which a file is found; nil for one whose path says where it is.
    func version(of ticket: FileTicket) throws(EffectError) -> SharedDescriptor? {
        do throws(EffectError) {
            return try files.withLock { journal throws(EffectError) in try journal.version(of: ticket.path) }
        } catch {
            throw error.code == .noParent ? .file("", ticket.path, errno: ENOENT) : error
        }
    }

    /// The version in which a file is changed; nil for one that is replaced where its path says.
    func stage(_ entry: FileJournal.Entry, in journal: inout FileJournal) throws(EffectError) -> SharedDescriptor? {
        entry.isVersioned ? try journal.versions?.stage(deployment) : nil
    }

    /// Tells whether a file could be changed.
    func rehearse(_ ticket: FileTicket, in journal: inout FileJournal) throws(EffectError) {
        let version = try journal.version(of: ticket.path)
        _ = try FileWriting.rehearse(ticket, in: version)
        if version != nil { try journal.versions?.rehearse() }
    }
}
