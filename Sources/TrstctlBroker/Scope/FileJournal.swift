import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

/// The files that a scope changed, or recorded as changed: each as it was before and as it is now.
struct FileJournal: Sendable {
    /// One file.
    struct Entry: Sendable {
        let ticket: FileTicket
        let before: FileState?
        var after: FileState?
        /// What the writes since `after` were to put there: any of it may lie there although they failed.
        var intended: [Bytes] = []
        /// The name of the temporary file that every write of the file goes through.
        let temporary: Bytes
        /// Whether it lies in a version of a directory.
        let isVersioned: Bool
        /// Whether the durable journal has what was before.
        var isJournaled = false
    }

    private enum Event: Sendable {
        case file(AbsolutePath)
        case publish(Wire.Change)
        case run(Wire.Change)
    }

    private let limits: ScopeLimits
    private var entries: [AbsolutePath: Entry] = [:]
    private var events: [Event] = []
    /// What was kept since the scope began, also of files that were put back: each keeping takes room on the disk.
    private var keptBytes = 0
    private var keptFiles = 0
    private var settled: [Wire.Change]?
    /// The directories whose changes are not durable yet.
    var unsynced: UnsyncedDirectories
    /// The versions of the target's directory; nil when its files are replaced one by one.
    var versions: VersionedFiles?
    /// What the connector's own reverts left or overwrote, for the report at the end; what they set aside `versions` knows.
    var reverted = RevertReport()
    /// Whether a file of the versioned directory was written since the last time that a version became visible.
    private var isPending = false

    init(limits: ScopeLimits, layout: VersionedLayout?, directories: SharedSynchronisation?) {
        self.limits = limits
        unsynced = UnsyncedDirectories(directories ?? SharedSynchronisation())
        versions = layout.map { VersionedFiles($0, limits: limits) }
    }

    /// The directory in which a file lies; nil for one whose path says it.
    mutating func version(of path: AbsolutePath) throws(EffectError) -> SharedDescriptor? {
        guard let layout = versions?.layout, try layout.holds(path) else { return nil }
        return try versions?.current()
    }

    private var hasVersionedChanges: Bool {
        entries.values.contains { $0.isVersioned && $0.before != $0.after }
    }

    /// True once nothing may be added any more.
    var isClosed: Bool { settled != nil }

    /// True when there is nothing to put back.
    var isEmpty: Bool { entries.isEmpty }

    /// True when a command was run, or a request sent.
    var hasRun: Bool { events.contains { if case .run = $0 { true } else { false } } }

    /// True when a mutation is on record.
    var isChanged: Bool { !events.isEmpty }

    /// The file's entry; nil when the scope did not touch it.
    subscript(path: AbsolutePath) -> Entry? { entries[path] }

    /// Keeps what is there before the first mutation of a file.
    ///
    /// - Parameters:
    ///   - ticket: which file.
    ///   - directory: the one that holds it: where its path leads, or `version(of:)`.
    /// - Returns: what was kept, now or earlier.
    /// - Throws: `limit` or `tooLarge` when it could not be put back; then it must not be changed.
    mutating func keep(
        _ ticket: FileTicket, in directory: borrowing GrantedDirectory
    ) throws(EffectError) -> Entry {
        if let entry = entries[ticket.path] { return entry }
        let object = ticket.path.description
        guard keptFiles < limits.files else {
            throw EffectError(
                .limit, object: object,
                "a deployment changes at most \(limits.files) files, counting anew those that it put back")
        }
        let before: FileState?
        do throws(EffectError) {
            before = try FileState.present(in: directory, limit: limits.restorableFile)
        } catch {
            guard error.code == .tooLarge else { throw error }
            throw EffectError(
                .tooLarge, object: object, "\(error.message), so it could not be put back, and is not changed")
        }
        let size = before?.content.count ?? 0
        guard size <= limits.restorable - keptBytes else {
            throw EffectError(
                .limit, object: object,
                "the files changed so far and \(object) hold more than \(limits.restorable) bytes")
        }
        let entry = Entry(
            ticket: ticket, before: before, after: before, temporary: try TemporaryFile.name(for: ticket.path),
            isVersioned: try versions?.layout.holds(ticket.path) ?? false)
        entries[ticket.path] = entry
        events.append(.file(ticket.path))
        keptBytes += size
        keptFiles += 1
        return entry
    }

    /// Notes that the durable journal has what a file was before.
    mutating func noteJournaled(_ path: AbsolutePath) {
        entries[path]?.isJournaled = true
    }

    /// Notes what a write is about to put there.
    mutating func note(intended content: Bytes, for path: AbsolutePath) { entries[path]?.intended.append(content) }

    /// Notes what a file is now.
    mutating func note(_ path: AbsolutePath, _ state: FileState?) {
        entries[path]?.after = state
        entries[path]?.intended = []
        if entries[path]?.isVersioned == true { isPending = true }
    }

    /// Notes that a command was run, or would be.
    mutating func note(command: String) {
        if !isClosed { events.append(.run(Wire.Change(kind: .run, object: command))) }
    }

    /// Notes that a request was sent, or would be.
    mutating func note(call: String) {
        if !isClosed { events.append(.run(Wire.Change(kind: .call, object: call))) }
    }

    /// Whether the versioned directory has changes that are to become visible.
    ///
    /// Writing what is there already makes none.
    var isToBePublished: Bool { isPending && (hasVersionedChanges || isPublished) }

    /// Whether a version became visible, or would have.
    var isPublished: Bool {
        events.contains { event in
            if case .publish = event { return true }
            return false
        }
    }

    /// Notes that a version became visible, or would; whether it took the place of a directory.
    mutating func note(published link: AbsolutePath, overDirectory: Bool) {
        isPending = false
        let before = overDirectory ? "directory" : "link to a version"
        events.append(
            .publish(
                Wire.Change(
                    kind: .replace, object: link.description, before: before, after: "link to a new version")))
    }

    /// Notes that a file of the versioned directory was put back alone, which makes another version.
    mutating func noteRevertedInVersion() { isPending = true }

    /// Forgets the versions, because everything in them is as it was.
    mutating func forgetVersions() {
        isPending = false
        events.removeAll { event in
            if case .publish = event { return true }
            return false
        }
    }

    /// The entries of these files, or of all, the latest first.
    func newestFirst(_ paths: Set<AbsolutePath>?) -> [Entry] {
        events.reversed().compactMap { event in
            guard case .file(let path) = event, paths?.contains(path) ?? true else { return nil }
            return entries[path]
        }
    }

    /// Forgets a file that never was.
    mutating func forgetAbsent(_ path: AbsolutePath) {
        if entries[path] != nil { keptFiles -= 1 }
        forget(path)
    }

    /// Forgets a file that is as it was before.
    mutating func forget(_ path: AbsolutePath) {
        guard entries.removeValue(forKey: path) != nil else { return }
        events.removeAll { event in
            if case .file(path) = event { return true }
            return false
        }
    }

    /// What was changed, in the order of the first mutation of each object.
    var changes: [Wire.Change] {
        settled
            ?? events.compactMap { event in
                switch event {
                case .run(let change), .publish(let change): return change
                case .file(let path):
                    guard let entry = entries[path] else { return nil }
                    return FileState.change(of: path, from: entry.before, to: entry.after)
                }
            }
    }

    /// Ends the journal: the changes stay, the contents go.
    mutating func close() {
        settled = changes
        entries = [:]
        keptBytes = 0
    }
}
