internal import CTrstctlSystem
internal import Glibc
internal import TrstctlSystem
internal import TrstctlWire

/// Runs a connector: the handshake with the host, then its calls, until the host ends the session.
///
/// It never returns.
///
/// Exit statuses: 0 when the host asked for the end or closed the connection, 2 when the process was not started by
/// a host, 70 when the host broke the protocol, 71 when a system call failed.
///
/// - Parameter connector: what runs the calls.
public func serve(_ connector: some Connector) -> Never {
    let name = type(of: connector).name
    do {
        let socket = try connect(connectorName: name)
        let session = Session(connector, socket: socket) { end in leave(end, name) }
        leave(session.run(), name)
    } catch let error as LaunchError {
        StandardStreams.complain(error.message)
        exit(error.exitStatus)
    } catch {
        StandardStreams.complain("trstctl-connector-\(name): \(error)")
        exit(EX_OSERR)
    }
}

/// The handshake of `spec/handshake.md`, from the connector's side.
private func connect(connectorName: String) throws -> OwnedDescriptor {
    let stdout = try StandardStreams.takeOver()
    let environment = try LaunchEnvironment(connectorName: connectorName) { name in
        getenv(name).map { value in Array(UnsafeRawBufferPointer(start: value, count: strlen(value))) }
    }
    trstctl_tune_malloc()
    signal(SIGPIPE, SIG_IGN)
    umask(0o077)
    let listener = try Listener(path: environment.socketPath)
    try StandardStreams.write(HandshakeLine(socketPath: environment.socketPath).bytes, to: stdout.raw)
    _ = stdout.release()
    return try listener.accept(only: environment.hostUser)
}

private func leave(_ end: SessionEnd, _ name: String) -> Never {
    switch end {
    case .hostGone, .shutdown:
        fflush(nil)
        _exit(0)
    case .violation(let error):
        StandardStreams.complain("trstctl-connector-\(name): the host broke the protocol: \(error)")
        _exit(70)
    }
}
