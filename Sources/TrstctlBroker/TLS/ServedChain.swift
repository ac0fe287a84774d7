package import TrstctlCrypto

/// What a TLS server showed in a handshake that it completed: it holds the leaf's private key.
package struct ServedChain: Sendable {
    /// The system's opinion on the chain and the server name; information for people, never a decision.
    package enum SystemTrust: Equatable, Sendable {
        case trusted
        /// OpenSSL's reason, for example `self-signed certificate`.
        case untrusted(String)
    }

    /// The address that answered, for example `127.0.0.1:443`.
    package var address: String
    /// The leaf first, as sent; never empty.
    package var certificates: [Certificate]
    /// For example `TLSv1.3`.
    package var protocolVersion: String
    /// See `SystemTrust`.
    package var systemTrust: SystemTrust

    /// Puts an answer together; `run` of `TLSProbe` makes real ones.
    package init(
        address: String, certificates: [Certificate], protocolVersion: String, systemTrust: SystemTrust
    ) {
        self.address = address
        self.certificates = certificates
        self.protocolVersion = protocolVersion
        self.systemTrust = systemTrust
    }

    /// Lower-case hexadecimal SHA-256 of the leaf's DER; empty when there is none.
    package var fingerprint: String { certificates.first?.fingerprintText ?? "" }
}
