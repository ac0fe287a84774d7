import Synchronization
import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

/// Running commands: really, or in the plan.
extension BrokerScope {
    func exec(
        _ ticket: ExecTicket, _ request: Wire.ExecRequest, outputLimit: Int, _ patience: Patience
    ) throws(EffectError) -> Effect {
        let stdin = try secrets.assemble(
            request.stdin, limit: BrokeredRequest.inputLimit, field: "stdin", patience: patience)
        return try commands.withLock { count throws(EffectError) in
            guard !ledger.withLock({ $0.isClosed }) else { throw .scopeOver }
            guard count < limits.commands else {
                throw EffectError(
                    .limit, object: ticket.program.description, "one call runs at most \(limits.commands) commands")
            }
            count += 1
            if rights == .recording {
                _ = try RunnableProgram(ticket, until: patience.deadline)
                note(ticket)
                return Effect(result: .exec(Wire.ExecResponse(outcome: .exited, planned: true)), isPlanned: true)
            }
            deployment?.willRun()
            var result = try CommandRun.run(
                ticket, CommandRequest(stdin: stdin, outputLimit: outputLimit, deadline: patience.deadline),
                interruption: patience.interruption, started: { note(ticket) })
            result.stdout.bytes = secrets.masked(result.stdout.bytes)
            result.stderr.bytes = secrets.masked(result.stderr.bytes)
            try secrets.refuseKey(in: result.stdout.bytes, "the output of \(ticket.program)")
            try secrets.refuseKey(in: result.stderr.bytes, "the output of \(ticket.program)")
            return Effect(
                result: .exec(result.response), bytes: result.stdout.bytes.count + result.stderr.bytes.count,
                note: result.text)
        }
    }

    private func note(_ ticket: ExecTicket) {
        files.withLock { $0.note(command: Operation.exec(argv: ticket.argv).object) }
    }
}

extension CommandResult {
    fileprivate var response: Wire.ExecResponse {
        var response = Wire.ExecResponse()
        switch outcome {
        case .exited(let status): (response.outcome, response.status) = (.exited, status)
        case .signalled(let signal): (response.outcome, response.status) = (.signalled, signal)
        case .timedOut: response.outcome = .timedOut
        }
        response.stdout = stdout.bytes
        response.stderr = stderr.bytes
        response.stdoutDropped = stdout.dropped
        response.stderrDropped = stderr.dropped
        return response
    }

    fileprivate var text: String {
        switch outcome {
        case .exited(let status): "exit status \(status)" + (leftProcesses ? ", and left a process running" : "")
        case .signalled(let signal): "signal \(signal)"
        case .timedOut: "killed at its deadline"
        }
    }
}
