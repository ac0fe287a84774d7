import TrstctlPolicy
import TrstctlSystem

/// How a peer is verified and how the host presents itself, with everything in memory.
struct TLSSettings: Sendable {
    /// PEM that replaces the system's authorities; nil takes those.
    var authorities: Bytes?
    /// SHA-256 of the server's SubjectPublicKeyInfo.
    var publicKeyPin: [UInt8]?
    /// PEM of the client certificate and its chain.
    var clientCertificate: Bytes?
    /// PEM of the client certificate's key.
    var clientKey: Bytes?
    /// The name to verify and to send; nil takes the address's host.
    var serverName: DNSName?
}
