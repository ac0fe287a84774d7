internal import TrstctlSystem
internal import TrstctlWire

/// How a command ended.
public struct CommandResult: Sendable {
    /// What became of the process.
    public enum Outcome: Sendable, Hashable {
        /// It ended by itself with this exit status.
        case exited(Int32)
        /// It was ended by this signal.
        case signalled(Int32)
        /// It was killed because its time was over.
        case timedOut
    }

    /// What became of the process.
    public var outcome: Outcome
    /// The beginning of its output; the host keeps 16 KiB.
    public var standardOutput: [UInt8]
    /// The beginning of its error output; the host keeps 16 KiB.
    public var standardError: [UInt8]
    /// Whether it was only recorded, see ``Host/isRecording``.
    public var isPlanned: Bool

    /// Whether it ended with exit status 0, or was only recorded.
    public var isSuccess: Bool { isPlanned || outcome == .exited(0) }

    /// Both outputs as text, for an error's detail; broken UTF-8 is replaced.
    public var output: String { String(decoding: standardError + standardOutput, as: UTF8.self) }

    /// How it ended, in words.
    public var description: String {
        switch outcome {
        case .exited(let status): "exit status \(status)"
        case .signalled(let signal): "signal \(signal)"
        case .timedOut: "no end in time"
        }
    }

    init(_ response: Wire.ExecResponse) {
        outcome =
            switch response.outcome {
            case .signalled: .signalled(response.status)
            case .timedOut: .timedOut
            default: .exited(response.status)
            }
        standardOutput = response.stdout.array
        standardError = response.stderr.array
        isPlanned = response.planned
    }
}

extension Host {
    /// Runs a command without a shell, and waits for its end.
    ///
    /// Needs ``Grant/run(_:)`` for exactly this command.
    ///
    /// - Parameters:
    ///   - command: the program's absolute path, then its arguments; 1 to 64, each at most 4 KiB.
    ///   - stdin: what it reads, at most 1 MiB; empty means nothing.
    ///   - timeoutMilliseconds: 1 to 600 000; then it is killed.
    /// - Returns: how it ended, and the beginning of what it printed.
    /// - Throws: when it could not be run; how it ended is in the result.
    public func run(
        _ command: [String], stdin: [Segment] = [], timeoutMilliseconds: Int = 30_000
    ) throws(ConnectorError) -> CommandResult {
        let call = Wire.ExecRequest(
            arguments: command.map { Bytes($0) }, stdin: stdin.map(\.message),
            timeoutMilliseconds: UInt32(clamping: timeoutMilliseconds))
        guard case .exec(let response) = try request(.exec(call), bytes: stdin.estimatedBytes) else {
            throw Host.mismatch
        }
        return CommandResult(response)
    }
}
