import Glibc
import TrstctlSystem

/// The file of the audit log that lines are appended to.
struct AuditFile: ~Copyable {
    /// The system calls on which the durability of the log hangs; others only in tests.
    struct Calls: Sendable {
        var write: @Sendable (Int32, UnsafeRawBufferPointer) -> Int = { Glibc.write($0, $1.baseAddress, $1.count) }
        var sync: @Sendable (Int32) -> Int32 = { fsync($0) }
    }

    private let file: OwnedDescriptor
    private let directory: String
    private let calls: Calls
    /// Whether the last line has no end: its writer was killed, or the disk was full.
    private var isTorn: Bool

    /// Opens the current file, after moving it aside when it is too large.
    ///
    /// - Parameters:
    ///   - directory: the state directory, which is the caller's own.
    ///   - limit: bytes above which the file is moved aside.
    ///   - calls: see there.
    /// - Throws: `StateError`, also for a file that somebody else could have changed.
    init(_ directory: String, limit: Int64, _ calls: Calls) throws(StateError) {
        let path = directory + "/" + AuditLog.name
        var opened = try AuditFile.open(path)
        if opened.status.st_size > limit {
            try AuditFile.moveAside(path, opened.file, opened.status)
            opened = try AuditFile.open(path)
        }
        isTorn = opened.isTorn
        file = opened.file
        self.directory = directory
        self.calls = calls
    }

    /// Appends a line, on a line of its own whatever became of the one before.
    ///
    /// - Parameter line: with its line feed.
    /// - Throws: `StateError` when it is not in the file, or not whole.
    mutating func append(_ line: [UInt8]) throws(StateError) {
        // One call a line: with O_APPEND lines of several processes do not mix (write(2)).
        var rest = (isTorn ? [UInt8(ascii: "\n")] + line : line)[...]
        do throws(SystemError) {
            while !rest.isEmpty {
                let count = try retryingInterrupts("write", AuditLog.name) {
                    rest.withUnsafeBytes { calls.write(file.raw, $0) }
                }
                guard count > 0 else { throw SystemError(stage: "write", object: AuditLog.name, errno: ENOSPC) }
                rest = rest.dropFirst(count)
                isTorn = !rest.isEmpty
            }
        } catch {
            throw StateError(error)
        }
    }

    /// Makes the lines durable, and the name under which they can be found.
    func sync() throws(StateError) {
        do throws(SystemError) {
            _ = try retryingInterrupts("fsync", AuditLog.name) { calls.sync(file.raw) }
            let folder = OwnedDescriptor(
                try retryingInterrupts("open", directory) {
                    Glibc.open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                })
            _ = try retryingInterrupts("fsync", directory) { calls.sync(folder.raw) }
        } catch {
            throw StateError(error)
        }
    }

    // MARK: - Opening

    private struct Opened: ~Copyable {
        var file: OwnedDescriptor
        var status: stat
        var isTorn: Bool
    }

    private static func open(_ path: String) throws(StateError) -> Opened {
        do throws(SystemError) {
            let file = OwnedDescriptor(
                try retryingInterrupts("open", path) {
                    Glibc.open(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0o600)
                })
            var status = stat()
            _ = try retryingInterrupts("fstat", path) { fstat(file.raw, &status) }
            // Whoever could write to it could have made its lines.
            guard status.st_mode & (S_IFMT | 0o077) == S_IFREG, status.st_uid == getuid(), status.st_nlink == 1 else {
                throw SystemError(stage: "check", object: path, errno: EPERM)
            }
            var last = UInt8(ascii: "\n")
            let end = status.st_size - 1
            if end >= 0 { _ = try retryingInterrupts("pread", path) { pread(file.raw, &last, 1, end) } }
            return Opened(file: file, status: status, isTorn: last != UInt8(ascii: "\n"))
        } catch {
            guard error.stage == "check" else { throw StateError(error) }
            throw StateError(
                description:
                    "\(path) must be a regular file of yours with this name only and mode 0600, and is not: see "
                    + "who changed it, and move it away")
        }
    }

    /// Gives every file the next number; the oldest goes.
    private static func moveAside(
        _ path: String, _ file: borrowing OwnedDescriptor, _ status: stat
    ) throws(StateError) {
        do throws(SystemError) {
            // Two processes must not both rotate: the second one finds that the file is another by now.
            _ = try retryingInterrupts("flock", path) { flock(file.raw, LOCK_EX) }
            // Closing would not do: a process that is being started has the descriptor too until it runs its program.
            defer { flock(file.raw, LOCK_UN) }
            var current = stat()
            guard lstat(path, &current) == 0, current.st_ino == status.st_ino, current.st_dev == status.st_dev else {
                return
            }
            for index in stride(from: AuditLog.olderFiles, to: 0, by: -1) {
                let older = index == 1 ? path : "\(path).\(index - 1)"
                guard rename(older, "\(path).\(index)") == -1, index == 1 || errno != ENOENT else { continue }
                throw SystemError.last("rename", older)
            }
        } catch {
            throw StateError(error)
        }
    }
}
