/// Why a probe saw no certificate: at which step, at which address, and the reason.
package struct ProbeError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What happened.
    package enum Code: String, Sendable {
        /// The host, port or server name cannot be dialled or named.
        case invalidTarget
        /// The name has no address.
        case unresolved
        /// Nothing listens.
        case refused
        /// The network does not lead there.
        case unreachable
        case timedOut
        /// What answers does not speak TLS.
        case notTLS
        /// The proxy does not want to connect to it, or speaks something else.
        case proxy
        /// The peer closed the connection before the handshake was done.
        case closed
        /// TLS, but no agreement: an alert, or a violation of the protocol.
        case handshake
        /// The peer sent more than a handshake has.
        case tooMuch
        /// A local failure: descriptors, memory, OpenSSL.
        case local
    }

    /// The steps of a probe.
    package enum Stage: String, Sendable {
        case resolve, connect, handshake
    }

    /// What happened.
    package var code: Code
    /// The step it happened in.
    package var stage: Stage
    /// What was dialled, for example `127.0.0.1:443`.
    package var address: String
    /// One line for people, printable.
    package var reason: String

    /// Puts an error together.
    package init(_ code: Code, _ stage: Stage, _ address: String, _ reason: String) {
        self.code = code
        self.stage = stage
        self.address = address
        self.reason = reason
    }

    package var description: String { "TLS probe of \(address), \(stage.rawValue): \(reason)" }
}
