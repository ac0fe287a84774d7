import CTrstctlSystem
import Glibc
package import TrstctlPolicy
package import TrstctlProcess
package import TrstctlSystem
package import TrstctlWire

/// What a session is started with.
package struct SessionRequest: Sendable {
    /// The connector's name: the one in its file name and in its Hello.
    package var name: String
    package var timeouts = Session.Timeouts()
    /// Where socket directories are made; nil means the default of `RunDirectory`.
    package var runtimeBase: String?
    /// What this host calls itself.
    package var host = Wire.Implementation(name: "trstctl", version: "")
    package var limits = SessionLimits()
    /// The least level of Log that anybody will see, and, as INFO, of Progress.
    package var logLevel = Wire.LogRequest.Level.debug
    /// What happens when a layer of the sandbox cannot be applied.
    package var confinement = ConfinementMode.strict
    /// Directories of libraries that a dynamic executable or a script may read besides the system's.
    package var libraries: [AbsolutePath] = []
    /// How much memory and how many processes it may take.
    package var confinementLimits = ConfinementLimits()
    /// Where the lines go that the connector prints.
    package var log: @Sendable (OutputStream, String) -> Void = { _, _ in }
    /// Answers its brokered calls.
    package var handler: CallHandler

    package init(name: String, handler: CallHandler) {
        self.name = name
        self.handler = handler
    }

    /// The same with a handler whose tasks run on the loop.
    package init(name: String, handler: @Sendable @escaping (IncomingCall) async -> Wire.Reply) {
        self.init(name: name, handler: CallHandler(handler))
    }
}

extension Session {
    /// The versions of the protocol that this host speaks.
    package static let protocolVersions: [UInt32] = [1]

    /// Starts a connector: process, handshake, peer check, Hello.
    ///
    /// Whatever fails, or when the task is cancelled, everything that was started is ended before this throws.
    ///
    /// - Parameters:
    ///   - request: name, limits, handlers.
    ///   - spawn: makes the process; gets the socket directory, the environment, and the descriptors for stdout and
    ///     stderr; runs on the loop and takes about a millisecond.
    /// - Returns: the session, ready for Configure.
    /// - Throws: `SessionError`.
    package static func start(
        _ request: SessionRequest,
        spawn: @Sendable (borrowing OwnedDescriptor, [Bytes], Int32, Int32) throws -> ChildProcess
    ) async throws(SessionError) -> Session {
        let process = try launch(request, spawn)
        do throws(SessionError) {
            return try await open(request, process)
        } catch {
            var error = error
            // A task of its own, so that a cancelled caller does not cut the ladder short.
            let exit = await Task(executorPreference: EventLoop.shared) {
                await process.end(grace: 0, patience: 200)
            }.value
            if error.exit == nil, error.code == .handshakeExited { error.exit = exit }
            error.output = process.standardError.tail
            throw error
        }
    }

    private static func open(
        _ request: SessionRequest, _ process: ConnectorProcess
    ) async throws(SessionError) -> Session {
        let connection = try await connect(request, process)
        do throws(SessionError) {
            let hello = try await greet(request, connection, process)
            return Session(
                name: request.name, hello: hello, process: process, connection: connection,
                timeouts: request.timeouts)
        } catch {
            connection.close()
            throw error
        }
    }

    private static func launch(
        _ request: SessionRequest,
        _ spawn: (borrowing OwnedDescriptor, [Bytes], Int32, Int32) throws -> ChildProcess
    ) throws(SessionError) -> ConnectorProcess {
        let directory: RunDirectory
        do {
            directory = try RunDirectory(base: request.runtimeBase)
        } catch {
            throw SessionError(
                .spawn, connector: request.name, message: "could not be started: \(error)", cause: "run-directory")
        }
        do {
            var output = try Pipe()
            var error = try Pipe()
            let child = try spawn(
                directory.descriptor, environment(directory.path), output.writer.raw, error.writer.raw)
            return try ConnectorProcess(
                child: child, directory: directory, standardOutput: output.takeReader(),
                standardError: error.takeReader(), log: request.log)
        } catch {
            throw SessionError(
                .spawn, connector: request.name, message: "could not be started: \(error)",
                cause: (error as? ConfinementError)?.code.word)
        }
    }

    /// Everything that a connector finds in its environment.
    private static func environment(_ directory: String) -> [Bytes] {
        [
            "\(ConnectorEnvironment.socketDirectory)=\(directory)",
            "\(ConnectorEnvironment.cookieName)=\(ConnectorEnvironment.cookie)",
            "\(ConnectorEnvironment.handshakeVersion)=\(HandshakeLine.version)",
            "\(ConnectorEnvironment.hostUser)=\(getuid())",
            "PATH=/usr/bin:/bin", "LANG=C.UTF-8", "TMPDIR=/nonexistent", "HOME=/nonexistent",
            // A crashing Swift connector would print its memory otherwise.
            "SWIFT_BACKTRACE=enable=no",
        ].map { Bytes($0) }
    }
}

/// A pipe whose reading end does not block.
private struct Pipe: ~Copyable {
    private var reader: OwnedDescriptor?
    let writer: OwnedDescriptor

    init() throws(SystemError) {
        var descriptors: [Int32] = [-1, -1]
        guard trstctl_pipe(&descriptors, 1) == 0 else { throw SystemError.last("pipe") }
        reader = OwnedDescriptor(descriptors[0])
        writer = OwnedDescriptor(descriptors[1])
    }

    mutating func takeReader() -> OwnedDescriptor {
        guard let taken = reader.take() else { fatalError("a pipe's reader is taken once") }
        return taken
    }
}
