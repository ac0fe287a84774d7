/// The environment variables through which the host tells a connector where to listen, see `spec/handshake.md`.
package enum ConnectorEnvironment {
    /// The private directory in which the connector binds its socket.
    package static let socketDirectory = "TRSTCTL_PLUGIN_SOCKET_DIR"
    /// Says, with the value `cookie`, that a host started the process; it is no secret.
    package static let cookieName = "TRSTCTL_PLUGIN_COOKIE"
    package static let cookie = "trstctl-plugin-6f2d1c"
    /// The highest version of the handshake that the host understands.
    package static let handshakeVersion = "TRSTCTL_PLUGIN_HANDSHAKE"
    /// The host's user id as a number: the only peer that the connector serves.
    package static let hostUser = "TRSTCTL_HOST_UID"
}
