package import TrstctlProcess

/// Why a connector could not be started, or did not keep running.
///
/// It stops this connector only. The text names the stage, what was expected and found, the exit status, and what the
/// connector printed last.
package struct SessionError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What went wrong; stable, for tests, audit and JSON.
    package enum Code: String, CaseIterable, Sendable {
        /// The process could not be started, or a layer of its confinement not be applied.
        case spawn
        case handshakeTimeout = "handshake-timeout"
        /// It ended, or closed stdout, before the handshake line.
        case handshakeExited = "handshake-exited"
        /// What it printed first is not the handshake line.
        case handshakeGrammar = "handshake-grammar"
        case handshakeVersion = "handshake-version"
        /// The announced socket is not in the directory that the host made.
        case handshakePath = "handshake-path"
        /// The announced path is no socket of the connector's.
        case handshakeSocket = "handshake-socket"
        /// Another process listens on the socket.
        case handshakePeer = "handshake-peer"
        /// It violated the protocol or did not answer Hello.
        case hello
        case protocolVersion = "protocol-version"
        case name
        /// It ended during a call.
        case crashed
        case protocolViolation = "protocol-violation"
        /// It did not answer in time.
        case timeout
        /// A call is longer than it accepts.
        case tooLong = "too-long"
        case cancelled
    }

    package var code: Code
    /// The connector's name.
    package var connector: String
    package var message: String
    /// How the process ended, when it did.
    package var exit: ExitStatus?
    /// The last lines that it printed on stderr, sanitised.
    package var output: [String]
    package var fix: String
    /// The stable word of the error below this one, when it says more than `code`: which layer, which violation.
    package var cause: String?

    package init(
        _ code: Code, connector: String, message: String, exit: ExitStatus? = nil, output: [String] = [],
        fix: String = "", cause: String? = nil
    ) {
        self.code = code
        self.connector = connector
        self.message = message
        self.exit = exit
        self.output = output
        self.fix = fix
        self.cause = cause
    }

    package var description: String {
        var text = "connector \(connector): \(message)"
        if let exit { text += " (\(exit))" }
        if !output.isEmpty {
            text += "\n  it printed last:\n" + output.suffix(8).map { "    \($0)" }.joined(separator: "\n")
        }
        if !fix.isEmpty { text += "\n  \(fix)" }
        return text
    }

    package static func == (left: SessionError, right: SessionError) -> Bool { left.code == right.code }
    package func hash(into hasher: inout Hasher) { hasher.combine(code) }
}
