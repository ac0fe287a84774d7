import CTrstctlSystem
import Glibc
import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

/// A new file beside the one that it will replace; whoever makes it renames or discards it.
///
/// Where the file system can, it has no name at first, and nothing is left of it when the host dies. Its name is random,
/// nobody can put something else in its place beforehand, and only the host can read it until its owner and mode are set.
/// (A file without a name cannot replace one: linkat(2) refuses an existing name.)
struct TemporaryFile: ~Copyable {
    let descriptor: OwnedDescriptor
    private let name: Bytes
    private let target: AbsolutePath

    /// Makes the file without a name (`O_TMPFILE`, open(2)); `link` gives it one.
    ///
    /// Nil when the file system cannot, or for another reason that making it with a name would tell.
    ///
    /// - Parameters:
    ///   - directory: where.
    ///   - name: what it will be called.
    init?(unnamedIn directory: borrowing GrantedDirectory, toBe name: Bytes) {
        do throws(EffectError) {
            descriptor = try directory.openFile(
                ".", flags: O_WRONLY | O_DIRECTORY | TRSTCTL_O_TMPFILE, mode: 0o600)
        } catch {
            return nil
        }
        target = directory.path
        self.name = name
    }

    /// Gives a file that was made without one its name.
    ///
    /// - Parameter directory: in which it was made. What has the name already is removed, as by the initialiser.
    /// - Returns: whether the file has it now; a file system that knows files without names need not know this.
    borrowing func link(in directory: borrowing GrantedDirectory) -> Bool {
        let (file, place) = (descriptor.raw, directory.descriptor.raw)
        for _ in 0..<8 {
            let error = name.withCString { trstctl_link(file, place, $0) == 0 ? 0 : errno }
            guard error == EEXIST else { return error == 0 }
            directory.discard(name)
        }
        return false
    }

    /// Makes the file, with its name.
    ///
    /// - Parameters:
    ///   - directory: where.
    ///   - name: what `name(for:)` returned. What has this name already, of an attempt that could not clean up or of
    ///     somebody who wants to be in the way, is removed, never opened.
    /// - Throws: when it cannot be made.
    init(in directory: borrowing GrantedDirectory, named name: Bytes) throws(EffectError) {
        var attempt = 0
        target = directory.path
        self.name = name
        while true {
            do throws(EffectError) {
                descriptor = try directory.openFile(name, flags: O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
                return
            } catch {
                attempt += 1
                guard error.code == .exists, attempt < 8 else {
                    throw error.code == .notFound ? .noParent(target) : error
                }
                directory.discard(name)
            }
        }
    }

    /// A name that nobody can guess, for all temporary files of one target file in one deployment: the journal names
    /// it before the first is made, so that a recovery finds what was left.
    static func name(for path: AbsolutePath) throws(EffectError) -> Bytes {
        var random: UInt64 = 0
        guard trstctl_random(&random, MemoryLayout.size(ofValue: random)) == 0 else {
            throw .file("cannot name a temporary file for", path, errno: errno)
        }
        let digits = String(random, radix: 16)
        return Bytes(".trstctl-" + String(repeating: "0", count: 16 - digits.utf8.count) + digits)
    }

    /// Fills the file and gives it its owner and its permission bits.
    ///
    /// - Parameters:
    ///   - content: what it holds.
    ///   - owner: nil leaves it to the host's user.
    ///   - mode: 0 to 0777.
    ///   - observer: for tests.
    /// - Throws: what keeps it from being so.
    borrowing func fill(
        _ content: Bytes, _ owner: Wire.FileOwner?, _ mode: UInt32, _ observer: WriteObserver
    ) throws(EffectError) {
        try observer(.created, descriptor.raw)
        try write(content)
        try observer(.written, descriptor.raw)
        if let owner { try setOwner(owner) }
        try observer(.owned, descriptor.raw)
        // After the owner: a change of owner clears permission bits (chown(2)).
        try setMode(mode)
        try observer(.permitted, descriptor.raw)
    }

    borrowing func write(_ content: Bytes) throws(EffectError) {
        do throws(SystemError) {
            try descriptor.writeAll(content)
        } catch {
            throw .file("cannot write", target, errno: error.errno)
        }
    }

    /// Changes owner and group where they differ from what the new file has.
    borrowing func setOwner(_ owner: Wire.FileOwner) throws(EffectError) {
        var present = stat()
        guard fstat(descriptor.raw, &present) == 0 else { throw .file("cannot look at", target, errno: errno) }
        guard present.st_uid != owner.uid || present.st_gid != owner.gid else { return }
        guard fchown(descriptor.raw, owner.uid, owner.gid) == 0 else {
            guard errno == EPERM else { throw .file("cannot set the owner of", target, errno: errno) }
            throw EffectError(
                .cannotChangeOwner, object: target.description,
                "\(target) has to belong to \(owner.uid):\(owner.gid), and the host runs as user \(geteuid()), "
                    + "which may not give files away",
                fix: "run trstctl as root, or: chown \(geteuid()) \(target)")
        }
    }

    /// Sets the permission bits, 0 to 0777.
    borrowing func setMode(_ mode: UInt32) throws(EffectError) {
        guard fchmod(descriptor.raw, mode & 0o777) == 0 else {
            throw .file("cannot set the mode of", target, errno: errno)
        }
    }

    /// Puts the file in the place of its target, in one step.
    borrowing func rename(in directory: borrowing GrantedDirectory) throws(EffectError) {
        let raw = directory.descriptor.raw
        let leaf = directory.leaf
        let (result, error) = name.withCString { from in leaf.withCString { (renameat(raw, from, raw, $0), errno) } }
        guard result == 0 else { throw .file("cannot replace", target, errno: error) }
    }

    borrowing func discard(in directory: borrowing GrantedDirectory) { directory.discard(name) }
}

extension GrantedDirectory {
    /// Removes a temporary file, if there is one.
    ///
    /// - Returns: whether there is none any more.
    @discardableResult
    borrowing func discard(_ temporary: Bytes) -> Bool {
        let raw = descriptor.raw
        return temporary.withCString { unlinkat(raw, $0, 0) == 0 || errno == ENOENT }
    }
}

extension OwnedDescriptor {
    /// write(2) until everything is written.
    borrowing func writeAll(_ content: Bytes) throws(SystemError) {
        let raw = raw
        try content.withUnsafeBytes { bytes throws(SystemError) in
            var rest = bytes[...]
            while !rest.isEmpty {
                let part = UnsafeRawBufferPointer(rebasing: rest)
                let count = try retryingInterrupts("write") { Glibc.write(raw, part.baseAddress, part.count) }
                rest = rest.dropFirst(count)
            }
        }
    }

    /// Lets the disk begin with what was written, without waiting for it (sync_file_range(2)); a hint, no promise.
    borrowing func beginWriteback(from offset: Int64 = 0) {
        trstctl_begin_writeback(raw, offset)
    }

    /// Waits until everything written is on the disk (fsync(2)).
    borrowing func synchronise(_ path: AbsolutePath) throws(EffectError) {
        let raw = raw
        do throws(SystemError) {
            _ = try retryingInterrupts("fsync") { fsync(raw) }
        } catch {
            throw .file("cannot make durable", path, errno: error.errno)
        }
    }
}
