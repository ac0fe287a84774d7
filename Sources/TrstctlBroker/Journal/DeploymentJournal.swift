import Glibc
import Synchronization
import TrstctlCrypto
import TrstctlPolicy
import TrstctlSystem

/// One deployment's records: what is durable here before a file changes can be undone after a power loss.
package final class DeploymentJournal: Sendable {
    private struct State {
        var file: JournalFile?
        var isOver = false
    }

    private let run: RunJournal
    private let header: DeploymentHeader
    private let id: UInt32
    private let state = Mutex(State())

    /// Bytes that are kept free for the record of the end.
    private static let endBytes = Int64(JournalFormat.frameBytes + 16)

    /// Nothing is written before the first change.
    package init(_ run: RunJournal, _ header: DeploymentHeader) {
        self.run = run
        self.header = header
        id = run.register()
    }

    /// Makes changed directories durable together with the run's other deployments.
    var directories: SharedSynchronisation { run.directories }

    /// Whether there is something on record.
    package var hasBegun: Bool { state.withLock { $0.file != nil } }

    /// A record on its way to the disk.
    struct Announcement: Sendable {
        fileprivate let file: JournalFile
        fileprivate let records: Range<Int64>
        fileprivate let path: AbsolutePath
    }

    /// Notes what a file was and will be; it may change once that is durable, see `settle`.
    ///
    /// - Parameters:
    ///   - change: of one file.
    ///   - directory: the one that holds it.
    /// - Returns: what to settle.
    /// - Throws: also when another deployment of this run changes the same file.
    func announce(
        _ change: FileChange, in directory: borrowing GrantedDirectory
    ) throws(EffectError) -> Announcement {
        let path = change.ticket.path
        try claim(directory.leaf, in: directory.descriptor.raw, path)
        do throws(SystemError) {
            let (file, records) = try append(JournalRecord.change(id, change))
            file.beginWriteback(records)
            return Announcement(file: file, records: records, path: path)
        } catch {
            throw notChanged(path, error)
        }
    }

    /// Returns when what was announced is durable.
    func settle(_ announced: Announcement) throws(EffectError) {
        do throws(SystemError) {
            try announced.file.synchronise(upTo: announced.records.upperBound)
        } catch {
            throw notChanged(announced.path, error)
        }
    }

    private func notChanged(_ path: AbsolutePath, _ error: SystemError) -> EffectError {
        notJournaled(path, "what \(path) was cannot be journaled, so it is not changed", error)
    }

    private func notJournaled(_ path: AbsolutePath, _ consequence: String, _ error: SystemError) -> EffectError {
        EffectError(
            error.isWantOfSpace ? .noSpace : .system, object: path.description, "\(consequence): \(error)",
            fix: error.isWantOfSpace ? "free space: df -h \(run.path)" : "")
    }

    /// Makes durable that a version of a directory is made; it may be made when this has returned.
    ///
    /// - Parameters:
    ///   - version: which, and what it was made from.
    ///   - opened: its layout.
    ///   - source: the directory whose files it begins with.
    /// - Throws: also when another deployment of this run changes files there.
    func willStage(
        _ version: StagedVersion, _ opened: OpenedLayout, _ source: SharedDescriptor
    ) throws(EffectError) {
        let layout = version.layout
        let link = layout.link
        try claim(layout.leaf, in: opened.parent.raw, link)
        try claim(RunJournal.everything, in: source.raw, link)
        do throws(SystemError) {
            let (file, records) = try append(JournalRecord.stage(id, version))
            try file.synchronise(upTo: records.upperBound)
        } catch {
            throw notJournaled(link, "a version of \(link) cannot be journaled, so it is not made", error)
        }
    }

    /// Takes a version for this deployment, so that no other one changes files in it by another path.
    func claim(_ version: SharedDescriptor, of layout: VersionedLayout) throws(EffectError) {
        try claim(RunJournal.everything, in: version.raw, layout.link)
    }

    /// Lets go of versions that are about to be removed: what the file system makes next can have their numbers, and be
    /// another deployment's.
    func release(_ versions: Set<DirectoryIdentity>) { run.release(versions, of: id) }

    /// Notes what a file of a version will be, which becomes durable with `settle`.
    func willChangeVersion(_ change: FileChange) throws(EffectError) {
        do throws(SystemError) {
            _ = try append(JournalRecord.change(id, change))
        } catch {
            let path = change.ticket.path
            throw notJournaled(path, "what \(path) will be cannot be journaled, so it is not changed", error)
        }
    }

    /// Makes everything that was noted durable.
    func settle() throws(EffectError) {
        do throws(SystemError) {
            try state.withLock { $0.file }?.synchronise()
        } catch {
            throw EffectError(.system, object: run.path, "the journal cannot be made durable: \(error)")
        }
    }

    /// Notes that a command is run, or that something is sent, which may make the target use its files.
    ///
    /// Not made durable: after a power loss nothing uses the files of before.
    func willRun() {
        state.withLock { state in
            guard let file = state.file else { return }
            _ = try? file.append(JournalRecord.run(id))
        }
    }

    /// Notes how the deployment ended; does nothing when it changed nothing.
    ///
    /// It becomes durable with whatever is journaled next, or with the end of the run: nobody hears of it before that.
    ///
    /// - Throws: then nothing is known about the end, and another one can be said.
    package func end(_ end: DeploymentEnd) throws(EffectError) {
        do throws(SystemError) {
            try state.withLock { state throws(SystemError) in
                guard let file = state.file, !state.isOver else { return }
                _ = try file.append(JournalRecord.end(id, end), releasing: DeploymentJournal.endBytes)
            }
        } catch {
            throw EffectError(
                error.isWantOfSpace ? .noSpace : .system, object: run.path,
                "the end of the deployment to \(header.target) cannot be journaled: \(error)")
        }
        release()
    }

    /// Lets go of the journal without a record, because everything is as it was, durably, whatever the journal says.
    package func release() {
        state.withLock { $0.isOver = true }
        run.close(id)
    }

    /// Appends a record; with the first one, the deployment itself is put on record.
    private func append(_ record: Bytes) throws(SystemError) -> (JournalFile, Range<Int64>) {
        try state.withLock { state throws(SystemError) in
            if let file = state.file { return (file, try file.append(record)) }
            let file = try run.file(for: id)
            let begin = JournalRecord.begin(id, header)
            let records = try file.append(begin, record, reserving: DeploymentJournal.endBytes)
            state.file = file
            return (file, records)
        }
    }

    /// Two deployments must not change one file: neither could be undone alone.
    private func claim(_ name: Bytes, in directory: Int32, _ path: AbsolutePath) throws(EffectError) {
        let place = try DirectoryIdentity(directory, path)
        guard let owner = run.claim(name, in: place, for: id, target: header.target) else { return }
        throw EffectError(
            .exists, object: path.description,
            "\(path) is being changed by the deployment to \(owner), so that to \(header.target) may not",
            fix: "give the targets \(owner) and \(header.target) different files")
    }
}

extension SystemError {
    /// Whether a disk or a quota is full.
    var isWantOfSpace: Bool { errno == ENOSPC || errno == EDQUOT }
}
