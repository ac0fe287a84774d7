import CTrstctlSystem
import Glibc
import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

/// A new file beside the one that it will replace; whoever makes it renames or discards it.
///
/// It has a random name and is opened exclusively, so nobody can put something else in its place beforehand, and only
/// the host can read it until its owner and mode are set. (`O_TMPFILE` cannot replace: linkat(2) refuses an existing
/// name.)
struct TemporaryFile: ~Copyable {
    let descriptor: OwnedDescriptor
    private let name: Bytes
    private let target: AbsolutePath

    /// Makes the file.
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

    borrowing func write(_ content: Bytes) throws(EffectError) {
        do throws(SystemError) {
            try descriptor.writeAll(content)
        } catch {
            throw .file("cannot write", target, errno: error.errno)
        }
    }

    /// Changes owner and group where they differ from what the new file has.
    borrowing func setOwner(_ owner: Wire.FileOwner) throws(EffectError) {
        let present = try FileAttributes(checking: descriptor, target)
        guard present.uid != owner.uid || present.gid != owner.gid else { return }
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
