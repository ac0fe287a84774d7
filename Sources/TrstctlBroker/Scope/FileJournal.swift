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
        /// The name of the temporary file that every write of the file goes through.
        let temporary: Bytes
        /// Whether the durable journal has what was before.
        var isJournaled = false
    }

    private enum Event: Sendable {
        case file(AbsolutePath)
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
    var unsynced = UnsyncedDirectories()

    init(limits: ScopeLimits) {
        self.limits = limits
    }

    /// True once nothing may be added any more.
    var isClosed: Bool { settled != nil }

    /// True when there is nothing to put back.
    var isEmpty: Bool { entries.isEmpty }

    /// True when a mutation is on record.
    var isChanged: Bool { !events.isEmpty }

    /// The file's entry; nil when the scope did not touch it.
    subscript(path: AbsolutePath) -> Entry? { entries[path] }

    /// Keeps what is there before the first mutation of a file.
    ///
    /// - Throws: `limit` or `tooLarge` when it could not be put back; then it must not be changed.
    mutating func keep(_ ticket: FileTicket) throws(EffectError) -> Entry {
        if let entry = entries[ticket.path] { return entry }
        let object = ticket.path.description
        guard keptFiles < limits.files else {
            throw EffectError(
                .limit, object: object,
                "a deployment changes at most \(limits.files) files, counting anew those that it put back")
        }
        let before: FileState?
        do throws(EffectError) {
            before = try FileState.present(ticket, limit: limits.restorableFile)
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
            ticket: ticket, before: before, after: before, temporary: try TemporaryFile.name(for: ticket.path))
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

    /// Notes what a file is now.
    mutating func note(_ path: AbsolutePath, _ state: FileState?) {
        entries[path]?.after = state
    }

    /// Notes that a command was run, or would be.
    mutating func note(command: String) {
        if !isClosed { events.append(.run(Wire.Change(kind: .run, object: command))) }
    }

    /// Notes that a request was sent, or would be.
    mutating func note(call: String) {
        if !isClosed { events.append(.run(Wire.Change(kind: .call, object: call))) }
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
                case .run(let change): return change
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
