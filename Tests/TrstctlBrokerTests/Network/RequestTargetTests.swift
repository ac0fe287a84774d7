import Foundation
import Glibc
import Testing
import TrstctlPolicy
import TrstctlSystem
import TrstctlTestSupport
import TrstctlWire

@testable import TrstctlBroker

/// Where a request goes: groups N01 to N19, N33, N34 of the hostile suite.
@Suite("Requests reach only what is granted", .ownThreads)
struct RequestTargetTests {
    let healthy: ScriptedServer
    let elsewhere: ScriptedServer

    init() throws {
        healthy = try ScriptedServer(RequestFixture.fine)
        elsewhere = try ScriptedServer(RequestFixture.fine)
    }

    func scope(_ dial: [String] = [], names: [String: [String]] = [:]) throws -> BrokerScope {
        try RequestFixture.scope(
            dial: ["127.0.0.1:\(healthy.port)", "api.example.test:443"] + dial, names: names, plugin: "cdn")
    }

    @Test(
        "N02 to N11: another host, another spelling, another port",
        arguments: [
            ("https://api.example.test.evil.test/", EffectError.Code.notGranted),
            ("https://xapi.example.test/", .notGranted), ("https://example.test/", .notGranted),
            ("https://api.example.tes/", .notGranted), ("https://api.example.test@evil.test/", .invalid),
            ("https://evil.test#@api.example.test/", .invalid), ("https://evil.test?@api.example.test/", .notGranted),
            ("https://evil.test\\@api.example.test/", .invalid),
            ("https://evil.test/%2f..@api.example.test", .notGranted),
            ("https://api.example.test./", .invalid), ("https://ex%61mple.test/", .invalid),
            ("https://api.example.test%00.evil.test/", .invalid), ("https://api%2eexample.test/", .invalid),
            ("https://2130706433/", .invalid), ("https://0x7f000001/", .invalid), ("https://0177.0.0.1/", .invalid),
            ("https://127.1/", .invalid), ("https://0/", .invalid), ("https://①②⑦.0.0.1/", .invalid),
            ("https://[::1]/", .notGranted), ("https://[::ffff:127.0.0.1]/", .notGranted),
            ("https://[::ffff:7f00:1]/", .invalid), ("https://[fe80::1%25lo]/", .invalid),
            ("https://[::]/", .notGranted),
            ("https://[::1/", .invalid), ("https://::1/", .invalid), ("https://api.example.test:/", .invalid),
            ("https://api.example.test:0/", .invalid), ("https://api.example.test:99999/", .invalid),
            ("https://api.example.test:0443/", .invalid), ("https://:443@api.example.test/", .invalid),
            ("https://api.example.test:8443/", .notGranted), ("http://api.example.test/", .notGranted),
            ("HTTPS://api.example.test/", .invalid), ("ftp://api.example.test/", .invalid),
            ("file:///etc/passwd", .invalid),
            ("https:///api.example.test/", .invalid), ("//api.example.test/", .invalid), ("", .invalid),
            ("https://api.example.test/a b", .invalid), ("https://api.example.test/\r\nX: y", .invalid),
            ("https://api.example.test/%zz", .invalid), ("https://api.example.test/%", .invalid),
            ("https://api.example.test/\u{e9}", .invalid), ("https://api.example.test/#x", .invalid),
            ("https://api.example.test/" + String(repeating: "a", count: 8_192), .invalid),
            // N34: the address behind a granted name, and a name for a granted address.
            ("https://192.0.2.7/", .notGranted), ("http://localhost:80/", .notGranted),
        ])
    func elsewhereIsRefused(url: String, reason: EffectError.Code) throws {
        let scope = try scope(names: ["api.example.test": ["192.0.2.7"], "evil.test": ["127.0.0.1"]])
        let code: Wire.Status.Code = reason == .invalid ? .invalidArgument : .permissionDenied
        scope.expectRefusal(scope.ask("GET", url), code, reason, healthy: healthy)
    }

    @Test func `N06: a host in capitals is the same host, looked up once in lower case`() throws {
        let scope = try scope(
            ["api.example.test:\(elsewhere.port) loopback"], names: ["api.example.test": ["127.0.0.1"]])
        let reply = scope.ask("GET", "http://API.Example.TEST:\(elsewhere.port)/")
        #expect(reply.http?.status == 200, "\(reply.message)")
        #expect(elsewhere.requests.first?.contains("Host: api.example.test:\(elsewhere.port)\r\n") == true)
    }

    @Test(
        "N15: an address that is not public is refused behind a name",
        arguments: [
            "127.0.0.1", "127.8.8.8", "169.254.169.254", "fd00:ec2::254", "10.0.0.1", "172.16.0.1", "172.31.255.255",
            "192.168.0.1", "100.64.0.1", "100.127.255.255", "0.0.0.0", "0.1.2.3", "224.0.0.1", "239.255.255.255",
            "255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.9", "168.63.129.16",
            "::", "::1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "64:ff9b::a00:1", "64:ff9b::7f00:1", "64:ff9b:1::1",
            "fe80::1", "fec0::1", "fc00::1", "fd12:3456::1", "ff02::1", "2001:db8::1", "2001::1", "2002:0a00:0001::1",
            "3fff::1", "100::1", "4000::1",
        ])
    func notPublic(address: String) throws {
        let scope = try scope(names: ["api.example.test": [address]])
        let reply = scope.ask("GET", "https://api.example.test/")
        scope.expectRefusal(reply, .permissionDenied, .refusedAddress, healthy: healthy)
        // N35: what the resolver said is not for the connector.
        #expect(!reply.message.contains(address) && reply.status?.fix.contains(address) == false)
        let probe = scope.perform(.probeTls(Wire.ProbeTlsRequest(address: "api.example.test:443")))
        #expect(probe.code == .permissionDenied)
    }

    @Test(
        "Public addresses are public, those that embed one included",
        arguments: [
            "8.8.8.8", "172.32.0.1", "100.128.0.1", "192.0.1.1", "64:ff9b::808:808", "2606:4700::1111", "2a00::1",
        ])
    func isPublic(address: String) throws {
        let peer = try #require(PeerAddress(bytes: try RequestFixture.address(address), port: 443))
        #expect(AddressReach(peer) == .everywhere)
    }

    @Test(
        "The rule's word permits a private address, or this machine, each for itself",
        arguments: [
            ("10.0.0.1", "private", true), ("fd12::1", "private", true), ("100.64.0.1", "private", true),
            ("64:ff9b::a00:1", "private", true), ("127.0.0.1", "private", false), ("127.0.0.1", "loopback", true),
            ("::1", "loopback", true), ("10.0.0.1", "loopback", false), ("169.254.169.254", "private", false),
            ("169.254.169.254", "private loopback plain", false), ("fd00:ec2::254", "private", false),
            ("fd00:ec2::23", "private", false), ("fd20:ce::254", "private", false),
            ("fd00:c1::a9fe:a9fe", "private", false), ("100.100.100.200", "private", false),
            ("64:ff9b::6464:64c8", "private", false), ("100.100.100.201", "private", true),
            ("fd20:ce::255", "private", true),
            ("0.0.0.0", "private loopback", false), ("::ffff:127.0.0.1", "private loopback", false),
        ])
    func words(address: String, words: String, isPermitted: Bool) throws {
        let options = try DialGrant("a.example.test:443 " + words).options
        let peer = try #require(PeerAddress(bytes: try RequestFixture.address(address), port: 443))
        #expect(AddressReach(peer).isPermitted(by: options) == isPermitted)
    }

    @Test func `A name that nobody knows comes with what shows that, and with what knows more names`() throws {
        let reply = try scope().ask("GET", "https://api.example.test/")
        #expect(reply.code == .unavailable)
        #expect(reply.status?.fix.hasPrefix("try it: getent ahosts api.example.test; ") == true, "\(reply)")
    }

    @Test func `A denial names the word that would permit it, and the plugin whose list it belongs to`() throws {
        for (address, word) in [("10.0.0.1", "private"), ("127.0.0.1", "loopback")] {
            let scope = try scope(names: ["api.example.test": [address]])
            let reply = scope.ask("GET", "https://api.example.test/")
            let line = "under plugins.cdn.grants in the manifest: net.dial: [\"api.example.test:443 \(word)\"]"
            #expect(reply.status?.fix.hasSuffix(line) == true, "\(reply.status?.fix ?? "")")
        }
    }

    @Test func `N17: of mixed answers the bad ones are dropped, and the good one is dialled`() throws {
        // The good one is this machine, by the rule's word; the bad ones come first and are never dialled.
        let rule = "api.example.test:\(elsewhere.port) loopback"
        let scope = try scope([rule], names: ["api.example.test": ["10.255.255.1", "169.254.169.254", "127.0.0.1"]])
        #expect(scope.ask("GET", "http://api.example.test:\(elsewhere.port)/").http?.status == 200)
        let operation = TrstctlPolicy.Operation.dial(try DialAddress("api.example.test:443"))
        let grants = try GrantSet.parse(dial: ["api.example.test:443"])
        guard case .allowed(.dial(let ticket)) = authorize(operation, effective: grants, scope: .mutating) else {
            Issue.record("not granted")
            return
        }
        var network = NetworkSettings()
        network.resolver = { _, port in
            .addresses(
                [[10, 0, 0, 1], [8, 8, 8, 8], [127, 0, 0, 1]].compactMap { PeerAddress(bytes: $0, port: port) })
        }
        let peer = try CheckedPeer(ticket, isPlain: false, network, Patience(.never, Interruption()))
        #expect(peer.addresses.map(\.text) == ["8.8.8.8:443"])
    }

    @Test func `A connector whose name service answers nothing has places of its own for look-ups`() throws {
        let gate = DispatchSemaphore(value: 0)
        let rule = "api.example.test:\(elsewhere.port) loopback"
        let url = "http://api.example.test:\(elsewhere.port)/"
        let slow = try RequestFixture.scope(dial: [rule]) { network in
            network.resolver = { _, _ in
                gate.wait()
                return .failure(-2)
            }
        }
        let codes = (0..<17).map { _ in slow.ask("GET", url) { $0.timeoutMilliseconds = 1 }.code }
        defer { for _ in 0..<17 { gate.signal() } }
        #expect(codes.dropLast().allSatisfy { $0 == .deadlineExceeded }, "\(codes)")
        #expect(codes.last != .deadlineExceeded, "17 were under way")
        // Another one's, and the host's own.
        let other = try scope([rule], names: ["api.example.test": ["127.0.0.1"]])
        #expect(other.ask("GET", url).http?.status == 200)
        #expect(throws: Never.self) {
            try AddressLookup.addresses(of: "localhost", port: 1, deadline: .after(milliseconds: 60_000))
        }
    }

    @Test func `Names are looked up once for a request, repetitions included`() throws {
        let busy = try ScriptedServer([
            Array("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n".utf8), Array(RequestFixture.fine.utf8),
        ])
        let count = Counter()
        let scope = try RequestFixture.scope(dial: ["api.example.test:\(busy.port) loopback"]) { network in
            network.resolver = { _, port in
                // A second look-up would get another answer: rebinding.
                count.add()
                let bytes: [UInt8] = count.value == 1 ? [127, 0, 0, 1] : [10, 0, 0, 1]
                return .addresses([PeerAddress(bytes: bytes, port: port)].compactMap { $0 })
            }
        }
        #expect(scope.ask("GET", "http://api.example.test:\(busy.port)/").http?.status == 200)
        #expect(count.value == 1 && busy.connections == 2)
    }

    @Test(
        "N13, N14: a redirect is an answer",
        arguments: [301, 302, 303, 307, 308], ["ELSEWHERE", "http://169.254.169.254/", "file:///etc/passwd", "/again"])
    func redirects(status: Int, target: String) throws {
        let location = target == "ELSEWHERE" ? "http://127.0.0.1:\(elsewhere.port)/" : target
        let server = try ScriptedServer(
            "HTTP/1.1 \(status) Moved\r\nLocation: \(location)\r\nContent-Length: 0\r\n\r\n")
        let scope = try scope(["127.0.0.1:\(server.port)", "127.0.0.1:\(elsewhere.port)"])
        let reply = scope.ask("GET", "http://127.0.0.1:\(server.port)/") {
            $0.authentication = Wire.HttpAuthentication(scheme: .bearer, secretName: "bearer")
        }
        #expect(reply.http?.status == UInt32(status) && reply.http?.value("location") == location)
        #expect(server.connections == 1 && elsewhere.connections == 0)
    }

    @Test func `N19: proxies of the environment are ignored`() throws {
        let names = ["http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"]
        for name in names { setenv(name, "http://127.0.0.1:\(elsewhere.port)", 1) }
        setenv("NO_PROXY", "", 1)
        defer { for name in names + ["NO_PROXY"] { unsetenv(name) } }
        let scope = try scope()
        #expect(scope.ask("GET", "http://127.0.0.1:\(healthy.port)/").http?.status == 200)
        // What goes to a proxy has the whole URL in its first line.
        #expect(healthy.requests.first?.hasPrefix("GET / HTTP/1.1\r\n") == true)
        _ = scope.ask("GET", "https://127.0.0.1:\(healthy.port)/") { $0.timeoutMilliseconds = 200 }
        #expect(elsewhere.connections == 0)
    }

    @Test func `Nothing leaves the machine without TLS unless the rule says plain`() throws {
        let names = ["api.example.test": ["8.8.8.8"], "near.example.test": ["127.0.0.1"]]
        let scope = try scope(
            ["api.example.test:80", "near.example.test:\(elsewhere.port) loopback", "192.0.2.1:80"], names: names)
        for url in ["http://api.example.test/", "http://192.0.2.1/"] {
            scope.expectRefusal(scope.ask("GET", url), .permissionDenied, .refusedAddress, healthy: healthy)
        }
        #expect(scope.ask("GET", "http://near.example.test:\(elsewhere.port)/").http?.status == 200)
        let send = scope.perform(.send(Wire.SendRequest(address: "api.example.test:80", content: [.text("x")])))
        let line = "under plugins.cdn.grants in the manifest: net.dial: [\"api.example.test:80 plain\"]"
        #expect(send.code == .permissionDenied && send.status?.fix.hasSuffix(line) == true, "\(send)")
    }

    @Test func `N33: a resolver that hangs ends at the deadline, or with the call`() throws {
        let hold = DispatchSemaphore(value: 0)
        defer { for _ in 0..<2 { hold.signal() } }
        let scope = try RequestFixture.scope(dial: ["api.example.test:443", "127.0.0.1:\(healthy.port)"]) { network in
            network.resolver = { _, _ in
                hold.wait()
                return .failure(-2)
            }
        }
        let reply = scope.ask("GET", "https://api.example.test/") { $0.timeoutMilliseconds = 50 }
        scope.expectRefusal(reply, .deadlineExceeded, .timedOut, healthy: healthy)
        let raised = Interruption()
        raised.raise()
        let request = Wire.HttpRequest(method: "GET", url: "https://api.example.test/")
        #expect(scope.perform(.request(request), interruption: raised).code == .failedPrecondition)
        let long = String(repeating: "a.", count: 126) + "example"
        scope.expectRefusal(scope.ask("GET", "https://\(long)/"), .invalidArgument, .invalid, healthy: healthy)
    }
}
