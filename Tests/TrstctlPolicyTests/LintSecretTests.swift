import Testing
import TrstctlPolicy
import TrstctlSystem

@Suite("Linter: whose secrets")
struct LintSecretTests {
    private func codes(_ plugin: Plugin, _ targets: [Target] = []) throws -> [LintCode] {
        try LintSample.findings([plugin, LintSample.plugin("y", write: ["/srv/y/"])], targets)
            .filter { $0.plugin.text == "x" }.map(\.code)
    }

    @Test func `A credential is protected whoever deploys it`() throws {
        for read in [LintSample.key, "/etc/letsencrypt/live/www/", "/etc/letsencrypt/"] {
            let found = try codes(LintSample.plugin(read: [read]), [LintSample.target("y", "a", .string("b"))])
            #expect(found.contains(.readsCredentialKey), "\(read)")
        }
        #expect(try codes(LintSample.plugin(read: [LintSample.certificate])) == [])
        for write in [LintSample.key, LintSample.certificate, "/etc/letsencrypt/live/"] {
            #expect(try codes(LintSample.plugin(write: [write])).contains(.writesCredential), "\(write)")
        }
    }

    @Test func `A key that another connector puts in place is not to be read`() throws {
        let target = try LintSample.target("y", "key", .string("/srv/y/www.key"))
        #expect(try codes(LintSample.plugin(read: ["/srv/y/"]), [target]) == [.readsWrittenKey])
        #expect(try codes(LintSample.plugin(read: ["/srv/y/www.key"]), [target]) == [.readsWrittenKey])
        #expect(try codes(LintSample.plugin(read: ["/srv/y/www.crt"]), [target]) == [])
        // Nobody may write it: the field is no path, or the deployment fails.
        let foreign = try LintSample.target("y", "key", .string("/srv/z/www.key"))
        #expect(try codes(LintSample.plugin(read: ["/srv/z/"]), [foreign]) == [])
    }

    static let origins: [(origin: SecretOrigin, path: String)] = [
        (.file(Bytes("/srv/secrets/f5")), "/srv/secrets/f5"), (.file(Bytes("/etc/trstctl/./f5")), "/etc/trstctl/f5"),
        (.credential("f5"), "/mnt/credentials/f5"),
    ]

    @Test("The files of secret fields are not to be read or written", arguments: origins)
    func fields(origin: SecretOrigin, path: String) throws {
        for owner in ["x", "y"] {
            let target = try LintSample.target(owner, "password", .reference(origin))
            #expect(try codes(LintSample.plugin(read: [path]), [target]) == [.readsSecret])
            #expect(try codes(LintSample.plugin(write: [path]), [target]).contains(.writesCredential))
            #expect(try codes(LintSample.plugin(read: [path + "x"]), [target]) == [])
        }
    }

    @Test func `A file that a signature is read from is a warning, a trusted key a refusal, in a directory above too`()
        throws
    {
        var other = try LintSample.plugin("y")
        other.signature = SignatureRule(
            policy: .ifPresent,
            keys: [KeyRule(id: try #require(EntryName("k")), source: .file(Bytes("/srv/keys/../keys/k.pub")))],
            file: Bytes("/srv/sigs/y.sig"))
        for (write, code) in [
            ("/srv/sigs/y.sig", LintCode.writesSignature), ("/srv/sigs/", .writesSignature),
            ("/srv/", .writesSignature),
            ("/srv/keys/k.pub", .replaces), ("/srv/keys/", .replaces), ("/srv/", .replaces),
        ] {
            let found = try LintSample.findings([LintSample.plugin(write: [write]), other])
            #expect(found.contains { $0.code == code && $0.plugin.text == "x" }, "\(write)")
        }
    }

    @Test func `A connector that gets private keys is a warning with the targets, until it is acknowledged`() throws {
        var plugin = try LintSample.plugin()
        plugin.needsKey = true
        let target = try LintSample.target("x", "a", .string("b"))
        let finding = try #require(LintSample.findings([plugin], [target]).first)
        #expect(finding.code == .receivesKey && !finding.isRefusal && finding.place == .field("needs_key"))
        #expect(finding.sentence.contains("of edge,"))
        #expect(finding.acknowledgement == Acknowledgement("receives-key:x"))
        let many = try (0..<9).map { number in
            Target(
                name: try #require(EntryName("t\(number)")), connector: plugin.name, credential: target.credential)
        }
        let sentence = try #require(LintSample.findings([plugin], many).first).sentence
        #expect(sentence.contains("t0, t1") && sentence.contains("and more"))
        #expect(sentence.utf8.allSatisfy { (0x20...0x7E).contains($0) })
        plugin.acknowledged = [Acknowledgement("receives-key:x")]
        #expect(try LintSample.findings([plugin], [target]).isEmpty)
        plugin.needsKey = false
        #expect(try LintSample.findings([plugin], [target]).map(\.code) == [.unusedAcknowledgement])
    }

    static let places: [(rule: String, code: LintCode)] = [
        ("/etc/credstore/f5", .writesCredential), ("/run/credentials/x.service/f5", .writesCredential),
        ("/run/secrets/f5", .writesCredential), ("/etc/ssl/certs/ca-certificates.crt", .writesTrust),
        ("/etc/ssl/certs/5ad8a5d6.0", .writesTrust), ("/etc/pki/tls/certs/5ad8a5d6.r12", .writesTrust),
        ("/etc/ssl/certs/java/cacerts", .writesTrust), ("/var/lib/ca-certificates/openssl/x.pem", .writesTrust),
        ("/etc/ssl/", .writesTrust), ("/usr/local/share/ca-certificates/x.crt", .writesTrust),
        ("/etc/hosts", .writesTrust), ("/etc/resolv.conf", .writesTrust), ("/etc/dbus-1/", .writesSystemd),
        ("/etc/init.d/x", .writesSystemd), ("/etc/fstab", .writesSystemd), ("/run/udev/rules.d/x", .writesHook),
        ("/etc/apt/apt.conf.d/x", .writesHook), ("/var/lib/dpkg/info/x.postinst", .writesHook),
        ("/etc/logrotate.d/x", .writesHook), ("/etc/letsencrypt/renewal-hooks/deploy/x", .writesHook),
        ("/etc/kubernetes/manifests/x", .writesHook), ("/etc/docker/daemon.json", .writesHook),
        ("/etc/modprobe.d/x", .writesKernel), ("/etc/nsswitch.conf", .writesLoader),
        ("/usr/share/p11-kit/modules/x", .writesLoader), ("/home/a/.ssh/authorized_keys", .writesLogin),
        ("/etc/pam.d/sudo", .writesPAM), ("/etc/polkit-1/rules.d/x", .writesSudoers),
    ]

    @Test("Other places where the system looks are warnings too", arguments: places)
    func place(rule: String, code: LintCode) throws {
        #expect(try codes(LintSample.plugin(write: [rule])).contains(code))
    }

    @Test func `Where servers keep their certificates is nothing to warn of`() throws {
        for path in [
            "/etc/ssl/certs/www.pem", "/etc/ssl/certs/5ad8a5d6.pem", "/etc/ssl/certs/5ad8a5d6.r",
            "/etc/nginx/5ad8a5d6.0",
            "/etc/ssl/certs/www.mine.0", "/etc/ssl/private/www.key", "/etc/pki/tls/certs/www.crt", "/etc/nginx/a.crt",
        ] {
            #expect(try codes(LintSample.plugin(read: [path], write: [path])) == [], "\(path)")
        }
    }

    @Test func `Reading credentials of services is a warning`() throws {
        for path in ["/run/credentials/x.service/f5", "/etc/credstore/", "/etc/shadow-", "/var/run/secrets/"] {
            #expect(try codes(LintSample.plugin(read: [path])) == [.readsSecret], "\(path)")
        }
    }
}
