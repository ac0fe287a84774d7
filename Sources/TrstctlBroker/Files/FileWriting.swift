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

/// The steps of a write after the temporary file exists; tests stop at each of them.
enum WriteStep: Hashable, CaseIterable, Sendable {
    case created
    case written
    case owned
    case permitted
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
    /// Extended attributes and access lists of the old file are not copied. A host that is killed meanwhile leaves a
    /// file `.trstctl-<16 hexadecimal digits>` behind, with mode 0600, which the recovery removes.
    ///
    /// - Parameters:
    ///   - ticket: for writing, or, to undo a removal, for removing.
    ///   - replacement: what the file will be.
    ///   - name: of the temporary file, see `TemporaryFile`.
    ///   - version: the directory in which it lies when its path goes through a layout's link.
    ///   - unsynced: gets the directory; the write survives a power loss once that is synchronised.
    ///   - observer: for tests; an error that it throws stops the write there.
    /// - Returns: the attributes before, nil when there was no file, and after.
    /// - Throws: what kept the file from being written; unless the step was the last one, nothing has changed.
    @discardableResult
    static func write(
        _ ticket: FileTicket, _ replacement: FileReplacement, through name: Bytes,
        in version: SharedDescriptor? = nil, into unsynced: inout UnsyncedDirectories,
        observer: WriteObserver = { _, _ throws(EffectError) in }
    ) throws(EffectError) -> (before: FileAttributes?, after: FileAttributes) {
        let directory = try directory(ticket, version)
        let existing = try directory.replaceable()
        let temporary = try TemporaryFile(in: directory, named: name)
        let after: FileAttributes
        do throws(EffectError) {
            try observer(.created, temporary.descriptor.raw)
            try temporary.write(replacement.content)
            try observer(.written, temporary.descriptor.raw)
            if let owner = replacement.owner ?? existing?.owner { try temporary.setOwner(owner) }
            try observer(.owned, temporary.descriptor.raw)
            // After the owner: a change of owner clears permission bits (chown(2)).
            try temporary.setMode(replacement.mode(replacing: existing))
            try observer(.permitted, temporary.descriptor.raw)
            try temporary.descriptor.synchronise(ticket.path)
            try observer(.synchronised, temporary.descriptor.raw)
            after = try FileAttributes(checking: temporary.descriptor, ticket.path)
            try temporary.rename(in: directory)
        } catch {
            temporary.discard(in: directory)
            throw error
        }
        try observer(.renamed, temporary.descriptor.raw)
        try unsynced.add(directory)
        return (existing, after)
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
        let directory = try directory(ticket, version)
        guard try directory.replaceable() != nil else { throw .file("", ticket.path, errno: ENOENT) }
        let (result, error) = directory.leaf.withCString { (unlinkat(directory.descriptor.raw, $0, 0), errno) }
        guard result == 0 else { throw .file("cannot remove", ticket.path, errno: error) }
        try unsynced.add(directory)
    }

    /// Tells whether a write or removal would reach the file, without doing it.
    ///
    /// - Returns: the attributes of the file as it is, nil when there is none.
    static func rehearse(
        _ ticket: FileTicket, in version: SharedDescriptor? = nil
    ) throws(EffectError) -> FileAttributes? {
        let directory = try directory(ticket, version)
        let existing = try directory.replaceable()
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
    ///   - ticket: for writing.
    ///   - replacement: what the file will be.
    ///   - present: the file as it is; nil when there is none.
    ///   - before: the file as it was before the connector's first change, which may have given it away.
    ///   - version: as in `write`.
    /// - Throws: `foreignOwner`.
    static func checkOwner(
        _ ticket: FileTicket, _ replacement: FileReplacement, over present: FileState?, before: FileState?,
        in version: SharedDescriptor? = nil
    ) throws(EffectError) {
        guard replacement.content.isSecret else { return }
        let uid = replacement.owner?.uid ?? present?.uid ?? geteuid()
        let gid = replacement.owner?.gid ?? present?.gid ?? getegid()
        let users: Set<UInt32> = [before?.uid ?? geteuid(), geteuid()]
        if users.contains(uid), gid == before?.gid || gid == getegid() { return }
        let directory = try directory(ticket, version)
        var status = stat()
        guard fstat(directory.descriptor.raw, &status) == 0 else {
            throw .file("cannot look at the directory of", ticket.path, errno: errno)
        }
        let groups: Set<UInt32> = [before?.gid ?? getegid(), getegid(), status.st_gid]
        guard users.contains(uid), groups.contains(gid) else {
            throw EffectError(
                .foreignOwner, object: ticket.path.description,
                "\(ticket.path) would hold a secret and belong to \(uid):\(gid); it may belong to user "
                    + users.sorted().map { "\($0)" }.joined(separator: " or ") + ", and to group "
                    + groups.sorted().map { "\($0)" }.joined(separator: " or "),
                fix: "the operator says who may have it: create the file with that owner and mode 0600 or 0640 before, "
                    + "or give its directory that group")
        }
    }

    private static func directory(
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
    /// Looks at what is there and refuses what must not be replaced; nil when there is nothing.
    fileprivate borrowing func replaceable() throws(EffectError) -> FileAttributes? {
        guard let existing = try inspect() else { return nil }
        guard existing.mode & 0o7000 == 0 else { throw .privilegedFile(path) }
        return existing
    }
}

extension EffectError {
    static func privilegedFile(_ path: AbsolutePath) -> EffectError {
        EffectError(
            .privileged, object: path.description,
            "\(path) has a set-user-id, set-group-id or sticky bit, and is not touched", fix: "chmod a-st \(path)")
    }
}
