/// How each server is told to speak one thing on loopback, and nothing else: see exim4(8), dovecot(1), slapd.conf(5),
/// mariadbd(8).
extension RealServer.Kind {
    var protocols: [String] {
        switch self {
        case .exim: ["smtp"]
        case .dovecot: ["imap", "pop3"]
        case .slapd: ["ldap"]
        case .mariadb: ["mysql"]
        }
    }

    /// - Parameters:
    ///   - data: a directory that it may write to.
    ///   - pem: certificate, chain and key in one file; nil for a server without TLS.
    ///   - ports: where to listen.
    ///   - user: who runs it.
    ///   - group: the user's.
    /// - Returns: the file's text.
    func configuration(data: String, pem: String?, ports: [String: UInt16], user: String, group: String) -> String {
        switch self {
        case .exim:
            """
            primary_hostname = mail.example
            spool_directory = \(data)
            log_file_path = \(data)/%s.log
            pid_file_path = \(data)/pid
            keep_environment =
            host_lookup =
            rfc1413_hosts =
            tls_advertise_hosts = \(pem == nil ? "" : "*")
            \(pem.map { "tls_certificate = \($0)\ntls_privatekey = \($0)" } ?? "")

            """
        case .dovecot:
            // The accounts of Debian's packages are for a Dovecot that root starts.
            """
            base_dir = \(data)/run
            state_dir = \(data)/state
            log_path = /dev/stderr
            protocols = imap pop3
            listen = 127.0.0.1
            default_internal_user = \(user)
            default_internal_group = \(group)
            default_login_user = \(user)
            ssl = \(pem == nil ? "no" : "required")
            \(pem.map { "ssl_cert = <\($0)\nssl_key = <\($0)" } ?? "")
            passdb {
              driver = static
              args = nopassword=y
            }
            service anvil {
              chroot =
            }
            service stats {
              chroot =
            }
            \(["imap", "pop3"].map { login($0, port: ports[$0] ?? 0) }.joined(separator: "\n"))

            """
        case .slapd:
            "pidfile \(data)/pid\n" + (pem.map { "TLSCertificateFile \($0)\nTLSCertificateKeyFile \($0)\n" } ?? "")
        case .mariadb: ""
        }
    }

    private func login(_ name: String, port: UInt16) -> String {
        """
        service \(name)-login {
          chroot =
          inet_listener \(name) {
            port = \(port)
          }
          inet_listener \(name)s {
            port = 0
          }
        }
        """
    }

    /// The command line after the program's name; it stays in the foreground.
    func arguments(_ configuration: String, data: String, pem: String?, ports: [String: UInt16]) -> [String] {
        switch self {
        case .exim: ["-C", configuration, "-bdf", "-oX", "127.0.0.1.\(ports["smtp"] ?? 0)"]
        case .dovecot: ["-F", "-c", configuration]
        case .slapd: ["-d", "0", "-f", configuration, "-h", "ldap://127.0.0.1:\(ports["ldap"] ?? 0)/"]
        case .mariadb:
            // Without its own tables it starts at once, and knows nobody, which a handshake does not need.
            [
                "--no-defaults", "--datadir=\(data)", "--bind-address=127.0.0.1", "--port=\(ports["mysql"] ?? 0)",
                "--socket=\(data)/socket", "--skip-grant-tables", "--skip-innodb",
                "--default-storage-engine=MyISAM",
            ] + (pem.map { ["--ssl-cert=\($0)", "--ssl-key=\($0)"] } ?? ["--skip-ssl"])
        }
    }
}
