import CTrstctlSystem
import FoundationEssentials
import Glibc
import Synchronization
import TrstctlPolicy
import TrstctlSystem

/// The append-only log of everything that connectors did and were refused: `audit.log` in the state directory, mode
/// 0600, one JSON object a line, synced at the end of a run.
///
/// When the file exceeds its bound it becomes `audit.log.1`, and so on up to `audit.log.4`; the oldest goes.
final class AuditLog: Sendable {
    /// How large one file gets, in bytes.
    static let fileLimit: Int64 = 16 << 20
    /// How many older files are kept.
    static let olderFiles = 4
    static let name = "audit.log"

    private struct State: ~Copyable {
        var file: OwnedDescriptor?
        var written = 0
        var failure: SystemError?
    }

    private let directory: String
    private let state: Mutex<State>
    /// The name of this run in all its lines.
    let run: String
    private let limit: Int64

    /// Opens the log, making it when there is none.
    ///
    /// - Throws: `StateError` when it cannot be written.
    init(directory: String, limit: Int64 = AuditLog.fileLimit) throws(StateError) {
        self.directory = directory
        self.limit = limit
        var random: UInt64 = 0
        guard trstctl_random(&random, 8) == 0 else { throw StateError(description: "\(SystemError.last("getrandom"))") }
        let digits = String(random, radix: 16)
        run = String(repeating: "0", count: 16 - digits.count) + digits
        do throws(SystemError) {
            state = Mutex(State(file: try AuditLog.open(directory, limit)))
        } catch {
            throw StateError(
                description:
                    "the audit log cannot be written: \(error): mend this, or name another directory with --state-dir")
        }
    }

    /// Appends a line; what goes wrong is remembered for `finish`.
    func write(_ record: AuditRecord) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(record) else { return }
        let line = Array(data) + [UInt8(ascii: "\n")]
        state.withLock { state in
            do throws(SystemError) {
                if state.written > limit / 8 {
                    state.written = 0
                    state.file = try AuditLog.open(directory, limit)
                }
                guard let descriptor = state.file?.raw else { return }
                // One call a line: with O_APPEND lines of several processes do not mix (write(2)).
                let count = try retryingInterrupts("write", AuditLog.name) { Glibc.write(descriptor, line, line.count) }
                guard count == line.count else {
                    throw SystemError(stage: "write", object: AuditLog.name, errno: ENOSPC)
                }
                state.written += count
            } catch {
                state.failure = error
            }
        }
    }

    /// Makes the lines durable.
    ///
    /// - Returns: what went wrong during the run; nil when every line is on disk.
    func finish() -> SystemError? {
        state.withLock { state in
            guard let descriptor = state.file?.raw else { return state.failure }
            if fsync(descriptor) == -1, state.failure == nil { state.failure = .last("fsync", AuditLog.name) }
            return state.failure
        }
    }

    /// Opens the current file, after moving it aside when it is too large.
    private static func open(_ directory: String, _ limit: Int64) throws(SystemError) -> OwnedDescriptor {
        let path = directory + "/" + name
        let file = try openFile(path)
        var status = stat()
        guard fstat(file.raw, &status) == 0 else { throw SystemError.last("fstat", path) }
        guard status.st_mode & S_IFMT == S_IFREG, status.st_uid == getuid(), status.st_nlink == 1 else {
            throw SystemError(stage: "open (not a regular file of yours)", object: path, errno: EPERM)
        }
        guard status.st_size > limit else { return file }
        // Two processes must not both rotate: the second one finds that the file is another by now.
        _ = try retryingInterrupts("flock", path) { flock(file.raw, LOCK_EX) }
        var current = stat()
        if lstat(path, &current) == 0, current.st_ino == status.st_ino {
            for index in stride(from: olderFiles, to: 0, by: -1) {
                rename(index == 1 ? path : "\(path).\(index - 1)", "\(path).\(index)")
            }
        }
        return try openFile(path)
    }

    private static func openFile(_ path: String) throws(SystemError) -> OwnedDescriptor {
        OwnedDescriptor(
            try retryingInterrupts("open", path) {
                Glibc.open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0o600)
            })
    }
}
