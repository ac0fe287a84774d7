import CTrstctlSystem
import Glibc
import TrstctlPolicy
import TrstctlSystem

/// The append-only log of everything that connectors did and were refused: `audit.log` in the state directory, mode
/// 0600, one JSON object a line, synced at the end of a run and whenever a file is full.
///
/// When the file exceeds its bound it becomes `audit.log.1`, and so on up to `audit.log.4`; the oldest goes.
final class AuditLog: Sendable {
    /// How large one file gets, in bytes.
    static let fileLimit: Int64 = 16 << 20
    /// How many older files are kept.
    static let olderFiles = 4
    static let name = "audit.log"

    private struct State: ~Copyable {
        var file: AuditFile
        var written: Int64 = 0
        var failure: StateError?
    }

    private let directory: String
    private let state: Locked<State>
    /// The name of this run in all its lines.
    let run: String
    private let limit: Int64
    private let calls: AuditFile.Calls

    /// Opens the log, making it when there is none.
    ///
    /// - Parameters:
    ///   - directory: the state directory.
    ///   - limit: how large one file gets, in bytes.
    ///   - calls: other system calls, in tests.
    /// - Throws: `StateError` when it cannot be written.
    init(
        directory: String, limit: Int64 = AuditLog.fileLimit, calls: AuditFile.Calls = AuditFile.Calls()
    ) throws(StateError) {
        self.directory = directory
        self.limit = limit
        self.calls = calls
        var random: UInt64 = 0
        guard trstctl_random(&random, 8) == 0 else { throw StateError(.last("getrandom")) }
        let digits = String(random, radix: 16)
        run = String(repeating: "0", count: 16 - digits.count) + digits
        do throws(StateError) {
            state = Locked(State(file: try AuditFile(directory, limit: limit, calls)))
        } catch {
            throw error.adding(
                "the audit log cannot be written: ", "\n  next: mend this, or name another directory with --state-dir")
        }
    }

    /// Appends a line.
    ///
    /// - Returns: whether it is in the file; what went wrong is remembered, also for `finish`.
    @discardableResult
    func write(_ record: AuditRecord) -> Bool {
        let line = AuditLine(record.bounded()).bytes
        return state.withLock { state in
            if state.written > limit / 8 { rotate(&state) }
            do throws(StateError) {
                try state.file.append(line)
                state.written += Int64(line.count)
                return true
            } catch {
                state.failure = error
                return false
            }
        }
    }

    /// Goes on in the file that is current now; what was written stays durable under its older name.
    private func rotate(_ state: inout State) {
        state.written = 0
        do throws(StateError) {
            try state.file.sync()
            state.file = try AuditFile(directory, limit: limit, calls)
        } catch {
            state.failure = error
        }
    }

    /// Makes the lines durable.
    ///
    /// - Returns: what went wrong during the run; nil when every line is on disk.
    func finish() -> StateError? {
        state.withLock { state in
            do throws(StateError) {
                try state.file.sync()
            } catch {
                state.failure = state.failure ?? error
            }
            return state.failure
        }
    }

    /// Whether a line of this run is missing.
    var isIncomplete: Bool { state.withLock { $0.failure != nil } }

    /// Why something is not done that could not be recorded.
    ///
    /// - Parameter consequence: what is not done, the beginning of a sentence.
    /// - Returns: the error.
    func cannotRecord(_ consequence: String) -> StateError {
        let reason = state.withLock { $0.failure?.description ?? "" }
        return StateError(
            description: "\(consequence), because the audit log cannot be written: \(reason)\n"
                + "  next: mend this, or name another directory with --state-dir")
    }
}
