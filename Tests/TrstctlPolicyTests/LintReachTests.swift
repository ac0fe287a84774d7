import Testing
import TrstctlPolicy
import TrstctlSystem

@Suite("Linter: what anybody runs")
struct LintReachTests {
    typealias Case = (write: String, exec: [String], code: LintCode, object: String)

    static let others: [Case] = [
        ("/srv/reload", ["/srv/reload"], .replaces, "/srv/reload"),
        ("/srv/", ["/srv/reload"], .replaces, "/srv/reload"),
        ("/srv/hook.sh", ["/bin/sh", "/srv/hook.sh"], .replaces, "/srv/hook.sh"),
        ("/srv/hook.sh", ["/bin/sh", "-c", "cd /; /srv/hook.sh -q"], .replaces, "/srv/hook.sh"),
        ("/srv/bin/x", ["/usr/bin/env", "PATH=/srv/bin:/usr/bin", "x"], .replaces, "/srv/bin"),
        ("/srv/", ["/usr/bin/env", "X=/srv/x"], .replaces, "/srv/x"),
        ("/srv/", ["/bin/sh", "-c", "/srv/x now"], .replaces, "/srv/x"),
        ("/srv/a b", ["/usr/bin/python3", "/srv/a b"], .replaces, "/srv/a"),
        ("/srv/hooks/10-x", ["/usr/bin/run-parts", "/srv/hooks/"], .replaces, "/srv/hooks"),
        ("/srv/x.py", ["/usr/bin/python3", "/srv/../srv//x.py"], .replaces, "/srv/x.py"),
        ("/srv/x.py", ["/usr/bin/python3", "srv/x.py"], .replaces, "/srv/x.py"),
        ("/etc/nginx/nginx.conf", ["/usr/sbin/nginx", "-t"], .configures, "/usr/sbin/nginx"),
        ("/etc/nginx/", ["/usr/bin/systemctl", "reload", "nginx"], .configures, "/usr/bin/systemctl"),
        ("/etc/nginx/", ["/usr/bin/timeout", "9", "/usr/sbin/nginx", "-t"], .configures, "/usr/bin/timeout"),
        ("/srv/n.conf", ["/usr/sbin/nginx", "-c", "/srv/n.conf"], .configures, "/usr/sbin/nginx"),
        ("/srv/n.conf", ["/usr/sbin/nginx", "-p", "/srv", "-c", "n.conf"], .configures, "/usr/sbin/nginx"),
        ("/srv/edge/", ["/usr/sbin/nginx", "-p", "/srv/edge", "-t"], .configures, "/usr/sbin/nginx"),
        ("/srv/e.so", ["/usr/bin/openssl", "req", "-engine", "/srv/e.so"], .replaces, "/srv/e.so"),
        ("/srv/hook", ["/usr/bin/certbot", "renew", "--deploy-hook=/srv/hook"], .replaces, "/srv/hook"),
        ("/srv/c", ["/bin/tar", "-cf", "/a", "-I/srv/c", "/b"], .replaces, "/srv/c"),
        ("/srv/a.tar", ["/bin/tar", "xf", "/srv/a.tar"], .replaces, "/srv/a.tar"),
        ("/srv/a.deb", ["/usr/bin/dpkg", "-i", "/srv/a.deb"], .replaces, "/srv/a.deb"),
        ("/srv/a", ["/opt/lb", "--file=/srv/a"], .writesArgument, "/srv/a"),
        ("/srv/a.tar", ["/bin/tar", "-cf", "/srv/b.tar", "/srv/a.tar"], .writesArgument, "/srv/a.tar"),
    ]

    @Test(
        "What another connector may run is found where it may be written, and names that connector", arguments: others)
    func other(one: Case) throws {
        let writer = try LintSample.plugin(write: [one.write])
        let runner = try LintSample.plugin("y", exec: [one.exec])
        let findings = try LintSample.findings([writer, runner]).filter { $0.plugin.text == "x" }
        let finding = try #require(findings.first { $0.code == one.code })
        #expect(finding.object == Bytes(one.object) && finding.place == .rule(.fsWrite, 0))
        #expect(finding.sentence.contains("the connector y"))
        #expect(findings.allSatisfy { $0.isRefusal == (one.code != .writesArgument) })
        // Accepted by the writer, by name.
        let accepted = try LintSample.plugin(write: [one.write], acknowledge: ["\(one.code):\(one.object)"])
        #expect(try LintSample.findings([accepted, runner]).filter { $0.plugin.text == "x" }.isEmpty)
    }

    @Test("What a connector may run itself is told once, as its own", arguments: others)
    func own(one: Case) throws {
        let both = try LintSample.plugin(write: [one.write], exec: [one.exec])
        let runner = try LintSample.plugin("y", exec: [one.exec])
        let found = try LintSample.findings([both, runner]).filter { $0.plugin.text == "x" && $0.code == one.code }
        #expect(found.count { $0.object == Bytes(one.object) } == 1)
        #expect(found.allSatisfy { !$0.sentence.contains("the connector y") })
    }

    static let commands: [(write: String, words: [String], code: LintCode)] = [
        ("/srv/secret", ["/srv/secret", "get"], .replaces), ("/srv/", ["/srv/bin/secret"], .replaces),
        ("/srv/bin/secret", ["/srv//lib/../bin/./secret"], .replaces),
        ("/srv/get.sh", ["/bin/sh", "/srv/get.sh"], .replaces),
        ("/srv/get", ["/usr/bin/env", "/srv/get"], .replaces), ("/usr/bin/", ["/bin/pass", "f5"], .replaces),
        ("/srv/p.gpg", ["/usr/bin/gpg", "-d", "/srv/p.gpg"], .writesArgument),
    ]

    @Test("What the command of a secret field runs is protected from every connector", arguments: commands)
    func secretCommand(write: String, words: [String], code: LintCode) throws {
        for owner in ["x", "y"] {
            let target = try LintSample.target(owner, "password", .reference(.command(words)))
            let plugins = [try LintSample.plugin(write: [write]), try LintSample.plugin("y")]
            let finding = try #require(LintSample.findings(plugins, [target]).first { $0.code == code })
            #expect(finding.plugin.text == "x" && finding.sentence.contains("the field password of the target edge"))
        }
        #expect(try LintSample.findings([LintSample.plugin(write: ["/srv/x/"])]).isEmpty)
    }

    static let host: [String] = [
        "/mnt/bin/trstctl", "/mnt/bin/", "/mnt/", "/var/lib/trstctl/journal/1", "/var/lib/trstctl/", "/var/lib/",
        "/proc/self/root/mnt/bin/trstctl", "/proc/1/root/etc/trstctl/trstctl.yaml",
    ]

    @Test("The host's own program and its journals are not a connector's to write", arguments: host)
    func hostItself(write: String) throws {
        #expect(try LintSample.findings([LintSample.plugin(write: [write])]).contains { $0.code == .replaces })
    }

    @Test func `Spellings of one file are one file`() throws {
        let pairs = [
            ("/bin/x", "/usr/bin/x"), ("/usr/bin/x", "/bin/x"), ("/sbin/x", "/usr/sbin/x"), ("/usr/sbin/x", "/sbin/x"),
            ("/usr/sbin/x", "/bin/x"), ("/lib/a/x", "/usr/lib/a/x"), ("/usr/lib64/x", "/lib64/x"),
            ("/var/run/x", "/run/x"), ("/run/x", "/var/run/x"), ("/usr/local/sbin/x", "/usr/local/bin/x"),
            ("/proc/self/root/bin/x", "/usr/bin/x"),
        ]
        for (write, program) in pairs {
            let found = try LintSample.findings([LintSample.plugin(write: [write], exec: [[program]])])
            #expect(found.contains { $0.code == .replaces }, "\(write) is \(program)")
        }
        for (write, program) in [("/usr/bin/x", "/opt/bin/x"), ("/libx/y", "/usr/libx/y"), ("/run/y", "/run/x")] {
            let found = try LintSample.findings([LintSample.plugin(write: [write], exec: [[program]])])
            #expect(!found.contains { $0.code == .replaces }, "\(write) is not \(program)")
        }
    }

    @Test func `Links of this machine are followed where the context knows them`() throws {
        let links = ["/usr/bin/reload": "/srv/app/reload.sh", "/data": "/usr/local/share/trstctl", "/app": "/srv/app"]
        let context = try LintSample.context { path in links["\(path)"].flatMap { try? AbsolutePath($0) } }
        func found(_ write: String, _ exec: [[String]] = []) throws -> Bool {
            try LintSample.findings([LintSample.plugin(write: [write], exec: exec)], [], context)
                .contains { $0.code == .replaces }
        }
        #expect(try found("/srv/app/reload.sh", [["/usr/bin/reload"]]))
        #expect(try found("/srv/app/", [["/usr/bin/reload"]]))
        #expect(try found("/app/", [["/usr/bin/reload"]]))
        #expect(try found("/app/reload.sh", [["/usr/bin/reload"]]))
        #expect(try found("/data/plugins/trstctl-connector-x") == false)
        #expect(try found("/data/"))
        #expect(try !found("/app/other", [["/usr/bin/reload"]]))
    }

    static let copies: [(write: [String], exec: [String], code: LintCode?)] = [
        // Exact, and nothing of it is the connector's: harmless.
        ([], ["/usr/bin/cp", "/a", "/etc/cron.d/x"], nil),
        ([], ["/usr/bin/install", "-m", "755", "/a", "/usr/bin/x"], nil),
        ([], ["/usr/bin/dd", "if=/a", "of=/etc/cron.d/x"], nil), ([], ["/usr/bin/chmod", "600", "/etc/shadow"], nil),
        ([], ["/usr/bin/openssl", "verify", "/etc/cron.d/x"], nil), ([], ["/usr/bin/tar", "-cf", "/a", "/etc"], nil),
        ([], ["/usr/bin/curl", "-o", "/etc/cron.d/x", "https://example.com/x"], nil),
        (["/srv/a.crt"], ["/usr/bin/cp", "/srv/a.crt", "/etc/nginx/tls/"], nil),
        (["/srv/a"], ["/usr/bin/cp", "/srv/b", "/etc/cron.d/x"], nil),
        (["/srv/a"], ["/usr/bin/tar", "-cf", "/a", "-C", "/etc", "."], nil),
        // The connector has the source, or the input.
        (["/srv/a"], ["/usr/bin/cp", "/srv/a", "/etc/cron.d/x"], .writesCron),
        (["/srv/"], ["/usr/bin/cp", "/srv/a", "/etc/cron.d"], .writesCron),
        (["/srv/a/b"], ["/usr/bin/cp", "-r", "/srv/a", "/etc/cron.d"], .writesCron),
        (["/srv/a/b"], ["/usr/bin/rsync", "-a", "/srv/a/", "/etc/"], .writesCron),
        (["/srv/a"], ["/usr/bin/mv", "-t", "/etc/cron.d", "/srv/a"], .writesCron),
        (["/srv/a"], ["/usr/bin/ln", "-sf", "/srv/a", "/etc/cron.d/x"], .writesCron),
        (["/srv/a"], ["/usr/bin/install", "/srv/a", "/mnt/bin/trstctl"], .replaces),
        (["/srv/trstctl"], ["/usr/bin/cp", "/srv/trstctl", "/mnt/bin"], .replaces),
        (["/srv/a"], ["/usr/bin/openssl", "enc", "-in", "/srv/a", "-out", "/etc/passwd"], .writesAccounts),
        ([], ["/usr/bin/tee", "/etc/cron.d/x"], .writesCron), ([], ["/usr/bin/dd", "of=/etc/cron.d/x"], .writesCron),
        ([], ["/usr/bin/install", "/dev/stdin", "/etc/cron.d/x"], .writesCron),
        ([], ["/usr/bin/openssl", "base64", "-d", "-out", "/etc/passwd"], .writesAccounts),
        (["/srv/a-1"], ["/usr/bin/cp", "/srv/{[a-z0-9-]:1..9}", "/etc/cron.d/x"], .writesCron),
    ]

    @Test("A command that copies is a write when the connector decides what is copied", arguments: copies)
    func copy(write: [String], exec: [String], code: LintCode?) throws {
        let found = try LintSample.findings([LintSample.plugin(write: write, exec: [exec])])
            .filter { ![.writesArgument, .openArgument].contains($0.code) }
        guard let code else {
            #expect(found.isEmpty)
            return
        }
        #expect(found.contains { $0.code == code && $0.place == .rule(.processExec, 0) })
    }

    @Test func `What one command copies another copies on`() throws {
        let exec = [
            ["/bin/cp", "/srv/b", "/srv/c"], ["/bin/cp", "/srv/c", "/etc/cron.d/x"], ["/bin/cp", "/srv/a", "/srv/b"],
        ]
        let found = try LintSample.findings([LintSample.plugin(write: ["/srv/a"], exec: exec)])
        #expect(found.contains { $0.code == .writesCron && $0.place == .rule(.processExec, 1) })
    }

    @Test func `Thousands of connectors are looked at in one pass`() throws {
        let plugins = try (0..<4_000).map { number in
            try LintSample.plugin(
                "c\(number)", write: ["/srv/\(number)/a"], exec: [["/opt/\(number)/x", "/srv/\(number)/b"]])
        }
        #expect(try LintSample.findings(plugins).filter(\.isRefusal).isEmpty)
    }
}
