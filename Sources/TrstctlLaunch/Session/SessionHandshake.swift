import Glibc
import TrstctlPolicy
import TrstctlProcess
import TrstctlSystem
import TrstctlWire

extension Session {
    /// Waits for the handshake line, dials the socket it names, and proves that the connector itself listens.
    static func connect(
        _ request: SessionRequest, _ process: ConnectorProcess
    ) async throws(SessionError) -> Connection {
        let line = try await handshakeLine(request, process)
        let socket = try await dial(line, request, process)
        do {
            return try Connection(
                socket: socket, limits: request.limits, writeStall: request.timeouts.writeStall,
                handler: request.handler)
        } catch {
            throw SessionError(.handshakeSocket, connector: request.name, message: "cannot be talked to: \(error)")
        }
    }

    private static func handshakeLine(
        _ request: SessionRequest, _ process: ConnectorProcess
    ) async throws(SessionError) -> [UInt8] {
        let name = request.name
        let deadline = Deadline.after(milliseconds: request.timeouts.handshake)
        switch await process.standardOutput.firstLine.wait(until: deadline) {
        case .line(let line):
            return line
        case .tooLong:
            throw SessionError(
                .handshakeGrammar, connector: name,
                message: "printed more than \(HandshakeLine.maximumBytes) bytes without a line feed, "
                    + "where the handshake line was expected")
        case .ended(let text):
            let exit = await process.exit.wait(until: .after(milliseconds: 1_000))
            let found = text.isEmpty ? "nothing" : "\"\(readable(text))\" without a line feed"
            throw SessionError(
                .handshakeExited, connector: name,
                message: "\(exit == nil ? "closed its output" : "ended") before the handshake; it printed \(found)",
                exit: exit, fix: exitHint(exit, of: name))
        case nil:
            if Task.isCancelled {
                throw SessionError(.cancelled, connector: name, message: "the start was cancelled")
            }
            throw SessionError(
                .handshakeTimeout, connector: name,
                message: "printed no handshake line within \(request.timeouts.handshake) ms")
        }
    }

    private static func exitHint(_ exit: ExitStatus?, of name: String) -> String {
        exit == .signalled(SIGSYS)
            ? "It made a system call that the sandbox forbids: see `\(NextCommand.trstctl("plugin", "inspect", name))` and "
                + "its documentation." : ""
    }

    private static func dial(
        _ line: [UInt8], _ request: SessionRequest, _ process: ConnectorProcess
    ) async throws(SessionError) -> OwnedDescriptor {
        let found = "\"\(readable(line.prefix(200)))\""
        do {
            let name = try HandshakeLine.socketName(in: line, directory: Array(process.directoryPath.utf8))
            return try process.dial(name)
        } catch let error as HandshakeLineError {
            throw SessionError(
                error.code, connector: request.name, message: "\(error.expectation); it printed \(found)")
        } catch let error as DialError {
            // If it died, that says more than the refused connection.
            let exit = await process.exit.wait(until: .after(milliseconds: 200))
            throw SessionError(
                error.code, connector: request.name, message: "announced \(found), but \(error.explanation)", exit: exit
            )
        } catch {
            throw SessionError(.handshakeSocket, connector: request.name, message: "\(error)")
        }
    }

    /// Exchanges Hello.
    static func greet(
        _ request: SessionRequest, _ connection: Connection, _ process: ConnectorProcess
    ) async throws(SessionError) -> Wire.HelloResponse {
        let name = request.name
        let message = Wire.HelloRequest(
            protocolVersions: protocolVersions, host: request.host, features: [], limits: request.limits.message,
            logLevel: request.logLevel)
        let reply: Wire.Reply
        do {
            reply = try await connection.call(
                .hello(message), deadline: .after(milliseconds: request.timeouts.hello))
        } catch {
            // If it died, that says more than the closed connection.
            let exit = await process.exit.wait(until: .after(milliseconds: 200))
            throw SessionError(
                .hello, connector: name, message: "did not answer Hello: \(error)", exit: exit, cause: error.cause)
        }
        guard case .hello(let hello) = reply.result, reply.status?.code == .ok else {
            throw SessionError(
                .hello, connector: name,
                message: "answered Hello with \(reply.status?.code ?? .unknown): "
                    + readable((reply.status?.message ?? "").utf8))
        }
        try check(hello, name)
        connection.setPeerLimits(SessionLimits(hello.limits))
        return hello
    }

    private static func check(_ hello: Wire.HelloResponse, _ name: String) throws(SessionError) {
        guard protocolVersions.contains(hello.protocolVersion) else {
            let theirs = hello.protocolVersions.prefix(16).map(String.init).joined(separator: ", ")
            let ours = protocolVersions.map(String.init).joined(separator: ", ")
            throw SessionError(
                .protocolVersion, connector: name,
                message: "speaks protocol versions [\(theirs)], this host [\(ours)]: none in common",
                fix: (hello.protocolVersions.min() ?? 0) > (protocolVersions.max() ?? 0)
                    ? "Update trstctl, or install an older release of the connector." : "Update the connector.")
        }
        guard Array((hello.description?.name ?? "").utf8) == Array(name.utf8) else {
            let found = readable((hello.description?.name ?? "").utf8, limit: 128)
            throw SessionError(
                .name, connector: name, message: "calls itself \"\(found)\"; its file was found under another name",
                fix:
                    "Rename the file to trstctl-connector-\(found), or install the connector that belongs to this name."
            )
        }
    }
}

extension HandshakeLineError {
    fileprivate var code: SessionError.Code {
        switch self {
        case .tooLong, .notAHandshake, .badName: .handshakeGrammar
        case .otherVersion: .handshakeVersion
        case .outsideDirectory: .handshakePath
        }
    }

    fileprivate var expectation: String {
        switch self {
        case .tooLong: "printed an overlong handshake line"
        case .notAHandshake: "must print \"TRSTCTL-PLUGIN-V1 <socket-path>\" first, and nothing before it on stdout"
        case .otherVersion: "speaks another version of the handshake than TRSTCTL-PLUGIN-V1"
        case .outsideDirectory: "must bind its socket in the directory that $TRSTCTL_PLUGIN_SOCKET_DIR names"
        case .badName: "must name its socket with 1 to 32 of A-Z a-z 0-9 . _ -"
        }
    }
}

extension DialError {
    fileprivate var code: SessionError.Code {
        if case .foreignPeer = self { .handshakePeer } else { .handshakeSocket }
    }

    fileprivate var explanation: String {
        switch self {
        case .notASocket: "that is not a stream socket"
        case .foreignSocket(let uid): "that socket belongs to user \(uid)"
        case .foreignPeer(let pid): "process \(pid) listens there, which is not the connector; nothing was sent to it"
        case .system(let error): "\(error)"
        }
    }
}
