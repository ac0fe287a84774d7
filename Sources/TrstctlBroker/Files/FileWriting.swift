import CTrstctlSystem
import Glibc
import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

/// What a file will be.
struct FileReplacement: Sendable {
    var content: Bytes
    /// Permission bits, 1 to 0777; nil keeps an existing file's and gives a new one 0600.
    var mode: UInt32?
    /// Nil keeps an existing file's owner and group; a new file belongs to the host's user.
    var owner: Wire.FileOwner?

    /// The permission bits that the file gets.
    func mode(replacing existing: FileAttributes?) -> UInt32 { (mode ?? existing?.mode ?? 0o600) & 0o777 }
}

/// The steps of a write after the temporary file exists, with a name from `named` on where the file system can; tests
/// stop at each of them.
enum WriteStep: Hashable, CaseIterable, Sendable {
    case created
    case written
    case owned
    case permitted
    case named
    case synchronised
    case renamed
}

/// Called after each step with the temporary file's descriptor, which still is the file's after the renaming.
typealias WriteObserver = (WriteStep, Int32) throws(EffectError) -> Void

/// Effects that change files.
///
/// Each takes a ticket and nothing else that names a file.
enum FileWriting {
    /// Replaces or creates a file: a reader sees the old content or the new, never a part, also after a power loss.
    ///
    /// Extended attributes and access lists of the old file are not copied. A host that is killed meanwhile can leave a
    /// file `.trstctl-<16 hexadecimal digits>` behind, with the new file's mode at most, which the recovery removes.
    ///
    /// - Parameters:
    ///   - ticket: for writing, or, to undo a removal, for removing.
    ///   - replacement: what the file will be.
    ///   - name: of the temporary file, see `TemporaryFile`.
    ///   - version: the directory in which it lies when its path goes through a layout's link.
    ///   - unsynced: gets the directory; the write survives a power loss once that is synchronised.
    ///   - durable: returns when what was announced is on the disk; called before anything gets a name, perhaps twice.
    ///     Meanwhile the disk has the new content already.
    ///   - observer: for tests; an error that it throws stops the write there.
    /// - Returns: the attributes before, nil when there was no file, and after.
    /// - Throws: what kept the file from being written; unless the step was the last one, nothing has changed.
    @discardableResult
    static func write(
        _ ticket: FileTicket, _ replacement: FileReplacement, through name: Bytes,
        in version: SharedDescriptor? = nil, into unsynced: inout UnsyncedDirectories,
        once durable: () throws(EffectError) -> Void = { () throws(EffectError) in },
        observer: WriteObserver = { _, _ throws(EffectError) in }
    ) throws(EffectError) -> (before: FileAttributes?, after: FileAttributes) {
        try write(
            in: try directory(ticket, version), replacement, through: name, into: &unsynced, once: durable,
            observer: observer)
    }

    /// The same in a directory that is open already.
    @discardableResult
    static func write(
        in directory: borrowing GrantedDirectory, _ replacement: FileReplacement, through name: Bytes,
        into unsynced: inout UnsyncedDirectories,
        once durable: () throws(EffectError) -> Void = { () throws(EffectError) in },
        observer: WriteObserver = { _, _ throws(EffectError) in }
    ) throws(EffectError) -> (before: FileAttributes?, after: FileAttributes) {
        let existing = try directory.replaceable(try directory.look())
        let fill = { (file: borrowing TemporaryFile) throws(EffectError) in
            try file.fill(
                replacement.content, replacement.owner ?? existing?.owner, replacement.mode(replacing: existing),
                observer)
        }
        let temporary = try temporary(in: directory, named: name, fill, once: durable)
        let after: FileAttributes
        do throws(EffectError) {
            try observer(.named, temporary.descriptor.raw)
            try temporary.descriptor.synchronise(directory.path)
            try observer(.synchronised, temporary.descriptor.raw)
            after = try FileAttributes(checking: temporary.descriptor, directory.path)
            try temporary.rename(in: directory)
        } catch {
            temporary.discard(in: directory)
            throw error
        }
        try observer(.renamed, temporary.descriptor.raw)
        try unsynced.add(directory)
        return (existing, after)
    }

    /// Makes the temporary file, filled, with its name, and not yet durable.
    private static func temporary(
        in directory: borrowing GrantedDirectory, named name: Bytes,
        _ fill: (borrowing TemporaryFile) throws(EffectError) -> Void, once durable: () throws(EffectError) -> Void
    ) throws(EffectError) -> TemporaryFile {
        if let unnamed = TemporaryFile(unnamedIn: directory, toBe: name) {
            try fill(unnamed)
            unnamed.descriptor.beginWriteback()
            try durable()
            if unnamed.link(in: directory) { return unnamed }
        }
        try durable()
        let named = try TemporaryFile(in: directory, named: name)
        do throws(EffectError) {
            try fill(named)
        } catch {
            named.discard(in: directory)
            throw error
        }
        return named
    }

    /// Removes a file.
    ///
    /// - Parameters:
    ///   - ticket: for removing, or, to undo a creation, for writing.
    ///   - version: as in `write`.
    ///   - unsynced: gets the directory; the removal survives a power loss once that is synchronised.
    /// - Throws: `notFound` when there is none.
    static func remove(
        _ ticket: FileTicket, in version: SharedDescriptor? = nil, into unsynced: inout UnsyncedDirectories
    ) throws(EffectError) {
        try remove(in: try directory(ticket, version), into: &unsynced)
    }

    /// The same in a directory that is open already.
    static func remove(
        in directory: borrowing GrantedDirectory, into unsynced: inout UnsyncedDirectories
    ) throws(EffectError) {
        guard try directory.replaceable(try directory.look()) != nil else {
            throw .file("", directory.path, errno: ENOENT)
        }
        let raw = directory.descriptor.raw
        let (result, error) = directory.leaf.withCString { (unlinkat(raw, $0, 0), errno) }
        guard result == 0 else { throw .file("cannot remove", directory.path, errno: error) }
        try unsynced.add(directory)
    }

    /// Tells whether a write or removal would reach the file, without doing it.
    ///
    /// - Returns: the attributes of the file as it is, nil when there is none.
    static func rehearse(
        _ ticket: FileTicket, in version: SharedDescriptor? = nil
    ) throws(EffectError) -> FileAttributes? {
        let directory = try directory(ticket, version)
        let existing = try directory.replaceable(try directory.inspect())
        // A version is replaced as a whole, so its own directory needs not be writable.
        guard version == nil else { return existing }
        guard faccessat(directory.descriptor.raw, ".", W_OK | X_OK, AT_EACCESS) == 0 else {
            throw .file("cannot write in the directory of", ticket.path, errno: errno)
        }
        return existing
    }

    /// Refuses to give content with a secret to somebody who has neither the file nor its directory: a connector names
    /// the owner, and who may read a key is the operator's to say.
    ///
    /// - Parameters:
    ///   - replacement: what the file will be.
    ///   - present: the file as it is; nil when there is none.
    ///   - before: the file as it was before the connector's first change, which may have given it away.
    ///   - directory: the one that holds it.
    /// - Throws: `foreignOwner`.
    static func checkOwner(
        _ replacement: FileReplacement, over present: FileState?, before: FileState?,
        in directory: borrowing GrantedDirectory
    ) throws(EffectError) {
        guard replacement.content.isSecret else { return }
        let uid = replacement.owner?.uid ?? present?.uid ?? geteuid()
        let gid = replacement.owner?.gid ?? present?.gid ?? getegid()
        let users: Set<UInt32> = [before?.uid ?? geteuid(), geteuid()]
        if users.contains(uid), gid == before?.gid || gid == getegid() { return }
        var status = stat()
        guard fstat(directory.descriptor.raw, &status) == 0 else {
            throw .file("cannot look at the directory of", directory.path, errno: errno)
        }
        let groups: Set<UInt32> = [before?.gid ?? getegid(), getegid(), status.st_gid]
        guard users.contains(uid), groups.contains(gid) else {
            throw EffectError(
                .foreignOwner, object: directory.path.description,
                "\(directory.path) would hold a secret and belong to \(uid):\(gid); it may belong to user "
                    + users.sorted().map { "\($0)" }.joined(separator: " or ") + ", and to group "
                    + groups.sorted().map { "\($0)" }.joined(separator: " or "),
                fix: "the operator says who may have it: create the file with that owner and mode 0600 or 0640 before, "
                    + "or give its directory that group")
        }
    }

    /// Opens the directory in which a file may be changed, by a ticket that says so.
    static func directory(
        _ ticket: FileTicket, _ version: SharedDescriptor?
    ) throws(EffectError) -> GrantedDirectory {
        guard ticket.access == .write || ticket.access == .remove else { throw .wrongTicket(ticket) }
        return try GrantedDirectory(ticket, in: version, for: .change)
    }
}

extension FileAttributes {
    fileprivate var owner: Wire.FileOwner { Wire.FileOwner(uid: uid, gid: gid) }
}

extension GrantedDirectory {
    /// What is there, unless it must not be replaced.
    fileprivate borrowing func replaceable(_ existing: FileAttributes?) throws(EffectError) -> FileAttributes? {
        guard let existing, existing.mode & 0o7000 != 0 else { return existing }
        throw .privilegedFile(path)
    }
}

extension EffectError {
    static func privilegedFile(_ path: AbsolutePath) -> EffectError {
        EffectError(
            .privileged, object: path.description,
            "\(path) has a set-user-id, set-group-id or sticky bit, and is not touched", fix: "chmod a-st \(path)")
    }
}
