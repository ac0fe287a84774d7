import Foundation
import Glibc
import Testing
import TrstctlCrypto
import TrstctlPolicy
import TrstctlSystem
import TrstctlTestSupport
import TrstctlWire

@testable import TrstctlBroker

@Suite("The target's proxy", .ownThreads)
struct ProxyTests {
    let pki: TestPKI
    let server: PythonServer
    let authorities: String
    let log: String

    init() throws {
        (pki, server, authorities) = try RequestFixture.server("api.example.test", "localhost")
        log = "\(pki.directory)/log"
    }

    func proxy(_ mode: String = "fine", _ user: String = "-") throws -> PythonServer {
        try PythonServer(
            "connect_proxy",
            [mode, log, user, "api.example.test=\(server.port)", "inside.example.test=\(server.port)"])
    }

    /// What the proxy was asked for, line by line.
    var asked: [String] {
        (try? String(contentsOfFile: log, encoding: .isoLatin1).split(separator: "\n").map(String.init)) ?? []
    }

    func through(_ port: UInt16) throws -> RequestProxy {
        RequestProxy(address: try DialAddress("127.0.0.1:\(port)"))
    }

    /// The names lead nowhere but for the proxy.
    func scope(
        _ proxy: RequestProxy?, dial: [String] = ["api.example.test:443"], names: [String: [String]] = [:],
        _ change: (inout NetworkSettings) -> Void = { _ in }
    ) throws -> BrokerScope {
        try RequestFixture.scope(dial: dial, read: [authorities], names: names, proxy: proxy, change)
    }

    func ask(_ scope: BrokerScope, _ url: String = "https://api.example.test/a", _ method: String = "GET") -> Wire.Reply
    {
        scope.ask(method, url) { $0.tls = Wire.TlsOptions(authoritiesPath: Bytes(authorities)) }
    }

    @Test func `A granted name is asked through the proxy, which looks it up; TLS is spoken with the name itself`()
        throws
    {
        let proxy = try proxy()
        let scope = try scope(try through(proxy.port))
        let seen = try #require(ask(scope).http).json()
        #expect(seen["path"] as? String == "/a" && seen["name"] as? String == "api.example.test")
        #expect((seen["headers"] as? [String: String])?.keys.contains { $0.lowercased().hasPrefix("proxy") } == false)
        #expect(asked == ["CONNECT api.example.test:443 HTTP/1.1|api.example.test:443|['host']|"])
        #expect(scope.records.last?.reason == "status 200, proxy 127.0.0.1:\(proxy.port)")
        // Without the authority the same server is not trusted: the proxy vouches for nobody.
        let untrusted = scope.ask("GET", "https://api.example.test/")
        #expect(untrusted.code == .failedPrecondition && untrusted.message.contains("is not trusted"))
        // What a connector calls the server is not where the proxy connects to.
        let renamed = scope.ask("GET", "https://api.example.test/") {
            $0.tls = Wire.TlsOptions(authoritiesPath: Bytes(authorities), serverName: "localhost")
        }
        #expect(renamed.http?.status == 200 && asked.allSatisfy { $0.hasPrefix("CONNECT api.example.test:443 ") })
    }

    @Test func `The token for a request is fetched through the proxy too, and only there`() throws {
        let proxy = try proxy()
        let scope = try scope(
            try through(proxy.port), dial: ["api.example.test:443", "inside.example.test:443"],
            names: ["inside.example.test": ["127.0.0.1"]])
        func reply(_ tokens: String) -> Wire.Reply {
            scope.ask("GET", "https://api.example.test/a") {
                $0.tls = Wire.TlsOptions(authoritiesPath: Bytes(authorities))
                $0.authentication = Wire.HttpAuthentication(
                    scheme: .oauth2ClientCredentials, identity: "client", secretName: "password", tokenUrl: tokens)
            }
        }
        let fine = reply("https://api.example.test/token")
        #expect(try #require(fine.http, "\(fine.message)").json()["path"] as? String == "/a")
        #expect(asked.count == 2 && asked.allSatisfy { $0.hasPrefix("CONNECT api.example.test:443 ") })
        let token = try #require(scope.records.first { $0.operation == "Token" })
        #expect(token.reason == "status 200, proxy 127.0.0.1:\(proxy.port)")
        // A name that the resolver knows is the proxy's to look up as well.
        _ = reply("https://inside.example.test/token")
        #expect(asked.last?.hasPrefix("CONNECT inside.example.test:443 ") == true)
    }

    @Test func `The grant is about the peer, and the proxy itself is no peer`() throws {
        let proxy = try proxy()
        let scope = try scope(try through(proxy.port))
        #expect(ask(scope, "https://elsewhere.example.test/").code == .permissionDenied)
        #expect(ask(scope, "https://api.example.test:8443/").code == .permissionDenied)
        #expect(ask(scope, "https://127.0.0.1:\(proxy.port)/").code == .permissionDenied)
        #expect(asked.isEmpty)
    }

    @Test func `User and password go to the proxy, and to nobody else`() throws {
        let proxy = try proxy("fine", "user:word-of-the-proxy")
        let word = Bytes(Array("word-of-the-proxy".utf8), isSecret: true)
        let address = try DialAddress("127.0.0.1:\(proxy.port)")
        let known = try scope(RequestProxy(address: address, user: "user", password: word))
        let reply = ask(known)
        #expect(reply.http?.status == 200, "\(reply.message)")
        #expect(asked.last?.hasSuffix("|Basic dXNlcjp3b3JkLW9mLXRoZS1wcm94eQ==") == true)
        let strangers = [
            try scope(RequestProxy(address: address)),
            try scope(RequestProxy(address: address, user: "x", password: word)),
        ]
        for stranger in strangers {
            let reply = ask(stranger)
            #expect(reply.code == .failedPrecondition && reply.message.contains("407"), "\(reply.message)")
            #expect(reply.status?.fix.contains("`proxy`") == true)
        }
        #expect(!"\(known.records)\(strangers.map(\.records))".contains("word-of-the-proxy"))
        for (user, password) in [("", "x"), ("a:b", "x"), ("a\r\nX: y", "x"), ("a", "x\r\nX: y"), ("a", "x\0")] {
            #expect(RequestProxy(address: address, user: user, password: Bytes(password)) == nil)
        }
    }

    @Test func `What the operator calls inside, and what is plain, never goes to the proxy`() throws {
        let proxy = try proxy()
        let plain = try ScriptedServer(RequestFixture.fine)
        let scope = try scope(
            try through(proxy.port),
            dial: [
                "api.example.test:\(server.port) loopback", "inside.example.test:443 private",
                "127.0.0.1:\(server.port)",
                "127.0.0.1:\(plain.port)",
            ], names: ["api.example.test": ["127.0.0.1"], "inside.example.test": ["127.0.0.1"]])
        #expect(ask(scope, "https://api.example.test:\(server.port)/").http?.status == 200)
        // A rule with a word keeps its check of addresses.
        #expect(ask(scope, "https://inside.example.test/").code == .permissionDenied)
        #expect(scope.ask("GET", "http://127.0.0.1:\(plain.port)/").http?.status == 200)
        let literal = ask(scope, "https://127.0.0.1:\(server.port)/")
        #expect(literal.message.contains("127.0.0.1") && literal.code == .failedPrecondition)
        #expect(asked.isEmpty)
        // A name that is none of these, in the clear: the host looks it up itself, and goes to public addresses only.
        let clear = try self.scope(
            try through(proxy.port), dial: ["api.example.test:\(plain.port) plain"],
            names: ["api.example.test": ["127.0.0.1"]])
        let refused = clear.ask("GET", "http://api.example.test:\(plain.port)/")
        #expect(refused.code == .permissionDenied && clear.records.last?.code == "refused-address", "\(refused)")
        #expect(asked.isEmpty)
        for (text, leads) in [
            ("192.0.2.1:443", false), ("10.0.0.1:443", false), ("169.254.169.254:443", false), ("[::1]:443", false),
            ("1.1.1.1:443", true), ("[2606:4700::1]:443", true),
        ] {
            let grants = try GrantSet.parse(dial: [text])
            guard
                case .allowed(.dial(let ticket)) = authorize(
                    .dial(try DialAddress(text)), effective: grants, scope: .mutating)
            else {
                Issue.record("\(text) was denied")
                continue
            }
            #expect(try through(proxy.port).leads(to: ticket) == leads, "\(text)")
        }
    }

    @Test(
        "A proxy that refuses, fails, lies or talks without end",
        arguments: [
            ("403", Wire.Status.Code.failedPrecondition, "(403)", 1), ("407", .failedPrecondition, "(407)", 1),
            ("302", .failedPrecondition, "(302)", 1), ("502", .unavailable, "(502)", 4),
            ("closes", .unavailable, "closed", 4),
            ("garbage", .failedPrecondition, "not HTTP/1.1", 1),
            ("injects", .failedPrecondition, "behind its answer", 1),
            ("endless", .failedPrecondition, "not HTTP/1.1", 1), ("early", .failedPrecondition, "not HTTP/1.1", 1),
            ("line", .failedPrecondition, "without end", 1), ("101", .failedPrecondition, "not HTTP/1.1", 1),
        ])
    func hostile(mode: String, code: Wire.Status.Code, text: String, attempts: Int) throws {
        let proxy = try proxy(mode)
        let scope = try scope(try through(proxy.port))
        let reply = ask(scope, "https://api.example.test/", "PUT")
        #expect(reply.code == code && reply.message.contains(text), "\(reply.message)")
        #expect(!reply.message.contains("\(proxy.port)"), "where the proxy is, is not the connector's business")
        // Only what the peer cannot have seen is asked for again.
        #expect(asked.count == attempts)
        // Nobody behind the proxy has seen the request, so it is not done, not even possibly.
        #expect(scope.changes.isEmpty)
    }

    @Test func `A POST to a peer that the proxy connected to is possibly done, whatever became of it`() throws {
        let closes = try LoopbackListener()
        closes.serveOnce { _ in }
        let proxy = try PythonServer("connect_proxy", ["fine", log, "-", "api.example.test=\(closes.port)"])
        let scope = try scope(try through(proxy.port))
        let reply = ask(scope, "https://api.example.test/", "POST")
        #expect(reply.code == .failedPrecondition, "\(reply.message)")
        #expect(asked.count == 1 && scope.changes.map(\.object) == ["POST https://api.example.test/"])
    }

    @Test func `A proxy that is not there is said to be the proxy`() throws {
        let scope = try scope(try through(1)) { $0.attempts = 1 }
        let reply = ask(scope)
        #expect(reply.code == .unavailable && reply.message.contains("through the target's proxy"), "\(reply.message)")
    }

    @Test func `A plan looks up no name that the proxy looks up`() throws {
        let plan = try RequestFixture.scope(
            .recording, dial: ["api.example.test:443"], proxy: try through(1))
        #expect(plan.ask("POST", "https://api.example.test/").http?.planned == true)
        #expect(plan.ask("POST", "https://elsewhere.example.test/").code == .permissionDenied)
    }

    @Test func `The environment names no proxy`() throws {
        for name in ["https_proxy", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"] { setenv(name, "http://127.0.0.1:1", 1) }
        defer { for name in ["https_proxy", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"] { unsetenv(name) } }
        let scope = try scope(
            nil, dial: ["api.example.test:\(server.port) loopback"], names: ["api.example.test": ["127.0.0.1"]])
        #expect(ask(scope, "https://api.example.test:\(server.port)/").http?.status == 200)
    }

    @Test func `curl agrees that the proxy of these tests is one`() throws {
        let proxy = try proxy("fine", "user:word")
        let curl = Process()
        curl.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        curl.arguments = [
            "curl", "-sS", "--cacert", authorities, "-x", "http://user:word@127.0.0.1:\(proxy.port)", "-o", "/dev/null",
            "https://api.example.test/",
        ]
        try curl.run()
        curl.waitUntilExit()
        #expect(curl.terminationStatus == 0 && asked.count == 1)
    }

    @Test("tinyproxy", .enabled(if: Tinyproxy.isExpected, "needs tinyproxy"))
    func tinyproxy() throws {
        let proxy = try Tinyproxy(user: "user", password: "word-of-the-proxy", connectsTo: server.port)
        let address = try DialAddress("127.0.0.1:\(proxy.port)")
        let dial = ["localhost:\(server.port)", "localhost:1"]
        func scope(_ word: String) throws -> BrokerScope {
            try self.scope(
                RequestProxy(address: address, user: "user", password: Bytes(Array(word.utf8), isSecret: true)),
                dial: dial)
        }
        let known = try scope("word-of-the-proxy")
        let reply = ask(known, "https://localhost:\(server.port)/")
        #expect(reply.http?.status == 200, "\(reply.message)")
        let refused = ask(known, "https://localhost:1/")
        #expect(refused.code == .failedPrecondition && refused.message.contains("(403)"), "\(refused.message)")
        let stranger = ask(try scope("another"), "https://localhost:\(server.port)/")
        #expect(stranger.message.contains("40"), "\(stranger.message)")
    }
}
