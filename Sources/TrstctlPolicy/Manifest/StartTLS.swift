package import TrstctlWire

/// What is spoken before a TLS handshake where a protocol has one port for both; the raw value is the manifest's word.
package enum StartTLS: String, Hashable, Sendable, CaseIterable {
    case smtp, imap, pop3, ldap, postgres, mysql

    /// How connectors are told.
    package var message: Wire.ProbeTlsRequest.StartTls {
        switch self {
        case .smtp: .smtp
        case .imap: .imap
        case .pop3: .pop3
        case .ldap: .ldap
        case .postgres: .postgres
        case .mysql: .mysql
        }
    }

    /// What a connector asks for; nil for TLS from the first byte, and for what this host does not know.
    package init?(_ message: Wire.ProbeTlsRequest.StartTls) {
        guard let known = StartTLS.allCases.first(where: { $0.message == message }) else { return nil }
        self = known
    }
}
