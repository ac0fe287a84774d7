import CTrstctlSystem
import Glibc
import TrstctlPolicy
import TrstctlProcess
import TrstctlSystem

/// What a command is given besides its arguments.
struct CommandRequest: Sendable {
    /// Content of standard input; empty means `/dev/null`.
    var stdin = Bytes()
    /// How many bytes of each of standard output and standard error are kept, from the beginning.
    var outputLimit = 16_384
    /// When it is killed with its process group.
    var deadline: Deadline
}

/// How a command ended, and what it printed.
struct CommandResult: Sendable {
    enum Outcome: Hashable, Sendable {
        case exited(Int32)
        case signalled(Int32)
        case timedOut
    }

    var outcome: Outcome
    var stdout: CommandOutput.Kept
    var stderr: CommandOutput.Kept
}

/// The effect of running an operator's command.
///
/// It takes a ticket and nothing else that names a program.
/// Commands are the operator's, so no sandbox is put around them; but they inherit nothing: a fixed environment, the
/// directory `/`, umask 077, their own session, default signal dispositions, no core dump, and the descriptors 0, 1
/// and 2. A daemon that a command leaves behind is left alone. At the deadline the process group is killed; a
/// descendant that made its own session by then is not reached.
enum CommandRun {
    /// The whole environment.
    static let environment: [Bytes] = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"]
    /// How long output is waited for after the command itself has ended, in milliseconds.
    static let lingerMilliseconds: Int64 = 200

    /// Runs a command and waits for its end.
    ///
    /// - Parameters:
    ///   - ticket: for this argument vector.
    ///   - request: input, bounds and deadline.
    ///   - interruption: ends the command early.
    /// - Returns: how it ended; a command that failed is no error here.
    /// - Throws: `scopeOver` when interrupted; an error that names the program when it cannot be started.
    static func run(
        _ ticket: ExecTicket, _ request: CommandRequest, interruption: Interruption? = nil
    ) throws(EffectError) -> CommandResult {
        try checkProgram(ticket.program)
        let input = try commandInput(request.stdin, ticket.program)
        var outputs = try CommandOutputs(keeping: request.outputLimit, ticket.program)
        let child = try start(ticket, input: input?.raw, &outputs)
        withExtendedLifetime(input) {}
        let ending = outputs.drain(child, until: request.deadline, interruption: interruption)
        let status = child.reap(until: .after(milliseconds: 5_000))
        let outcome: CommandResult.Outcome
        switch (ending, status) {
        case (.interrupted, _):
            throw EffectError(
                .scopeOver, object: ticket.program.description, "\(ticket.program) was killed because its call is over")
        case (.timedOut, _), (.ended, nil): outcome = .timedOut
        case (.ended, .exited(let number)?): outcome = .exited(number)
        case (.ended, .signalled(let number)?): outcome = .signalled(number)
        }
        return CommandResult(outcome: outcome, stdout: outputs.stdout.kept, stderr: outputs.stderr.kept)
    }

    private static func start(
        _ ticket: ExecTicket, input: Int32?, _ outputs: inout CommandOutputs
    ) throws(EffectError) -> ChildProcess {
        var request = SpawnRequest(
            .path(ticket.program.bytes), arguments: ticket.argv, standardOutput: outputs.stdout.writer,
            standardError: outputs.stderr.writer)
        request.environment = environment
        request.standardInput = input
        // A daemon is still in the group between its parent's exit and its setsid: it must not be hit.
        request.groupEndsWithLeader = false
        do throws(SpawnError) {
            let child = try ChildProcess.spawn(request)
            outputs.closeWriters()
            return child
        } catch {
            throw EffectError(
                .notExecutable, object: ticket.program.description, error.description,
                fix: "check the program and, for a script, its interpreter: file \(ticket.program)")
        }
    }

    /// Refuses what would run with other rights than the host's, or what anybody could have written.
    ///
    /// A plan checks no more than this.
    static func checkProgram(_ program: AbsolutePath) throws(EffectError) {
        let opened = program.bytes.withCString { path in
            trstctl_openat2(
                AT_FDCWD, path, UInt64(TRSTCTL_O_PATH) | UInt64(O_CLOEXEC), 0, UInt64(TRSTCTL_RESOLVE_NO_MAGICLINKS))
        }
        guard opened >= 0 else { throw .file("cannot run", program, errno: errno) }
        let file = OwnedDescriptor(opened)
        var status = stat()
        guard fstat(file.raw, &status) == 0 else { throw .file("cannot run", program, errno: errno) }
        let object = program.description
        guard status.st_mode & S_IFMT == S_IFREG, status.st_mode & 0o111 != 0 else {
            throw EffectError(.notExecutable, object: object, "\(program) is not an executable file")
        }
        guard status.st_mode & 0o6000 == 0 else {
            throw EffectError(
                .privileged, object: object, "\(program) has a set-user-id or set-group-id bit, and is not run",
                fix: "grant a program without it, and run trstctl as the user that the program needs")
        }
        guard status.st_mode & 0o002 == 0 else {
            throw EffectError(
                .privileged, object: object, "\(program) can be changed by everybody, and is not run",
                fix: "chmod o-w \(program)")
        }
    }
}

/// Content for standard input, in memory: complete before the program starts, so nobody waits for anybody.
private func commandInput(_ content: Bytes, _ program: AbsolutePath) throws(EffectError) -> SharedDescriptor? {
    guard !content.isEmpty else { return nil }
    let raw = trstctl_memfd_create("stdin")
    guard raw >= 0 else { throw .file("cannot pass input to", program, errno: errno) }
    let memory = OwnedDescriptor(raw)
    do throws(SystemError) {
        try memory.writeAll(content)
    } catch {
        throw .file("cannot pass input to", program, errno: error.errno)
    }
    guard lseek(memory.raw, 0, SEEK_SET) == 0, trstctl_memfd_seal(memory.raw) == 0 else {
        throw .file("cannot pass input to", program, errno: errno)
    }
    return SharedDescriptor(memory.release())
}
