import Testing
import TrstctlPolicy
import TrstctlSystem

@Suite("Linter: what grants amount to")
struct LintTests {
    private func path(_ text: String) throws -> AbsolutePath { try AbsolutePath(text) }

    private func context() throws -> LintContext {
        LintContext(
            manifest: [try path("/etc/trstctl/trstctl.yaml")], directory: try path("/etc/trstctl"),
            pluginDirectories: [try path("/usr/local/share/trstctl/plugins")],
            stateDirectory: try path("/var/lib/trstctl"))
    }

    private func plugin(
        read: [String] = [], write: [String] = [], dial: [String] = [], exec: [[String]] = [],
        acknowledge: [String] = []
    ) throws -> Plugin {
        Plugin(
            name: try #require(ConnectorName("x")), pins: [],
            grants: try GrantSet.parse(read: read, write: write, dial: dial, exec: exec),
            acknowledged: acknowledge.map { Acknowledgement($0) })
    }

    private func codes(_ plugin: Plugin, targets: [Target] = []) throws -> [LintCode] {
        let source = CredentialSource(
            name: try #require(EntryName("www")), certificate: "/etc/letsencrypt/live/www/fullchain.pem",
            key: "/etc/letsencrypt/live/www/privkey.pem")
        let manifest = Manifest(plugins: [plugin], credentials: [source], targets: targets)
        return Lint.findings(in: manifest, try context()).map(\.code)
    }

    private func target(_ key: String, _ value: String) throws -> Target {
        Target(
            name: try #require(EntryName("t")), connector: try #require(ConnectorName("x")),
            credential: try #require(EntryName("www")), config: [Target.Field(key: key, value: .string(value))])
    }

    @Test func `Exact files and harmless commands are nothing to warn of`() throws {
        let plugin = try plugin(
            read: ["/etc/nginx/tls/www.crt"], write: ["/etc/nginx/tls/www.crt", "/etc/nginx/tls/www.key"],
            dial: ["127.0.0.1:443", "unix:/run/haproxy/admin.sock"],
            exec: [["/usr/sbin/nginx", "-t"], ["/usr/bin/systemctl", "reload", "nginx"]])
        #expect(try codes(plugin, targets: [target("key", "/etc/nginx/tls/www.key")]) == [])
    }

    static let refusals: [(write: String, exec: [String], code: LintCode)] = [
        ("/usr/sbin/nginx", ["/usr/sbin/nginx", "-t"], .replaces),
        ("/usr/local/sbin/", ["/usr/local/sbin/reload"], .replaces),
        // The same file behind the links of a merged /usr.
        ("/usr/bin/reload", ["/bin/reload"], .replaces), ("/bin/reload", ["/usr/bin/reload"], .replaces),
        ("/etc/trstctl/trstctl.yaml", ["/x"], .replaces), ("/etc/trstctl/", ["/x"], .replaces),
        ("/etc/", ["/x"], .replaces), ("/usr/local/share/trstctl/plugins/", ["/x"], .replaces),
        ("/usr/local/share/trstctl/plugins/trstctl-connector-y", ["/x"], .replaces),
        ("/usr/local/share/", ["/x"], .replaces),
        ("/srv/hook.sh", ["/bin/sh", "/srv/hook.sh"], .replaces),
        ("/srv/", ["/usr/bin/python3.11", "/srv/x.py"], .replaces),
        ("/srv/", ["/usr/bin/env", "PATH=/srv/bin", "x"], .replaces),
        ("/etc/nginx/", ["/usr/sbin/nginx", "-s", "reload"], .configures),
        ("/etc/nginx/nginx.conf", ["/usr/bin/systemctl", "reload", "nginx.service"], .configures),
        ("/etc/haproxy/haproxy.cfg", ["/usr/sbin/haproxy", "-c"], .configures),
        ("/srv/n.conf", ["/usr/sbin/nginx", "-c", "/srv/n.conf"], .configures),
    ]

    @Test("What lets a connector replace what runs is refused, and only its name accepts it", arguments: refusals)
    func refusal(write: String, exec: [String], code: LintCode) throws {
        let manifest = Manifest(plugins: [try plugin(write: [write], exec: [exec])])
        let refusals = Lint.findings(in: manifest, try context()).filter(\.isRefusal)
        #expect(refusals.contains { $0.code == code && $0.place == .rule(.fsWrite, 0) })
        let accepted = try refusals.map { "\(try #require($0.acknowledgement))" }
        #expect(accepted.allSatisfy { Acknowledgement($0).isWellFormed })
        let acknowledged = Manifest(plugins: [try plugin(write: [write], exec: [exec], acknowledge: accepted)])
        #expect(Lint.findings(in: acknowledged, try context()).filter(\.isRefusal).isEmpty)
        let other = Manifest(
            plugins: [try plugin(write: [write], exec: [exec], acknowledge: ["replaces:/other", "configures:/other"])])
        let left = Lint.findings(in: other, try context())
        #expect(left.filter(\.isRefusal) == refusals)
        #expect(left.count { $0.code == .unusedAcknowledgement } == 2)
    }

    @Test func `A trusted key, an interpreter and libraries of any plugin are protected from every plugin`() throws {
        var other = try plugin()
        other.name = try #require(ConnectorName("y"))
        other.signature = SignatureRule(
            policy: .required, keys: [KeyRule(id: try #require(EntryName("k")), source: .file("/srv/keys/k.pub"))])
        other.script = ScriptRule(interpreter: try path("/opt/py/bin/python3"), pins: [])
        other.libraries = [try path("/opt/acme/lib")]
        for write in ["/srv/keys/", "/srv/keys/k.pub", "/opt/py/", "/opt/acme/", "/opt/acme/lib/python/x.py"] {
            let manifest = Manifest(plugins: [try plugin(write: [write]), other])
            #expect(Lint.findings(in: manifest, try context()).contains { $0.code == .replaces }, "\(write)")
        }
    }

    static let warnings: [(rule: String, code: LintCode)] = [
        ("/etc/cron.d/", .writesCron), ("/etc/cron.d/x", .writesCron), ("/var/spool/cron/crontabs/root", .writesCron),
        ("/etc/systemd/system/x.service", .writesSystemd), ("/lib/systemd/system/", .writesSystemd),
        ("/etc/sudoers.d/", .writesSudoers), ("/etc/sudoers", .writesSudoers),
        ("/etc/ld.so.preload", .writesLoader), ("/etc/ld.so.conf.d/x.conf", .writesLoader), ("/lib/", .writesLoader),
        ("/proc/sys/kernel/core_pattern", .writesKernel), ("/sys/", .writesKernel), ("/dev/sda", .writesKernel),
        ("/etc/pam.d/sshd", .writesPAM), ("/etc/passwd", .writesAccounts), ("/root/.ssh/authorized_keys", .writesLogin),
        ("/etc/profile.d/", .writesLogin), ("/etc/udev/rules.d/", .writesHook), ("/bin/", .writesProgram),
        ("/var/lib/trstctl/", .writesState), ("/var/lib/", .writesState), ("/var/lib/trstctl/audit", .writesState),
        ("/etc/trstctl/x", .writesManifestDirectory),
        ("/etc/letsencrypt/live/www/privkey.pem", .writesCredential),
    ]

    @Test("Writing where the system looks is a warning that its name silences", arguments: warnings)
    func warning(rule: String, code: LintCode) throws {
        let found = try codes(plugin(write: [rule]), targets: [target("x", "y")])
        #expect(found.contains(code))
        let accepted = try codes(
            plugin(
                write: [rule],
                acknowledge: code == .writesCredential ? ["\(code):\(rule)"] : found.map { "\($0):\(rule)" }),
            targets: [target("x", "y")])
        #expect(!accepted.contains(code) && !accepted.contains(.unusedAcknowledgement))
    }

    static let commands: [(argv: [String], code: LintCode?)] = [
        (["/bin/sh", "-c", "x"], .interpreter), (["/usr/bin/dash", "-c", "x"], .interpreter),
        (["/bin/busybox", "ash", "/x"], .interpreter),
        (["/usr/bin/env", "x"], .interpreter), (["/usr/bin/sudo", "x"], .interpreter),
        (["/usr/bin/python3", "/x"], .interpreter), (["/usr/bin/python3.11", "/x"], .interpreter),
        (["/usr/bin/perl5.36.0", "/x"], .interpreter), (["/usr/bin/ruby", "x"], .interpreter),
        (["/usr/bin/node", "x"], .interpreter), (["/usr/bin/awk", "x"], .interpreter),
        (["/usr/bin/find", "/", "-exec", "x"], .interpreter), (["/usr/bin/xargs", "x"], .interpreter),
        (["/lib64/ld-linux-x86-64.so.2", "/x"], .interpreter),
        (["/usr/bin/systemctl", "link", "/srv/x.service"], .controlsServices),
        (["/usr/bin/systemctl", "--now", "edit", "x"], .controlsServices),
        (["/usr/bin/systemctl", "reload", "nginx"], nil), (["/usr/sbin/nginx", "-t"], nil), (["/usr/bin/shred"], nil),
        (["/usr/bin/ssh", "a", "b"], .interpreter), (["/usr/bin/nsenter", "-t", "1", "x"], .interpreter),
        (["/usr/bin/vi", "/a"], .interpreter), (["/usr/bin/git", "pull"], .interpreter),
        (["/usr/bin/unshare", "x"], .interpreter), (["/usr/bin/psql", "-c", "x"], .interpreter),
        (["/usr/sbin/newusers", "/x"], .interpreter), (["/usr/bin/patch", "/x", "/y"], .interpreter),
        // What could do anything by its arguments does one thing by these.
        (["/usr/bin/cp", "/a", "/b"], nil), (["/usr/bin/install", "-m", "644", "/a", "/b"], nil),
        (["/usr/bin/openssl", "x509", "-in", "/a", "-noout"], nil), (["/usr/bin/tar", "-czf", "/a", "/b"], nil),
        (["/usr/bin/rsync", "-a", "/a/", "/b/"], nil), (["/usr/bin/curl", "-fsS", "https://example.com/"], nil),
        (["/usr/bin/certbot", "renew", "-q"], nil), (["/usr/bin/chmod", "640", "/a"], nil),
        (["/usr/bin/apt-get", "update"], nil), (["/usr/bin/scp", "/a", "b:/c"], nil),
    ]

    @Test("Shells, interpreters and runners are a warning, other programs are not", arguments: commands)
    func command(argv: [String], code: LintCode?) throws {
        #expect(try codes(plugin(exec: [argv])) == [code].compactMap(\.self))
    }

    static let holes: [(argv: [String], codes: [LintCode])] = [
        (["/opt/lb", "{fingerprint}"], []), (["/opt/lb", "{int}"], []), (["/opt/lb", "--port={int:1..65535}"], []),
        (["/opt/lb", "{[a-z]:1..8}"], [.openArgument]), (["/opt/lb", "/srv/{[a-z0-9-]:1..8}.pem"], [.openArgument]),
        (["/opt/lb", "{[a-f0-9]:64..64}"], []), (["/opt/lb", "{[a-f0-9]:1..64}"], [.openArgument]),
        (["/bin/sh", "-c", "{[a-z]:1..8}"], [.interpreter, .chooses]), (["/bin/sh", "{int}"], [.interpreter]),
        (["/usr/bin/python3", "-m", "{[a-z_]:1..8}"], [.interpreter, .chooses]),
        (["/usr/bin/systemctl", "reload", "{[a-z0-9-]:1..32}"], [.chooses]),
        (["/usr/bin/systemctl", "{[a-z]:1..12}", "nginx"], [.chooses]),
        (["/usr/bin/systemctl", "reload", "{[a-z]:1..4}@x"], [.chooses]),
        (["/usr/bin/openssl", "{[a-z0-9]:1..9}"], [.chooses]),
        (["/usr/bin/cp", "/a", "{[a-z]:1..9}"], [.chooses]),
        (["/usr/bin/tar", "--to-command=./{[a-z]:1..9}", "-xf", "/a"], [.chooses]),
        (["/usr/bin/tar", "-xf", "/a", "--to-command", "./{[a-z]:1..9}"], [.chooses]),
        (["/usr/bin/cp", "/a", "/b/{[a-z]:1..9}"], [.openArgument]), (["/usr/bin/cp", "/a", "/b/{int}"], []),
        (["/usr/bin/chmod", "{int}", "/a"], [.chooses]), (["/usr/bin/chown", "0:{int}", "/a"], [.chooses]),
        (["/usr/bin/kill", "-HUP", "{int}"], [.chooses]), (["/usr/bin/kill", "-HUP", "{fingerprint}"], []),
    ]

    @Test("A hole that lets a connector choose what runs is refused; one for a word is a warning", arguments: holes)
    func hole(argv: [String], codes expected: [LintCode]) throws {
        #expect(try codes(plugin(exec: [argv])) == expected)
        let accepted = expected.map { "\($0):\(argv[0])" }
        #expect(try codes(plugin(exec: [argv], acknowledge: accepted)) == [])
        #expect(LintCode.chooses.isRefusal && !LintCode.openArgument.isRefusal)
    }

    @Test func `A hole in a path names every file of its directory`() throws {
        let argv = ["/opt/lb", "--file=/srv/{[a-z]:1..8}.pem"]
        #expect(try codes(plugin(write: ["/srv/x.pem"], exec: [argv])) == [.openArgument, .writesArgument])
        #expect(try codes(plugin(write: ["/srv/"], exec: [argv])) == [.openArgument, .writesArgument])
        #expect(try codes(plugin(write: ["/srw/x.pem"], exec: [argv])) == [.openArgument])
        #expect(
            try codes(plugin(write: ["/etc/x/a"], exec: [["/usr/sbin/nginx", "-c", "/etc/x/{[a-z]:1..8}"]]))
                == [.openArgument, .configures])
    }

    @Test func `A socket that obeys like root is a warning, also behind a link`() throws {
        #expect(try codes(plugin(dial: ["unix:/run/docker.sock"])) == [.controlsHost])
        #expect(try codes(plugin(dial: ["unix:/var/run/docker.sock"])) == [.controlsHost])
    }

    @Test func `A key that is put in place by reference can be read back when both are granted`() throws {
        let both = try plugin(read: ["/srv/tls/"], write: ["/srv/tls/"])
        #expect(try codes(both, targets: [target("key", "/srv/tls/a.key")]) == [.readsWrittenKey])
        #expect(try codes(both, targets: [target("ssl_key_file", "/srv/tls/a.key")]) == [.readsWrittenKey])
        #expect(try codes(both, targets: [target("certificate", "/srv/tls/a.crt")]) == [])
        let exact = try plugin(read: ["/srv/tls/a.crt"], write: ["/srv/tls/"])
        #expect(try codes(exact, targets: [target("key", "/srv/tls/a.key")]) == [])
        let relative = try plugin(read: ["/etc/trstctl/tls/"], write: ["/etc/trstctl/tls/"])
        #expect(try codes(relative, targets: [target("key", "tls/a.key")]) == [.readsWrittenKey])
    }

    @Test func `Reading secrets is a warning`() throws {
        #expect(try codes(plugin(read: ["/etc/shadow"])) == [.readsSecret])
        #expect(try codes(plugin(read: ["/proc/"])) == [.readsSecret])
        #expect(
            try codes(plugin(read: ["/etc/letsencrypt/live/www/"]), targets: [target("x", "y")])
                == [.readsCredentialKey])
    }

    @Test func `An acknowledgement is a known code with an object, or the words for no confinement`() throws {
        for good in ["i-accept-the-risk", "replaces:/x", "interpreter:/bin/sh"] {
            #expect(Acknowledgement(good).isWellFormed, "\(good)")
        }
        for bad in ["", "yes", "replaces", "replaces:", "replace:/x", ":/x", "REPLACES:/x"] {
            #expect(!Acknowledgement(bad).isWellFormed, "\(bad)")
        }
        #expect(!Acknowledgement("replaces:" + String(repeating: "x", count: 5_000)).isWellFormed)
        #expect(try codes(plugin(acknowledge: ["i-accept-the-risk"])) == [.unusedAcknowledgement])
    }

    @Test func `Days and instants are read strictly`() {
        #expect(UTCText.seconds("1970-01-01", .start) == 0)
        #expect(UTCText.seconds("1970-01-01", .end) == 86_399)
        #expect(UTCText.seconds("2024-02-29T12:34:56Z", .start) == 1_709_210_096)
        #expect(UTCText.seconds("2100-03-01", .start) == 4_107_542_400)
        #expect(UTCText.seconds("9999-12-31T23:59:59Z", .end) == 253_402_300_799)
        for bad in [
            "", "2026-1-1", "2026-02-29", "2026-13-01", "2026-00-01", "2026-01-00", "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z", "2026-01-01t00:00:00z", "2026-01-01T00:00:00+00:00",
            "1969-12-31", "2026-01-01 ", "2026/01/01", "２026-01-01", "2026-01-0１",
        ] { #expect(UTCText.seconds(bad, .start) == nil, "\(bad)") }
    }
}
