import Testing
import TrstctlHost
import TrstctlPolicy
import TrstctlSystem

/// What the tests of the manifest share.
enum ManifestSample {
    static let pin = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

    static let complete = """
        # The edge.
        version: 1
        plugins:
          nginx:
            sha256: ["\(pin)"]          # one per build or platform
            grants:                                  # what the operator approves
              fs.read:      [/etc/nginx/tls/]
              fs.write:     [/etc/nginx/tls/]
              net.dial:     ["127.0.0.1:443"]
              process.exec: [[/usr/sbin/nginx, -t], [/usr/sbin/nginx, -s, reload]]
        credentials:
          www: { certificate: /etc/letsencrypt/live/www/fullchain.pem, key: /etc/letsencrypt/live/www/privkey.pem }
        targets:
          edge:
            connector: nginx
            credential: www
            config: { certificate: /etc/nginx/tls/www.crt, key: /etc/nginx/tls/www.key }
            probe: { address: "127.0.0.1:443", server_name: www.example.com }
            layout: versioned

        """

    static func parse(_ text: String) throws -> Manifest {
        try ManifestParser.parse(Array(text.utf8), directory: AbsolutePath("/srv/op"), file: "trstctl.yaml")
    }

    static func error(_ text: String) -> ManifestError? { error(Array(text.utf8)) }

    static func error(_ text: [UInt8]) -> ManifestError? {
        do {
            _ = try ManifestParser.parse(text, directory: AbsolutePath("/srv/op"), file: "trstctl.yaml")
            return nil
        } catch {
            return error as? ManifestError
        }
    }
}

@Suite("Manifest: what it says")
struct ManifestParserTests {
    @Test func `The example of the specification is read in full`() throws {
        let manifest = try ManifestSample.parse(ManifestSample.complete)
        #expect(manifest.version == 1)
        let name = try #require(ConnectorName("nginx"))
        #expect(manifest.plugin(name) != nil)
        let nginx = try #require(manifest.plugins.first { $0.name == ConnectorName("nginx") })
        #expect(nginx.pins.map(\.hex) == [ManifestSample.pin])
        #expect(
            nginx.grants.lines.map(\.description) == [
                "fs.read /etc/nginx/tls/", "fs.write /etc/nginx/tls/", "net.dial 127.0.0.1:443",
                "process.exec [/usr/sbin/nginx, -t]", "process.exec [/usr/sbin/nginx, -s, reload]",
            ])
        let www = try #require(manifest.credentials.first { $0.name == EntryName("www") })
        #expect(www.certificate == "/etc/letsencrypt/live/www/fullchain.pem")
        #expect(www.key == "/etc/letsencrypt/live/www/privkey.pem")
        let edge = try #require(manifest.targets.first { $0.name == EntryName("edge") })
        #expect(edge.connector.text == "nginx" && edge.credential.text == "www")
        #expect(edge.config.map(\.key) == ["certificate", "key"])
        #expect(edge.probe?.address == (try DialAddress("127.0.0.1:443")))
        #expect(edge.probe?.serverName?.text == "www.example.com")
        #expect(edge.probe?.timeout == 10)
        #expect(edge.layout == .versioned)
    }

    @Test func `A manifest without entries, and one with empty sections, grants nothing`() throws {
        #expect(try ManifestSample.parse("version: 1\n") == Manifest())
        #expect(try ManifestSample.parse("version: 1\nplugins: {}\ncredentials: {}\ntargets: {}") == Manifest())
        let manifest = try ManifestSample.parse("version: 1\nplugins: {a: {sha256: [], grants: {fs.read: []}}, b: {}}")
        #expect(manifest.plugins.allSatisfy { $0.pins.isEmpty && $0.grants.isEmpty })
    }

    @Test func `Texts are taken as they are written, also where they look like numbers`() throws {
        let digits = String(repeating: "0123456789", count: 6) + "0123"
        let manifest = try ManifestSample.parse(
            """
            version: 1
            plugins:
              a:
                sha256: [\(digits)]
                grants: { process.exec: [[/x, 80, 0x1f, true]] }
            credentials:
              1: { certificate: 2026, key: 1e3 }
            """)
        #expect(manifest.plugins.first?.pins.map(\.hex) == [digits])
        #expect(manifest.plugins.first?.grants.exec.first?.rule == ["/x", "80", "0x1f", "true"])
        #expect(manifest.credentials.first?.certificate == "/srv/op/2026")
    }

    @Test func `A command is a list, or a mapping with terms for its program`() throws {
        let (one, other) = (String(repeating: "a", count: 64), String(repeating: "0", count: 64))
        let manifest = try ManifestSample.parse(
            """
            version: 1
            plugins:
              a:
                grants:
                  process.exec:
                    - [/x, -t, "{int:1..9}", "{{"]
                    - argv: [/x, -s]
                      sha256: [\(one), "\(other)"]
                    - { argv: [/y], setuid: true }
            """)
        let rules = try #require(manifest.plugins.first?.grants.exec)
        #expect(rules.map { $0.rule.map(\.text) } == [["/x", "-t", "{int:1..9}", "{{"], ["/x", "-s"], ["/y"]])
        #expect(rules[0].covers(["/x", "-t", "7", "{"]) && rules[0].terms == ExecTerms())
        #expect(rules[1].terms.pins.map(\.hex) == [other, one] && !rules[1].terms.allowsSetuid)
        #expect(rules[2].terms.pins.isEmpty && rules[2].terms.allowsSetuid)
        // As it is written back, it is read again.
        let lines = try #require(manifest.plugins.first).grants.yamlLines.map { "      " + $0 }.joined(separator: "\n")
        let again = try ManifestSample.parse("version: 1\nplugins:\n  a:\n    grants:\n" + lines)
        #expect(again.plugins.first?.grants == manifest.plugins.first?.grants)
    }

    @Test(
        "A command that is not well formed is refused with its place",
        arguments: [
            ("{ sha256: [A] }", ManifestError.Code.missingKey), ("{ argv: [/x], sha: [] }", .unknownKey),
            ("{ argv: [/x], sha256: [] }", .badPin), ("{ argv: [/x], sha256: [abc] }", .badPin),
            ("{ argv: [/x], sha256: abc }", .wrongType), ("{ argv: /x }", .wrongType), ("{ argv: [] }", .badGrant),
            ("{ argv: [/x], setuid: yes }", .wrongType), ("{ argv: [/x], setuid: \"true\" }", .wrongType),
            ("{ argv: [/x], setuid: 1 }", .wrongType), ("/x", .wrongType), ("[/x, \"{\"]", .badGrant),
            ("[/x, \"a{int}\"]", .badGrant), ("[x]", .badGrant), ("{ argv: [/x], argv: [/y] }", .duplicateKey),
        ])
    func badCommand(text: String, code: ManifestError.Code) throws {
        let error = #expect(throws: ManifestError.self) {
            try ManifestSample.parse("version: 1\nplugins:\n  a:\n    grants:\n      process.exec:\n        - \(text)")
        }
        #expect(error?.code == code && error?.line == 6, "\(String(describing: error))")
        #expect(error?.nextStep.isEmpty == false)
    }

    @Test func `Configuration values keep their order and their types`() throws {
        let manifest = try ManifestSample.parse(
            """
            version: 1
            credentials: { c: { certificate: a, key: b } }
            targets:
              t:
                connector: echo
                credential: c
                config:
                  z: text
                  a: 42
                  neg: -7
                  flag: true
                  off_flag: false
                  list: [a, 1, "x y"]
                  mode: 0644
                  quoted: "42"
                  word: "yes"
                  version: 1.10
                  min: -9223372036854775808
                  text: |
                    two
                    lines
            """)
        let config = try #require(manifest.targets.first).config.map { "\($0.key)=\($0.value)" }
        #expect(
            config == [
                "z=string(\"text\")", "a=integer(42)", "neg=integer(-7)", "flag=boolean(true)",
                "off_flag=boolean(false)", "list=list([\"a\", \"1\", \"x y\"])", "mode=string(\"0644\")",
                "quoted=string(\"42\")", "word=string(\"yes\")", "version=string(\"1.10\")",
                "min=integer(-9223372036854775808)", "text=string(\"two\\nlines\")",
            ])
    }

    @Test func `Relative paths are relative to the manifest; credential paths keep their dots`() throws {
        let manifest = try ManifestSample.parse(
            """
            version: 1
            plugins: { a: { grants: { fs.read: [tls/, conf] } } }
            credentials: { c: { certificate: ../live/x.pem, key: ./k.pem, chain: /a/../b } }
            """)
        #expect(manifest.plugins.first?.grants.read.map(\.description) == ["/srv/op/tls/", "/srv/op/conf"])
        let source = try #require(manifest.credentials.first)
        #expect(source.certificate == "/srv/op/../live/x.pem")
        #expect(source.key == "/srv/op/./k.pem")
        #expect(source.chain == "/a/../b")
    }

    @Test func `The probe asks for the name it dials unless told otherwise`() throws {
        func probe(_ text: String) throws -> Probe? {
            try ManifestSample.parse(
                """
                version: 1
                credentials: { c: { certificate: a, key: b } }
                targets: { t: { connector: n, credential: c, probe: { \(text) } } }
                """
            ).targets.first?.probe
        }
        #expect(try probe("address: \"WWW.example.com:443\"")?.serverName?.text == "www.example.com")
        #expect(try probe("address: \"127.0.0.1:443\"")?.serverName == nil)
        #expect(try probe("address: \"[::1]:443\", timeout: 300")?.timeout == 300)
        #expect(try probe("address: \"[::1]:443\"")?.startTLS == nil)
        for word in StartTLS.allCases {
            #expect(try probe("address: \"db.example.com:5432\", start_tls: \(word)")?.startTLS == word)
        }
    }

    @Test func `A target's proxy has an address, and a user with a reference to a password`() throws {
        func proxy(_ text: String) throws -> Proxy? {
            try ManifestSample.parse(
                """
                version: 1
                credentials: { c: { certificate: a, key: b } }
                targets: { t: { connector: n, credential: c, proxy: { \(text) } } }
                """
            ).targets.first?.proxy
        }
        let address = try DialAddress("proxy.example.com:3128")
        #expect(try proxy("address: \"proxy.example.com:3128\"") == Proxy(address: address))
        let known = try proxy("address: \"proxy.example.com:3128\", user: u, password: { env: WORD }")
        #expect(known?.user == Proxy.User(name: "u", password: .environment("WORD")))
    }

    @Test func `A target may name a connector that is not pinned; refusing it comes later`() throws {
        let text = "version: 1\ncredentials: {c: {certificate: a, key: b}}\ntargets: {t: {connector: x, credential: c}}"
        #expect(try ManifestSample.parse(text).targets.count == 1)
    }
}
