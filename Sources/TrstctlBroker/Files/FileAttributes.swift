import CTrstctlSystem
import Glibc
import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

/// What stat(2) says about a regular file.
struct FileAttributes: Hashable, Sendable {
    /// Permission bits, 0 to 07777.
    var mode: UInt32
    var uid: UInt32
    var gid: UInt32
    var size: UInt64
    /// Seconds since the Unix epoch.
    var modified: Int64

    var info: Wire.FileInfo {
        Wire.FileInfo(mode: mode, uid: uid, gid: gid, size: size, modified: modified)
    }

    /// Reads the attributes of an open file and refuses everything but a regular file with one name.
    ///
    /// A file with several names could be one that the operator never granted: a hard link leaves no trace in a path,
    /// and `fs.protected_hardlinks` may be off.
    init(checking descriptor: borrowing OwnedDescriptor, _ path: AbsolutePath) throws(EffectError) {
        var status = stat()
        guard fstat(descriptor.raw, &status) == 0 else { throw .file("cannot look at", path, errno: errno) }
        try self.init(status, path)
    }

    fileprivate init(_ status: stat, _ path: AbsolutePath) throws(EffectError) {
        try FileAttributes.requireRegular(status, path)
        mode = status.st_mode & 0o7777
        uid = status.st_uid
        gid = status.st_gid
        size = UInt64(clamping: status.st_size)
        modified = Int64(status.st_mtim.tv_sec)
    }

    private static func requireRegular(_ status: stat, _ path: AbsolutePath) throws(EffectError) {
        let kind: String
        switch status.st_mode & S_IFMT {
        case S_IFREG:
            guard status.st_nlink == 1 else {
                throw EffectError(
                    .hardLink, object: path.description,
                    "\(path) has \(status.st_nlink) names (hard links), so it may be a file that was not granted",
                    fix: "replace it by a copy: cp --remove-destination")
            }
            return
        case S_IFLNK: throw .file("cannot open", path, errno: ELOOP)
        case S_IFDIR: kind = "a directory"
        case S_IFIFO: kind = "a named pipe"
        case S_IFSOCK: kind = "a socket"
        case S_IFCHR: kind = "a character device"
        case S_IFBLK: kind = "a block device"
        default: kind = "of an unknown kind"
        }
        throw EffectError(.notRegular, object: path.description, "\(path) is \(kind), not a regular file")
    }
}

extension GrantedDirectory {
    /// Looks at the file without opening it, so that a device or a pipe feels nothing; nil when there is none.
    borrowing func inspect() throws(EffectError) -> FileAttributes? {
        do throws(EffectError) {
            let file = try openFile(leaf, flags: Int32(TRSTCTL_O_PATH))
            return try FileAttributes(checking: file, path)
        } catch {
            guard error.code == .notFound else { throw error }
            return nil
        }
    }

    /// Looks at the file; nil when there is none.
    ///
    /// One system call, where `inspect` takes three. It does not see whether something is mounted over the name: that is
    /// found when the file is opened (openat2(2), `EXDEV`) or replaced (rename(2), `EBUSY`).
    ///
    /// - Throws: for everything that must not even be opened.
    borrowing func look() throws(EffectError) -> FileAttributes? {
        var status = stat()
        let raw = descriptor.raw
        let (result, error) = leaf.withCString {
            (fstatat(raw, $0, &status, AT_SYMLINK_NOFOLLOW), errno)
        }
        guard result == 0 else {
            guard error == ENOENT else { throw .file("cannot open", path, errno: error) }
            return nil
        }
        return try FileAttributes(status, path)
    }

    /// Opens the file for reading, and checks again what was opened; nil when there is none.
    borrowing func openForReading() throws(EffectError) -> OpenedFile? {
        guard try look() != nil else { return nil }
        // Never blocks on a pipe and never takes a terminal, should the file have been exchanged since.
        let file = try openFile(leaf, flags: O_RDONLY | O_NONBLOCK | O_NOCTTY)
        return OpenedFile(attributes: try FileAttributes(checking: file, path), descriptor: file)
    }
}

/// A checked file that is open for reading.
struct OpenedFile: ~Copyable {
    let attributes: FileAttributes
    let descriptor: OwnedDescriptor

    init(attributes: FileAttributes, descriptor: consuming OwnedDescriptor) {
        self.attributes = attributes
        self.descriptor = descriptor
    }

    /// read(2) into the buffer; 0 at the end of the file.
    borrowing func read(
        into buffer: UnsafeMutableRawBufferPointer, _ path: AbsolutePath
    ) throws(EffectError) -> Int {
        let raw = descriptor.raw
        do throws(SystemError) {
            return try retryingInterrupts("read") { Glibc.read(raw, buffer.baseAddress, buffer.count) }
        } catch {
            throw .file("cannot read", path, errno: error.errno)
        }
    }
}
