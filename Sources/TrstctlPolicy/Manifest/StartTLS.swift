/// What is spoken before a TLS handshake where a protocol has one port for both; the raw value is the manifest's word.
package enum StartTLS: String, Hashable, Sendable, CaseIterable {
    case smtp, imap, pop3, ldap, postgres, mysql
}
