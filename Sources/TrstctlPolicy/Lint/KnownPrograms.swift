import TrstctlSystem

/// Programs whose arguments, or whose configuration, say what they do.
enum KnownPrograms {
    private static let configuration: [(names: [String], paths: [String])] = [
        (
            ["nginx", "openresty", "angie", "freenginx"],
            [
                "/etc/nginx/nginx.conf", "/etc/nginx/conf.d/", "/etc/nginx/sites-enabled/",
                "/etc/nginx/sites-available/", "/etc/nginx/modules-enabled/", "/etc/nginx/modules-available/",
                "/etc/nginx/modules/", "/etc/angie/angie.conf", "/usr/local/nginx/conf/nginx.conf",
                "/usr/local/openresty/nginx/conf/nginx.conf",
            ]
        ),
        (
            ["apache2", "apache2ctl", "apachectl", "httpd"],
            [
                "/etc/apache2/apache2.conf", "/etc/apache2/envvars", "/etc/apache2/conf-enabled/",
                "/etc/apache2/conf-available/", "/etc/apache2/mods-enabled/", "/etc/apache2/mods-available/",
                "/etc/apache2/sites-enabled/", "/etc/apache2/sites-available/", "/etc/httpd/conf/",
                "/etc/httpd/conf.d/", "/etc/httpd/conf.modules.d/", "/etc/httpd/modules/",
            ]
        ),
        (["haproxy"], ["/etc/haproxy/haproxy.cfg", "/etc/haproxy/conf.d/", "/etc/haproxy/scripts/"]),
        (["postfix"], ["/etc/postfix/main.cf", "/etc/postfix/master.cf"]),
        (["dovecot", "doveadm"], ["/etc/dovecot/dovecot.conf", "/etc/dovecot/conf.d/"]),
        (["exim", "exim4"], ["/etc/exim4/", "/etc/exim/"]),
        (["caddy"], ["/etc/caddy/Caddyfile"]),
        (["traefik"], ["/etc/traefik/traefik.yml", "/etc/traefik/traefik.toml"]),
        (["stunnel", "stunnel4"], ["/etc/stunnel/stunnel.conf", "/etc/stunnel/conf.d/"]),
        (["sshd"], ["/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d/"]),
        (["systemctl"], ["/etc/systemd/", "/run/systemd/", "/usr/lib/systemd/", "/usr/local/lib/systemd/"]),
        (["service", "invoke-rc.d", "rc-service"], ["/etc/init.d/", "/etc/default/"]),
        (["logrotate"], ["/etc/logrotate.conf", "/etc/logrotate.d/"]),
    ]

    private static let managers: Set<String> = ["systemctl", "service", "invoke-rc.d", "rc-service"]
    private static let killers: Set<String> = ["kill", "pkill", "killall", "skill", "renice"]
    /// Verbs that change what services are, systemctl(1).
    private static let verbs: Set<String> = [
        "link", "edit", "enable", "reenable", "preset", "add-wants", "add-requires", "set-property", "set-environment",
        "import-environment", "bind", "mount-image", "switch-root", "soft-reboot", "kexec",
    ]

    /// The program's name, and the same without a version at its end: `python3.11` is `python`.
    static func names(_ program: AbsolutePath) -> [String] {
        let bytes = program.leaf?.array ?? []
        let end = bytes.lastIndex { !isDigit($0) && $0 != dot && $0 != UInt8(ascii: "-") }
        let isLoader = bytes.starts(with: Array("ld-linux".utf8)) || bytes.starts(with: Array("ld-musl".utf8))
        return [String(decoding: bytes, as: UTF8.self), String(decoding: bytes.prefix((end ?? -1) + 1), as: UTF8.self)]
            + (isLoader ? ["ld.so"] : [])
    }

    private static func isOne(_ program: AbsolutePath, of known: Set<String>) -> Bool {
        !known.isDisjoint(with: names(program))
    }

    /// What a hole in the command's arguments would choose, when that is more than a name or a number of its own; nil
    /// when it is not.
    static func choice(by grant: ExecGrant) -> String? {
        let power = power(of: grant.program)
        let holes = grant.arguments.map { $0.holes.filter { $0 != .fingerprint } }
        let words = holes.contains { $0.contains(where: \.isWord) }
        if words, power.isInterpreter { return "what it runs" }
        if words, isOne(grant.program, of: managers) { return "which service is meant, or what becomes of it" }
        if holes.contains(where: { !$0.isEmpty }), isOne(grant.program, of: killers) {
            return "which process gets a signal"
        }
        if power.obeysNumbers, holes.contains(where: { !$0.isEmpty }) { return "who may do what" }
        guard power.isVersatile else { return nil }
        var isValue = false
        for (argument, holes) in zip(grant.arguments, holes) {
            // A hole in a path stays in its directory; a word of its own is a verb, an option's value or a file.
            let isFree = argument.literalPrefix.isEmpty || isValue || power.isRunningOption(argument)
            if isFree, holes.contains(where: \.isWord) { return "what it does, or with which file or host" }
            isValue = power.isRunningOption(argument)
        }
        return nil
    }

    /// True for systemctl with a verb that changes what services are.
    static func controlsServices(_ grant: ExecGrant) -> Bool {
        guard isOne(grant.program, of: ["systemctl"]) else { return false }
        // A hole in its place is a finding of its own, `choice`.
        return grant.arguments.contains { $0.literal?.text.map { verbs.contains($0) } ?? false }
    }

    /// The configuration of what the command runs, of the service that it restarts, or of the command behind a wrapper
    /// such as `timeout`; empty when none is known.
    static func configuration(of grant: ExecGrant) -> [PathGrant] {
        var known = Set(names(grant.program))
        if isOne(grant.program, of: managers) || power(of: grant.program).isInterpreter {
            for text in grant.arguments.compactMap({ $0.literal?.text }) {
                for word in text.split(whereSeparator: { " \t\n;&|()'\"".contains($0) }) {
                    let leaf = word.split(separator: "/").last.map(String.init) ?? ""
                    known.insert(leaf.hasSuffix(".service") ? String(leaf.dropLast(8)) : leaf)
                }
            }
        }
        return configuration.filter { entry in entry.names.contains(where: known.contains) }
            .flatMap { $0.paths.compactMap { try? PathGrant($0) } }
    }

    /// True for tar and its like when they take files out of an archive.
    static func unpacks(_ grant: ExecGrant) -> Bool {
        if isOne(grant.program, of: ["unzip", "7z", "7za", "7zz"]) { return true }
        guard isOne(grant.program, of: ["tar", "gtar", "bsdtar"]) else { return false }
        return grant.arguments.enumerated().contains { index, argument in
            guard let text = argument.literal?.text else { return false }
            if text == "--extract" || text == "--get" { return true }
            let isMode = text.hasPrefix("-") ? !text.hasPrefix("--") : index == 0
            return isMode && text.contains("x")
        }
    }
}

extension Hole {
    /// True for a word of the connector's choice, not a number.
    fileprivate var isWord: Bool {
        if case .word = self { true } else { false }
    }
}
