import TrstctlConnector

/// A target's configuration, understood.
struct Site {
    /// A file that NGINX reads.
    struct File {
        var path: String
        var mode: UInt32
        /// Whether the key is in it.
        var holdsKey: Bool
        /// Whether the certificate is in it.
        var holdsCertificate: Bool

        /// What it must contain.
        func content(_ deployment: Deployment) -> [Segment] {
            (holdsCertificate ? [.bytes(deployment.fullchain)] : []) + (holdsKey ? [.secret(.key)] : [])
        }
    }

    /// In the order in which they are written: the key first, so that no new certificate ever waits for its key.
    var files: [File]
    /// The command that tests the configuration.
    var test: [String]
    /// The command that reloads.
    var reload: [String]
    var probe: ProbeAddress?
    /// How long NGINX may take to serve the certificate.
    var probeTimeoutMilliseconds: Int

    /// - Throws: `invalidConfiguration`.
    init(_ target: Target) throws(ConnectorError) {
        let config = target.config
        let keyMode = try Site.mode("key_mode", config)
        switch (config.textIfSet("certificate"), config.textIfSet("key"), config.textIfSet("combined")) {
        case (let certificate?, let key?, nil):
            guard certificate != key else {
                throw .invalidConfiguration(
                    "`certificate` and `key` are the same file", fix: "combined: \(certificate)")
            }
            files = [
                File(path: key, mode: keyMode, holdsKey: true, holdsCertificate: false),
                File(
                    path: certificate, mode: try Site.mode("certificate_mode", config), holdsKey: false,
                    holdsCertificate: true),
            ]
        case (nil, nil, let combined?):
            files = [File(path: combined, mode: keyMode, holdsKey: true, holdsCertificate: true)]
        default:
            throw .invalidConfiguration(
                "NGINX needs either `certificate` and `key`, or `combined`",
                fix: "config: { certificate: /etc/nginx/tls/www.crt, key: /etc/nginx/tls/www.key }")
        }
        let command = try Site.command("nginx", try config.list("nginx"))
        test = command + ["-t"]
        reload =
            try config.listIfSet("reload").map { list throws(ConnectorError) in
                try Site.command("reload", list)
            } ?? command + ["-s", "reload"]
        probe = target.probe
        let seconds = try config.integer("probe_timeout_seconds")
        guard (1...600).contains(seconds) else {
            throw .invalidConfiguration("`probe_timeout_seconds` is \(seconds), it must be 1 to 600")
        }
        probeTimeoutMilliseconds = Int(seconds) * 1000
    }

    private static func command(_ field: String, _ list: [String]) throws(ConnectorError) -> [String] {
        guard list.first?.utf8.first == UInt8(ascii: "/") else {
            throw .invalidConfiguration("`\(field)` must begin with the absolute path of a program")
        }
        return list
    }

    /// Permissions, octal, as chmod(1) takes them: 1 to 0777.
    private static func mode(_ field: String, _ config: Configuration) throws(ConnectorError) -> UInt32 {
        let text = try config.text(field)
        guard let mode = UInt32(text, radix: 8), (1...0o777).contains(mode), !text.hasPrefix("+") else {
            throw .invalidConfiguration(
                "`\(field)` is `\(text)`, it must be octal permissions", fix: "\(field): \"0600\"")
        }
        return mode
    }
}
