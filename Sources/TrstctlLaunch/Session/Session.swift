import Glibc
package import TrstctlProcess
package import TrstctlSystem
package import TrstctlWire

/// One connector process and its one connection.
package final class Session: Sendable {
    /// How long each step may take, in milliseconds.
    package struct Timeouts: Sendable {
        /// From the start of the process to the handshake line.
        package var handshake: Int64 = 10_000
        /// The answer to Hello.
        package var hello: Int64 = 10_000
        /// How long it may refuse to read before the session ends.
        package var writeStall: Int64 = 30_000
        /// From Shutdown to SIGTERM.
        package var grace: Int64 = 2_000
        /// From SIGTERM to SIGKILL.
        package var patience: Int64 = 1_000

        package init() {}
    }

    /// The connector's name.
    package let name: String
    /// What it said about itself in Hello.
    package let hello: Wire.HelloResponse
    private let process: ConnectorProcess
    private let connection: Connection
    private let timeouts: Timeouts

    init(
        name: String, hello: Wire.HelloResponse, process: ConnectorProcess, connection: Connection, timeouts: Timeouts
    ) {
        self.name = name
        self.hello = hello
        self.process = process
        self.connection = connection
        self.timeouts = timeouts
    }

    /// The process number, for audit.
    package var processID: Int32 { process.child.pid }

    /// Makes a call.
    ///
    /// - Parameters:
    ///   - method: what to call.
    ///   - scopeToken: for calls that open a scope: the token that brokered calls must show.
    ///   - deadline: when to give up.
    ///   - started: told the call's id just before the frame goes out.
    ///   - answered: told that the reply has come, before any later frame of the connector is looked at.
    /// - Returns: the reply, whatever its status; a status that is not known counts as UNKNOWN.
    /// - Throws: `SessionError`, with how the process ended and what it printed last when it died.
    package func call(
        _ method: Wire.Call.Method, scopeToken: Bytes = Bytes(), deadline: Deadline,
        started: (@Sendable (UInt32) -> Void)? = nil, answered: (@Sendable () -> Void)? = nil
    ) async throws(SessionError) -> Wire.Reply {
        do {
            return try await connection.call(
                method, scopeToken: scopeToken, deadline: deadline, started: started, answered: answered)
        } catch {
            throw await explain(error)
        }
    }

    private func explain(_ failure: CallFailure) async -> SessionError {
        switch failure {
        case .deadlineExceeded:
            return SessionError(
                .timeout, connector: name, message: "did not answer before the deadline",
                output: process.standardError.tail)
        case .tooLong:
            return SessionError(.tooLong, connector: name, message: "\(failure)")
        case .cancelled:
            return SessionError(.cancelled, connector: name, message: "the call was cancelled")
        case .closed(.violation(let error)):
            return SessionError(
                .protocolViolation, connector: name, message: "violated the protocol: \(error)",
                output: process.standardError.tail,
                fix: "This is a bug of the connector; report it to its author with this text.",
                cause: error.code.rawValue)
        case .closed(.writeStalled):
            return SessionError(
                .timeout, connector: name, message: "stopped reading for \(timeouts.writeStall) ms",
                output: process.standardError.tail,
                fix: "This is a bug of the connector; report it to its author with this text.",
                cause: "stopped-reading")
        case .closed(let end):
            // The connection ends before the kernel has told how the process did.
            let exit = await process.exit.wait(until: .after(milliseconds: 1_000))
            _ = await process.standardError.finished.wait(until: .after(milliseconds: 200))
            return SessionError(
                .crashed, connector: name, message: "ended during a call: \(end)", exit: exit,
                output: process.standardError.tail,
                fix: "This is a bug of the connector; report it to its author with this text.")
        }
    }

    /// Ends the session: Shutdown, SIGTERM, SIGKILL of the whole group; each step bounded, nothing left behind.
    ///
    /// - Returns: how the process ended.
    @discardableResult
    package func stop() async -> ExitStatus? {
        // A task of its own, so that a cancelled caller does not cut the ladder short.
        await Task(executorPreference: EventLoop.shared) { [connection, process, timeouts] in
            let deadline = Deadline.after(milliseconds: timeouts.grace)
            let request = Wire.ShutdownRequest(graceMilliseconds: UInt32(clamping: timeouts.grace))
            _ = try? await connection.call(.shutdown(request), deadline: deadline)
            connection.close()
            return await process.end(grace: Int64(max(0, deadline.pollTimeout)), patience: timeouts.patience)
        }.value
    }
}
