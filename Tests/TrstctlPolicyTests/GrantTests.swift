import Testing
import TrstctlPolicy
import TrstctlSystem

@Suite("Grants")
struct GrantTests {
    @Test(
        "A directory grant covers what is below it and nothing beside it",
        arguments: [
            ("/etc/nginx/", "/etc/nginx/a", true), ("/etc/nginx/", "/etc/nginx/a/b/c", true),
            ("/etc/nginx/", "/etc/nginx", false), ("/etc/nginx/", "/etc/nginx-evil/x", false),
            ("/etc/nginx/", "/etc", false), ("/etc/nginx/", "/etc/nginxa", false),
            ("/etc/nginx/", "/srv/etc/nginx/a", false), ("/etc/nginx/", "/etc/Nginx/a", false),
            ("/etc/nginx", "/etc/nginx", true), ("/etc/nginx", "/etc/nginx/a", false),
            ("/etc/nginx", "/etc/nginx-evil", false),
            ("/caf\u{E9}/", "/cafe\u{301}/x", false), ("/caf\u{E9}/", "/caf\u{E9}/x", true),
            // A combining mark after the slash fuses with it in `String`, not in bytes.
            ("/etc/nginx/", "/etc/nginx/\u{338}x", true), ("/etc/nginx/\u{338}x", "/etc/nginx/x", false),
        ])
    func coverage(grant: String, path: String, isCovered: Bool) throws {
        #expect(try PathGrant(grant).covers(AbsolutePath(path)) == isCovered)
    }

    @Test(
        "A path grant that is not canonical, or would grant everything, is refused",
        arguments: [
            ("/", GrammarError.Code.wholeFileSystem), ("//", .emptyComponent), ("///", .emptyComponent), ("", .empty),
            ("etc/", .notAbsolute),
            ("/etc/../", .dotDotComponent), ("/etc/./", .dotComponent), ("/etc//", .trailingSlash),
            ("/etc//x", .emptyComponent), ("/../", .dotDotComponent),
        ])
    func badPathGrant(text: String, code: GrammarError.Code) {
        let error = #expect(throws: GrammarError.self) { try PathGrant(text) }
        #expect(error?.code == code)
    }

    @Test(
        "A dial grant covers its host in full and its port only",
        arguments: [
            ("api.example.com:443", "api.example.com:443", true), ("api.example.com:443", "API.example.COM:443", true),
            ("api.example.com:443", "api.example.com.evil.com:443", false),
            ("api.example.com:443", "api.example.community:443", false),
            ("api.example.com:443", "xapi.example.com:443", false), ("api.example.com:443", "example.com:443", false),
            ("api.example.com:443", "api.example.com:44", false),
            ("api.example.com:443", "api.example.com:4430", false),
            ("*.example.com:443", "a.example.com:443", true), ("*.example.com:443", "a.b.example.com:443", false),
            ("*.example.com:443", "example.com:443", false), ("*.example.com:443", "aexample.com:443", false),
            ("*.example.com:443", "a.example.com:444", false), ("*.example.com:443", "a.example.com.evil:443", false),
            ("127.0.0.1:443", "127.0.0.1:443", true), ("127.0.0.1:443", "[::ffff:127.0.0.1]:443", false),
            ("[::1]:443", "[::1]:443", true), ("localhost:443", "127.0.0.1:443", false),
        ])
    func dial(grant: String, address: String, isCovered: Bool) throws {
        #expect(try DialGrant(grant).covers(DialAddress(address)) == isCovered)
    }

    @Test(
        "Stars are allowed only as the first label of a name with two more",
        arguments: [
            "*", "*:443", "*.com:443", "a.*.com:443", "a*.example.com:443", "*.*.example.com:443", "**.example.com:443",
            "*.127.0.0.1:443", "*.[::1]:443", "*.example.com", "unix:*", "unix:run/x.sock", "unix:", "unix:/",
        ])
    func badDialGrant(text: String) {
        #expect(throws: GrammarError.self) { try DialGrant(text) }
    }

    @Test(
        "The operator's words stand behind a rule, in one order and one spelling",
        arguments: [
            ("a.example.com:443", []), ("a.example.com:443 private", .privateNetwork),
            ("*.example.com:443 loopback", .loopback),
            ("a.example.com:80 private loopback plain", [.privateNetwork, .loopback, .plain]),
            ("192.0.2.1:80 plain", .plain), ("[2001:db8::1]:80 plain", .plain),
        ] as [(String, DialOptions)])
    func options(text: String, options: DialOptions) throws {
        let rule = try DialGrant(text)
        #expect(rule.options == options && rule.bytes == Bytes(text))
        #expect(rule.covers(try DialGrant(String(text.prefix { $0 != " " }))))
    }

    @Test(
        "Anything else behind a rule is refused",
        arguments: [
            "a.example.com:443 ", "a.example.com:443  private", "a.example.com:443 Private",
            "a.example.com:443 private ",
            "a.example.com:443 plain private", "a.example.com:443 private private", "a.example.com:443\tprivate",
            "a.example.com:443 privateer", "a.example.com:443private", "a.example.com: 443", "127.0.0.1:443 private",
            "127.0.0.1:443 loopback", "[::1]:443 loopback plain", " a.example.com:443", "a.example.com:443 public",
        ])
    func badOptions(text: String) {
        #expect(throws: GrammarError.self) { try DialGrant(text) }
    }

    @Test func `Options are the approving side's, of all the rules that cover a peer, and nobody else's`() throws {
        func options(_ declared: [String], _ approved: [String], _ address: String) throws -> DialOptions? {
            let both = GrantSet.intersection(
                declared: try GrantSet.parse(dial: declared), approved: try GrantSet.parse(dial: approved))
            let operation = Operation.dial(try DialAddress(address))
            guard case .allowed(.dial(let ticket)) = authorize(operation, effective: both, scope: .mutating) else {
                return nil
            }
            return ticket.options
        }
        let peer = "a.example.com:443"
        #expect(try options([peer], [peer + " private"], peer) == .privateNetwork)
        #expect(try options([peer + " private loopback plain"], [peer], peer) == [])
        #expect(try options([peer], ["*.example.com:443 loopback"], peer) == .loopback)
        #expect(try options(["*.example.com:443"], [peer + " plain"], peer) == .plain)
        #expect(
            try options(["*.example.com:443"], ["*.example.com:443 loopback", peer + " private"], peer) == [
                .loopback, .privateNetwork,
            ])
        #expect(
            try options(["*.example.com:443"], ["*.example.com:443 loopback", peer + " private"], "b.example.com:443")
                == .loopback)
        #expect(try options([peer], [peer + " private", peer + " plain", peer], peer) == [.privateNetwork, .plain])
        let two = try GrantSet.parse(dial: [peer, peer + " private", peer + " private plain"]).normalised
        #expect(two.dial.map(\.description) == [peer + " private plain"])
        #expect(try GrantSet.parse(dial: [peer]).isSubset(of: GrantSet.parse(dial: [peer + " private"])))
    }

    @Test func `An exec grant is exact in number, order and bytes of the arguments`() throws {
        let grant = try ExecGrant(["/usr/sbin/nginx", "-s", "reload"])
        #expect(grant.covers(["/usr/sbin/nginx", "-s", "reload"]))
        let others: [[Bytes]] = [
            [], ["/usr/sbin/nginx"], ["/usr/sbin/nginx", "-s"], ["/usr/sbin/nginx", "reload", "-s"],
            ["/usr/sbin/nginx", "-s", "reload", ""], ["/usr/sbin/nginx", "-s reload"], ["nginx", "-s", "reload"],
            ["/usr/sbin/nginx", "-s", "Reload"], ["/usr/sbin//nginx", "-s", "reload"],
        ]
        for argv in others { #expect(!grant.covers(argv)) }
        #expect(try !ExecGrant(["/x", "\u{E9}"]).covers(["/x", "e\u{301}"]))
    }

    @Test(
        "An exec grant without an absolute program is refused",
        arguments: [[], ["nginx"], ["./nginx"], ["/usr/../nginx"], ["/"], ["/usr/"], ["/a", "b\0"], [""]])
    func badExec(argv: [String]) {
        #expect(throws: GrammarError.self) { try ExecGrant(argv) }
    }

    @Test func `Arguments and rules are bounded`() {
        #expect(throws: Never.self) { try ExecGrant(["/a"] + [String](repeating: "b", count: 63)) }
        #expect(throws: GrammarError.self) { try ExecGrant(["/a"] + [String](repeating: "b", count: 64)) }
        #expect(throws: GrammarError.self) { try ExecGrant(["/a", String(repeating: "b", count: 4097)]) }
        #expect(throws: GrammarError.self) { try GrantSet.parse(read: (0...256).map { "/a/\($0)" }) }
    }

    @Test(
        "Two path grants intersect in the narrower one, or in nothing",
        arguments: [
            ("/a/", "/a/", "/a/"), ("/a/", "/a/b/", "/a/b/"), ("/a/", "/a/b", "/a/b"), ("/a/b", "/a/b", "/a/b"),
            ("/a/", "/b/", nil), ("/a/b", "/a/c", nil), ("/a/", "/a", nil), ("/a/", "/ab/", nil),
            ("/a/b/", "/a/b", nil),
        ])
    func pathIntersection(left: String, right: String, both: String?) throws {
        let expected = try both.map { try GrantSet.parse(write: [$0]) } ?? GrantSet()
        let one = try GrantSet.parse(write: [left])
        let other = try GrantSet.parse(write: [right])
        #expect(GrantSet.intersection(declared: one, approved: other) == expected)
        #expect(GrantSet.intersection(declared: other, approved: one) == expected)
    }

    @Test func `Stars, sockets and commands intersect exactly; capabilities do not mix`() throws {
        let declared = try GrantSet.parse(
            read: ["/a/"], dial: ["*.example.com:443", "unix:/run/x"], exec: [["/x", "-t"], ["/x", "-s"]])
        let approved = try GrantSet.parse(
            write: ["/a/"], dial: ["a.example.com:443", "b.example.org:443", "unix:/run/x"], exec: [["/x", "-s"]])
        let both = GrantSet.intersection(declared: declared, approved: approved)
        #expect(both == (try GrantSet.parse(dial: ["a.example.com:443", "unix:/run/x"], exec: [["/x", "-s"]])))
        #expect(GrantSet.intersection(declared: declared, approved: GrantSet()).isEmpty)
    }

    @Test func `The difference names every rule that is not wholly approved`() throws {
        let asked = try GrantSet.parse(
            read: ["/a/b", "/a/", "/c"], dial: ["x.example.com:1", "*.example.com:1"], exec: [["/x", "1"]])
        let approved = try GrantSet.parse(read: ["/a/b", "/c"], dial: ["x.example.com:1"], exec: [["/x", "2"]])
        let lines = asked.difference(from: approved).lines.map(\.description)
        #expect(lines == ["fs.read /a/", "net.dial *.example.com:1", "process.exec [/x, \"1\"]"])
        #expect(!asked.isSubset(of: approved))
        #expect(approved.difference(from: approved).isEmpty)
        #expect(try GrantSet.parse(read: ["/a/b/c"]).isSubset(of: GrantSet.parse(read: ["/a/"])))
    }

    @Test func `The text of a set is what stands in the manifest`() throws {
        let set = try GrantSet.parse(
            read: ["/etc/nginx/tls/", "/etc/a b"], dial: ["127.0.0.1:443"],
            exec: [["/usr/sbin/nginx", "-t"], ["/x", ""]])
        #expect(
            set.yamlLines == [
                "fs.read: [/etc/nginx/tls/, \"/etc/a b\"]", "net.dial: [\"127.0.0.1:443\"]",
                "process.exec: [[/usr/sbin/nginx, -t], [/x, \"\"]]",
            ])
    }

    @Test func `Declaring less than was approved does not move the directory that is opened`() throws {
        let approved = try GrantSet.parse(write: ["/srv/"])
        let declared = try GrantSet.parse(write: ["/srv/link/tls/", "/srv/link/x"])
        let effective = GrantSet.intersection(declared: declared, approved: approved)
        #expect(effective.write.map(\.anchor.description) == ["/srv", "/srv"])

        // The operator's own deeper text does move it, also beside a wider rule.
        let exact = try GrantSet.parse(write: ["/srv/", "/srv/link/tls/"])
        let both = GrantSet.intersection(declared: declared, approved: exact)
        #expect(both.write.map(\.description) == ["/srv/link/tls/", "/srv/link/x"])
        #expect(both.write.map(\.anchor.description) == ["/srv/link/tls", "/srv"])
    }

    @Test func `Huge nested declarations are intersected in bounded work`() throws {
        let chain = (1...256).map { "/" + (0..<$0).map { _ in "a" }.joined(separator: "/") + "/" }
        let set = try GrantSet.parse(read: chain)
        let both = GrantSet.intersection(declared: set, approved: set)
        #expect(both.isSubset(of: set))
        #expect(both.read.count <= 256)
    }
}
