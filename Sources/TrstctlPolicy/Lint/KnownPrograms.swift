import TrstctlSystem

/// Files from which a program takes what it does.
struct ConfigurationPlace: Hashable, Sendable {
    /// The file, or the directory that all of them lie below.
    let rule: PathGrant
    /// What stands behind the directory, `*.conf` or `*/conf.d/*.conf`; empty when every file counts.
    private let names: [[UInt8]]
    /// As the table has it.
    let text: String

    /// Reads `/file`, `/directory/` or `/directory/*.conf`; a star stands at the beginning of a name.
    init?(_ text: String) {
        let bytes = Array(text.utf8)
        let star = bytes.firstIndex(of: ConfigurationPlace.star) ?? bytes.endIndex
        guard let rule = try? PathGrant(Bytes(Array(bytes[..<star]))) else { return nil }
        self.rule = rule
        self.text = text
        names = bytes[star...].split(separator: slash).map { Array($0) }
    }

    private static let star = UInt8(ascii: "*")

    /// True when a rule that meets this place, in one of its spellings, covers one of its files.
    func isMet(by other: PathGrant, at spelling: PathGrant) -> Bool {
        guard !names.isEmpty else { return true }
        let parts = other.path.components(below: spelling.path) ?? []
        let isDeepEnough = other.extent == .below ? parts.count < names.count : parts.count == names.count
        return isDeepEnough && zip(parts, names).allSatisfy { ConfigurationPlace.matches($0.array, $1) }
    }

    private static func matches(_ part: [UInt8], _ name: [UInt8]) -> Bool {
        guard name.first == star else { return part == name }
        return part.suffix(name.count - 1).elementsEqual(name.dropFirst())
    }
}

/// Programs whose arguments, or whose configuration, say what they do.
enum KnownPrograms {
    // A star stands for one name: only what the program's own lines include is its configuration, so
    // that a certificate beside it is none.
    private static let configuration: [(names: [String], paths: [String])] = [
        (
            ["nginx", "openresty", "angie", "freenginx"],
            [
                "/etc/nginx/nginx.conf", "/etc/nginx/conf.d/*.conf", "/etc/nginx/sites-enabled/*",
                "/etc/nginx/sites-available/*", "/etc/nginx/modules-enabled/*.conf", "/etc/nginx/modules-available/",
                "/etc/nginx/modules/", "/etc/nginx/snippets/*.conf", "/etc/nginx/default.d/*.conf",
                "/etc/nginx/mime.types", "/etc/nginx/fastcgi_params", "/etc/nginx/fastcgi.conf",
                "/etc/nginx/proxy_params", "/etc/nginx/scgi_params", "/etc/nginx/uwsgi_params",
                "/usr/share/nginx/modules/*.conf", "/etc/angie/angie.conf", "/etc/angie/http.d/*.conf",
                "/usr/local/nginx/conf/nginx.conf", "/usr/local/openresty/nginx/conf/nginx.conf",
            ]
        ),
        (
            ["apache2", "apache2ctl", "apachectl", "httpd"],
            [
                "/etc/apache2/apache2.conf", "/etc/apache2/envvars", "/etc/apache2/ports.conf", "/etc/apache2/magic",
                "/etc/apache2/conf-enabled/*.conf", "/etc/apache2/conf-available/*.conf",
                "/etc/apache2/mods-enabled/*.load", "/etc/apache2/mods-enabled/*.conf",
                "/etc/apache2/mods-available/*.load", "/etc/apache2/mods-available/*.conf",
                "/etc/apache2/sites-enabled/*.conf", "/etc/apache2/sites-available/*.conf",
                "/etc/httpd/conf/httpd.conf", "/etc/httpd/conf/magic", "/etc/httpd/conf.d/*.conf",
                "/etc/httpd/conf.modules.d/*.conf", "/etc/httpd/modules/", "/usr/local/apache2/conf/httpd.conf",
                "/usr/local/apache2/conf/extra/*.conf", "/usr/local/apache2/modules/",
                "/usr/local/apache2/bin/envvars",
            ]
        ),
        (["haproxy"], ["/etc/haproxy/haproxy.cfg", "/etc/haproxy/conf.d/*.cfg", "/etc/haproxy/scripts/"]),
        (
            ["postfix"],
            [
                "/etc/postfix/main.cf", "/etc/postfix/master.cf", "/etc/postfix/dynamicmaps.cf",
                "/etc/postfix/dynamicmaps.cf.d/", "/etc/postfix/postfix-script", "/etc/postfix/post-install",
            ]
        ),
        (
            ["dovecot", "doveadm"],
            [
                "/etc/dovecot/dovecot.conf", "/etc/dovecot/local.conf", "/etc/dovecot/conf.d/*.conf",
                "/etc/dovecot/conf.d/*.ext", "/etc/dovecot/*.ext",
            ]
        ),
        (
            ["exim", "exim4"],
            [
                "/etc/exim4/exim4.conf", "/etc/exim4/exim4.conf.template", "/etc/exim4/exim4.conf.localmacros",
                "/etc/exim4/update-exim4.conf.conf", "/etc/exim4/conf.d/", "/etc/exim/exim.conf", "/etc/exim.conf",
            ]
        ),
        (
            ["lighttpd"],
            [
                "/etc/lighttpd/lighttpd.conf", "/etc/lighttpd/modules.conf", "/etc/lighttpd/conf-enabled/*.conf",
                "/etc/lighttpd/conf-available/*.conf", "/etc/lighttpd/conf.d/*.conf",
                "/etc/lighttpd/vhosts.d/*.conf",
            ]
        ),
        (
            ["named", "bind9", "rndc"],
            ["/etc/named.conf", "/etc/named/*.conf", "/etc/bind/*.conf", "/etc/bind/*.local"]
        ),
        (
            ["postgresql", "postgres", "pg_ctl", "pg_ctlcluster"],
            [
                "/etc/postgresql/*/*/*.conf", "/etc/postgresql/*/*/conf.d/*.conf", "/etc/postgresql/*/*/environment",
                "/etc/postgresql-common/*.conf", "/var/lib/postgresql/*/*/*.conf", "/var/lib/pgsql/*/*.conf",
                "/var/lib/pgsql/*/data/*.conf",
            ]
        ),
        (
            ["mysql", "mysqld", "mysqladmin", "mysqld_safe", "mariadb", "mariadbd", "mariadb-admin"],
            [
                "/etc/my.cnf", "/etc/my.cnf.d/*.cnf", "/etc/mysql/*.cnf", "/etc/mysql/conf.d/*.cnf",
                "/etc/mysql/mysql.conf.d/*.cnf", "/etc/mysql/mariadb.conf.d/*.cnf", "/root/.my.cnf",
            ]
        ),
        (
            ["slapd"],
            [
                "/etc/ldap/slapd.conf", "/etc/ldap/slapd.d/", "/etc/openldap/slapd.conf", "/etc/openldap/slapd.d/",
            ]
        ),
        (
            ["freeradius", "radiusd"],
            [
                "/etc/freeradius/*.conf", "/etc/freeradius/3.0/*.conf", "/etc/freeradius/3.0/sites-enabled/",
                "/etc/freeradius/3.0/mods-enabled/",
                "/etc/freeradius/3.0/mods-config/", "/etc/raddb/*.conf", "/etc/raddb/sites-enabled/",
                "/etc/raddb/mods-enabled/", "/etc/raddb/mods-config/",
            ]
        ),
        (
            ["ipsec", "strongswan", "strongswan-starter", "swanctl", "charon-systemd"],
            [
                "/etc/ipsec.conf", "/etc/ipsec.d/*.conf", "/etc/strongswan.conf", "/etc/strongswan.d/*.conf",
                "/etc/strongswan.d/charon/*.conf",
                "/etc/strongswan/*.conf", "/etc/strongswan/strongswan.d/*.conf", "/etc/strongswan/swanctl/*.conf",
                "/etc/swanctl/swanctl.conf", "/etc/swanctl/conf.d/*.conf",
            ]
        ),
        (["caddy"], ["/etc/caddy/Caddyfile"]),
        (["traefik"], ["/etc/traefik/traefik.yml", "/etc/traefik/traefik.toml"]),
        (["stunnel", "stunnel4"], ["/etc/stunnel/*.conf", "/etc/stunnel/conf.d/*.conf"]),
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
        let end = bytes.lastIndex { !$0.isASCIIDigit && $0 != dot && $0 != UInt8(ascii: "-") }
        let isLoader = bytes.starts(with: Array("ld-linux".utf8)) || bytes.starts(with: Array("ld-musl".utf8))
        return [String(decoding: bytes, as: UTF8.self), String(decoding: bytes.prefix((end ?? -1) + 1), as: UTF8.self)]
            + (isLoader ? ["ld.so"] : [])
    }

    static func isOne(_ program: AbsolutePath, of known: Set<String>) -> Bool {
        !known.isDisjoint(with: names(program))
    }

    /// True for a program of which something is known, by its name.
    static func isKnown(_ program: AbsolutePath) -> Bool {
        hasPower(program) || isOne(program, of: managers) || isOne(program, of: killers)
    }

    /// True for what starts and stops services.
    static func isManager(_ program: AbsolutePath) -> Bool { isOne(program, of: managers) }

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
    static func configuration(of grant: ExecGrant) -> [ConfigurationPlace] {
        var known = Set(names(grant.program))
        if isOne(grant.program, of: managers) || power(of: grant.program).isInterpreter {
            for text in grant.arguments.compactMap({ $0.literal?.text }) {
                for word in text.split(whereSeparator: { " \t\n;&|()'\"".contains($0) }) {
                    let leaf = word.split(separator: "/").last.map(String.init) ?? ""
                    let unit = leaf.hasSuffix(".service") ? String(leaf.dropLast(8)) : leaf
                    known.insert(String(unit.prefix { $0 != "@" }))
                }
            }
        }
        return configuration.filter { entry in entry.names.contains(where: known.contains) }
            .flatMap { $0.paths.compactMap { ConfigurationPlace($0) } }
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
