internal import Glibc
internal import TrstctlSystem
internal import TrstctlWire

/// Why a connector does not start.
package struct LaunchError: Error, Sendable, Equatable {
    /// The process's exit status: 2 for a wrong environment, 71 for a failed system call (`EX_OSERR` of sysexits.h).
    package var exitStatus: Int32
    /// For stderr.
    package var message: String
}

/// What the host says in the environment, see `spec/handshake.md`.
struct LaunchEnvironment: Equatable {
    /// The longest path that a socket address holds, without its NUL: `sun_path` has 108 bytes (unix(7)).
    static let maximumSocketPath = 107

    /// Where to bind.
    var socketPath: [UInt8]
    /// The only user to serve; nil when the host did not say.
    var hostUser: UInt32?

    /// - Parameters:
    ///   - connectorName: for messages.
    ///   - value: the value of an environment variable; nil when it is not set.
    /// - Throws: `LaunchError` with status 2.
    init(connectorName: String, _ value: (String) -> [UInt8]?) throws(LaunchError) {
        guard let cookie = value(ConnectorEnvironment.cookieName) else {
            throw LaunchError(exitStatus: 2, message: LaunchEnvironment.usage(connectorName))
        }
        guard cookie == Array(ConnectorEnvironment.cookie.utf8) else {
            throw LaunchEnvironment.wrong(
                ConnectorEnvironment.cookieName, "another value than this connector knows",
                LaunchEnvironment.usage(connectorName))
        }
        guard let version = value(ConnectorEnvironment.handshakeVersion).flatMap(LaunchEnvironment.number),
            version >= HandshakeLine.version
        else {
            throw LaunchEnvironment.wrong(
                ConnectorEnvironment.handshakeVersion, "no number, or below \(HandshakeLine.version)",
                "The host is too old for this connector, or is not trstctl.")
        }
        let name = ConnectorEnvironment.socketDirectory
        guard let directory = value(name), directory.first == UInt8(ascii: "/") else {
            throw LaunchEnvironment.wrong(name, "no absolute path", "It must name the directory for the socket.")
        }
        socketPath = directory + Array("/s".utf8)
        guard socketPath.count <= LaunchEnvironment.maximumSocketPath else {
            throw LaunchEnvironment.wrong(
                name, "a path of \(directory.count) bytes",
                "A socket's path has at most \(LaunchEnvironment.maximumSocketPath) bytes, so the directory's at most "
                    + "\(LaunchEnvironment.maximumSocketPath - 2). Give the host a shorter runtime directory.")
        }
        if let user = value(ConnectorEnvironment.hostUser) {
            guard let number = LaunchEnvironment.number(user) else {
                throw LaunchEnvironment.wrong(ConnectorEnvironment.hostUser, "no user id", "It must be a number.")
            }
            hostUser = number
        }
    }

    private static func wrong(_ name: String, _ found: String, _ advice: String) -> LaunchError {
        LaunchError(exitStatus: 2, message: "environment variable \(name) holds \(found). \(advice)")
    }

    /// A decimal number without sign, or nil.
    private static func number(_ text: [UInt8]) -> UInt32? {
        guard (1...10).contains(text.count), text.allSatisfy(\.isASCIIDigit) else { return nil }
        return UInt32(String(decoding: text, as: UTF8.self))
    }

    private static func usage(_ name: String) -> String {
        """
        trstctl-connector-\(name) is a trstctl connector. It is not run by hand; trstctl starts it.
        Put it into a plugin directory, for example ~/.trstctl/plugins, then type:
          trstctl plugin inspect \(name)
          trstctl plugin pin \(name)
        """
    }
}
