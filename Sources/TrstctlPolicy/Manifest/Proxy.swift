/// The HTTP proxy through which a target's requests leave, as the operator writes it.
package struct Proxy: Hashable, Sendable {
    /// Who asks, for a proxy that wants to know (RFC 7617).
    package struct User: Hashable, Sendable {
        /// 1 to 255 bytes without colons and control characters.
        package var name: String
        /// Where the password is.
        package var password: SecretOrigin

        package init(name: String, password: SecretOrigin) {
            self.name = name
            self.password = password
        }
    }

    /// Where it listens.
    package var address: DialAddress
    /// Nil for a proxy that does not ask.
    package var user: User?

    package init(address: DialAddress, user: User? = nil) {
        self.address = address
        self.user = user
    }
}
