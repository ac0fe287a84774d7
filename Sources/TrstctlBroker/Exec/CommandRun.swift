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
    /// True when the command ended, but something that it started keeps its output open.
    var leftProcesses: Bool
}

/// The effect of running an operator's command.
///
/// It takes a ticket and nothing else that names a program.
/// Commands are the operator's, so no sandbox is put around them; but they inherit little, see spec/grants.md. A daemon
/// that a command leaves behind is left alone, because that is what starting a server is. At the deadline the process
/// group is killed; a descendant that made its own session by then is not reached.
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
    ///   - started: told once it runs, before anybody waits for it.
    /// - Returns: how it ended; a command that failed is no error here.
    /// - Throws: `scopeOver` when interrupted; an error that names the program when it cannot be started.
    static func run(
        _ ticket: ExecTicket, _ request: CommandRequest, interruption: Interruption? = nil,
        started: () -> Void = {}
    ) throws(EffectError) -> CommandResult {
        let program = try RunnableProgram(ticket, until: request.deadline)
        let input = try commandInput(request.stdin, ticket.program)
        var outputs = try CommandOutputs(keeping: request.outputLimit, ticket.program)
        let child = try start(
            program, ticket, input: input?.raw, hasSecretInput: request.stdin.isSecret, &outputs)
        started()
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
        return CommandResult(
            outcome: outcome, stdout: outputs.stdout.kept, stderr: outputs.stderr.kept,
            leftProcesses: ending == .ended && !outputs.areFinished)
    }

    private static func start(
        _ program: borrowing RunnableProgram, _ ticket: ExecTicket, input: Int32?, hasSecretInput: Bool,
        _ outputs: inout CommandOutputs
    ) throws(EffectError) -> ChildProcess {
        var request = SpawnRequest(
            program.program(ticket.program), arguments: ticket.argv, standardOutput: outputs.stdout.writer,
            standardError: outputs.stderr.writer)
        request.environment = environment
        request.standardInput = input
        // A server that the command starts is to make its files as the one that the system starts does; but what a
        // command makes of a key is not for others.
        request.hasPrivateUmask = hasSecretInput
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
