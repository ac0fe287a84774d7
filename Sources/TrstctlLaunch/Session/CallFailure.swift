package import TrstctlWire

/// Why a call to a connector has no reply.
package enum CallFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// The deadline passed; the connector was told to cancel.
    case deadlineExceeded
    /// The calling task was cancelled; the connector was told.
    case cancelled
    /// The call is longer than the connector accepts.
    case tooLong(bytes: Int, limit: Int)
    /// The connection is over: why.
    case closed(ConnectionEnd)

    package var description: String {
        switch self {
        case .deadlineExceeded: "the connector did not answer before the deadline"
        case .cancelled: "the call was cancelled"
        case .tooLong(let bytes, let limit): "the call has \(bytes) bytes, and the connector accepts \(limit)"
        case .closed(let end): end.description
        }
    }

    /// The stable word of a violation; nil where the failure is none.
    var cause: String? {
        switch self {
        case .closed(.violation(let error)): error.code.rawValue
        case .deadlineExceeded: "timeout"
        default: nil
        }
    }
}

/// Why a connection ended.
package enum ConnectionEnd: Error, Hashable, Sendable, CustomStringConvertible {
    /// The host closed it.
    case closedByHost
    /// The connector closed it, or died.
    case closedByConnector
    /// The connector violated the protocol.
    case violation(WireError)
    /// The connector stopped reading.
    case writeStalled
    /// A system call failed.
    case failed(String)

    package var description: String {
        switch self {
        case .closedByHost: "the host ended the session"
        case .closedByConnector: "the connector closed the connection"
        case .violation(let error): "the connector violated the protocol: \(error)"
        case .writeStalled: "the connector stopped reading"
        case .failed(let reason): "the connection failed: \(reason)"
        }
    }
}
