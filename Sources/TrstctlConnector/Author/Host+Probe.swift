internal import TrstctlWire

/// What to speak before TLS.
public enum StartTLS: Sendable, Hashable, CaseIterable {
    /// Nothing: TLS from the first byte.
    case none
    case smtp, imap, pop3, ldap, postgres, mysql

    /// A word that this version does not know is nothing: the probe then fails, as it would have to.
    init(_ message: Wire.ProbeTlsRequest.StartTls) {
        self = StartTLS.allCases.first { $0.message == message } ?? .none
    }

    var message: Wire.ProbeTlsRequest.StartTls {
        switch self {
        case .none: .none
        case .smtp: .smtp
        case .imap: .imap
        case .pop3: .pop3
        case .ldap: .ldap
        case .postgres: .postgres
        case .mysql: .mysql
        }
    }
}

/// What a TLS server shows.
public struct ServedCertificates: Sendable {
    /// The leaf's fingerprint; nil when the server showed no certificate, or in a rehearsal.
    public var fingerprint: Fingerprint?
    /// The leaf's subject.
    public var subject: String
    /// The leaf's subject alternative names.
    public var names: [String]
    /// The end of the leaf's validity, seconds since the Unix epoch.
    public var notAfter: Int64
    /// How many certificates it sent, the leaf included.
    public var count: Int
    /// For example `TLSv1.3`.
    public var version: String
    /// Whether the chain verifies against the system's trust store.
    ///
    /// Information, not a condition.
    public var isVerified: Bool
    /// Whether the answer shows what would be served, see ``Host/isRecording``.
    public var isPlanned: Bool

    init(_ response: Wire.ProbeTlsResponse) {
        let leaf = response.certificates.first
        fingerprint = leaf.flatMap { Fingerprint(hexadecimal: $0.fingerprint) }
        subject = leaf?.subject ?? ""
        names = leaf?.names ?? []
        notAfter = leaf?.notAfter ?? 0
        count = response.certificates.count
        version = response.protocol
        isVerified = response.verified
        isPlanned = response.planned
    }
}

extension Host {
    /// Makes a TLS handshake and tells what the server showed.
    ///
    /// Needs ``Grant/dial(_:)``.
    ///
    /// - Parameters:
    ///   - address: `host:port`, the name for SNI, and what to speak first.
    ///   - timeoutMilliseconds: 1 to 60 000.
    /// - Returns: what the server showed.
    /// - Throws: `unavailable` when nobody answers.
    public func probeTLS(
        _ address: ProbeAddress, timeoutMilliseconds: Int = 5000
    ) throws(ConnectorError) -> ServedCertificates {
        let call = Wire.ProbeTlsRequest(
            address: address.address, serverName: address.serverName, startTls: address.startTLS.message,
            timeoutMilliseconds: UInt32(clamping: timeoutMilliseconds))
        guard case .probeTls(let response) = try request(.probeTls(call)) else { throw Host.mismatch }
        return ServedCertificates(response)
    }
}
