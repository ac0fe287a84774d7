import CTrstctlSystem
import Glibc
import TrstctlPolicy
import TrstctlProcess
import TrstctlSystem

/// The value of a secret as a command of the operator prints it.
///
/// No shell; standard input is `/dev/null`; the environment is trstctl's own, because password stores find their agent
/// there. What it prints on standard error is dropped: it could hold the secret.
enum SecretCommand {
    /// How long it may take, in milliseconds.
    static let patience: Int64 = 30_000

    /// Runs it.
    ///
    /// - Parameters:
    ///   - words: the absolute path of the program, and its arguments.
    ///   - origin: for messages.
    ///   - milliseconds: until its process group is killed.
    /// - Returns: its standard output, 1 byte to `SecretFile.limit`, without one line feed at the end.
    /// - Throws: `SecretReadError`.
    static func run(
        _ words: [String], _ origin: SecretOrigin, milliseconds: Int64 = patience
    ) throws(SecretReadError) -> Bytes {
        let deadline = Deadline.after(milliseconds: milliseconds)
        var ends: [Int32] = [-1, -1]
        guard trstctl_pipe(&ends, 0) == 0 else { throw failure(origin, SystemError.last("pipe").description) }
        let reader = OwnedDescriptor(ends[0])
        let child: ChildProcess
        do {
            let writer = OwnedDescriptor(ends[1])
            child = try start(words, output: writer.raw, origin)
        }
        let value: Bytes
        do throws(SecretReadError) {
            value = try SecretFile.content(of: reader.raw, origin, until: deadline)
        } catch {
            child.signalGroup(SIGKILL)
            let status = child.reap(until: .after(milliseconds: 5_000))
            // A command that failed printed nothing; why it did is the better answer.
            if error.code == .empty, let status, status != .exited(0) {
                throw failure(origin, "it ended with \(status)")
            }
            throw error
        }
        guard let status = child.reap(until: deadline) else {
            child.signalGroup(SIGKILL)
            _ = child.reap(until: .after(milliseconds: 5_000))
            throw SecretReadError(.timedOut, origin, "it did not end in time", next: "run it by hand")
        }
        guard status == .exited(0) else { throw failure(origin, "it ended with \(status)") }
        return value
    }

    private static func start(
        _ words: [String], output: Int32, _ origin: SecretOrigin
    ) throws(SecretReadError) -> ChildProcess {
        let null = OwnedDescriptor(open("/dev/null", O_WRONLY | O_CLOEXEC))
        var request = SpawnRequest(
            .path(Bytes(words.first ?? "")), arguments: words.map { Bytes($0) }, standardOutput: output,
            standardError: null.raw)
        request.environment = environment
        do throws(SpawnError) {
            return try ChildProcess.spawn(request)
        } catch {
            throw failure(origin, "\(error)")
        }
    }

    private static func failure(_ origin: SecretOrigin, _ found: String) -> SecretReadError {
        SecretReadError(.failed, origin, found, next: "run it by hand")
    }

    private static var environment: [Bytes] {
        var variables: [Bytes] = []
        var next = environ
        while let entry = next.pointee {
            variables.append(Bytes(copying: UnsafeRawBufferPointer(start: entry, count: strlen(entry)), isSecret: true))
            next += 1
        }
        return variables
    }
}
