import Foundation
import Glibc
import Testing
import TrstctlPolicy
import TrstctlSystem
import TrstctlTestSupport
import TrstctlWire

@testable import TrstctlBroker

/// What servers answer, and what connectors put into requests: groups N21 to N31 of the hostile suite.
@Suite("Requests and answers are held to the grammar and to bounds", .ownThreads)
struct RequestAnswerTests {
    let healthy: ScriptedServer

    init() throws { healthy = try ScriptedServer(RequestFixture.fine) }

    func scope(_ server: ScriptedServer, _ change: (inout NetworkSettings) -> Void = { _ in }) throws -> BrokerScope {
        try RequestFixture.scope(dial: ["127.0.0.1:\(healthy.port)", "127.0.0.1:\(server.port)"], change)
    }

    func url(_ server: ScriptedServer) -> String { "http://127.0.0.1:\(server.port)/" }

    @Test(
        "N21, N22: names, values and methods are checked as bytes",
        arguments: [
            ("GET", "X\r\nInjected: 1", "v"), ("GET", "X Y", "v"), ("GET", "X:", "v"), ("GET", "", "v"),
            ("GET", "X\u{e9}", "v"),
            ("GET", "X", "a\rb"), ("GET", "X", "a\nb"), ("GET", "X", "a\r\nInjected: 1"), ("GET", "X", "a\0b"),
            ("GET", "X", "a\u{7f}"), ("GET\r\nX: y", "X", "v"), ("GET /evil HTTP/1.1\r\nX:", "X", "v"), ("", "X", "v"),
            ("G ET", "X", "v"), ("ABCDEFGHIJKLMNOPQ", "X", "v"), ("CONNECT", "X", "v"), ("connect", "X", "v"),
            ("TRACE", "X", "v"),
        ])
    func injections(method: String, name: String, value: String) throws {
        let scope = try scope(healthy)
        let reply = scope.ask(method, url(healthy)) {
            $0.headers = [Wire.HttpHeader(name: name, value: [.text(value)])]
        }
        #expect(healthy.connections == 0)
        scope.expectRefusal(reply, .invalidArgument, .invalid, healthy: healthy)
    }

    @Test func `N22: a secret that ends in a line feed fits into no header`() throws {
        let scope = try scope(healthy)
        let inHeader = scope.ask("GET", url(healthy)) {
            $0.headers = [Wire.HttpHeader(name: "X", value: [.secret("folded")])]
        }
        scope.expectRefusal(inHeader, .invalidArgument, .invalid, healthy: healthy)
        let bearer = scope.ask("GET", url(healthy)) {
            $0.authentication = Wire.HttpAuthentication(scheme: .bearer, secretName: "folded")
        }
        scope.expectRefusal(bearer, .invalidArgument, .invalid, healthy: healthy)
        #expect(!bearer.message.contains("with a line feed\n"))
    }

    @Test(
        "N23: the host's fields are not taken from a connector",
        arguments: [
            "Range", "if-range", "Request-Range", "X-MS-Range", "Accept-Encoding", "Host", "hOsT", "Content-Length",
            "Transfer-Encoding", "Connection", "Keep-Alive", "Upgrade", "TE", "Trailer", "Proxy-Authorization",
            "Proxy-Connection", "proxy-anything", "Expect", "HTTP2-Settings", "X-HTTP-Method-Override",
            "x-http-method", "X-Method-OVERRIDE", "X-Original-URL", "x_rewrite_url", "X_HTTP_Method_Override",
            "Accept_Encoding", "proxy_anything",
        ])
    func reserved(name: String) throws {
        let scope = try scope(healthy)
        let reply = scope.ask("GET", url(healthy)) { $0.headers = [Wire.HttpHeader(name: name, value: [.text("x")])] }
        #expect(healthy.connections == 0)
        scope.expectRefusal(reply, .permissionDenied, .reservedHeader, healthy: healthy)
        let byAuthentication = scope.ask("GET", url(healthy)) {
            $0.authentication = Wire.HttpAuthentication(scheme: .header, secretName: "header", headerName: name)
        }
        scope.expectRefusal(byAuthentication, .permissionDenied, .reservedHeader, healthy: healthy)
    }

    @Test func `What would make another method of a request is refused in every scope, and stands in no plan`() throws {
        for rights in [ScopeRights.readOnly, .recording, .mutating] {
            let scope = try RequestFixture.scope(rights, dial: ["127.0.0.1:\(healthy.port)"])
            for method in rights == .readOnly ? ["GET"] : ["GET", "POST"] {
                let reply = scope.ask(method, url(healthy)) {
                    $0.headers = [Wire.HttpHeader(name: "X-HTTP-Method-Override", value: [.text("DELETE")])]
                }
                #expect(reply.code == .permissionDenied, "\(rights) \(method): \(reply)")
            }
            #expect(scope.changes.isEmpty && healthy.connections == 0)
        }
    }

    @Test func `A connection that does not come about names its step once`() throws {
        let scope = try RequestFixture.scope(dial: ["127.0.0.1:1"])
        let reply = scope.ask("GET", "http://127.0.0.1:1/")
        #expect(reply.message == "127.0.0.1:1 was not reached: connect: Connection refused")
    }

    @Test func `What is sent is exactly what was asked for`() throws {
        let scope = try scope(healthy)
        _ = scope.ask("POST", url(healthy) + "a/../b?c=%2F") {
            $0.headers = [
                Wire.HttpHeader(name: "X-Empty", value: []), Wire.HttpHeader(name: "Accept", value: [.text("a/b")]),
                Wire.HttpHeader(name: "X-Two", value: [.text("one "), .secret("header")]),
            ]
            $0.body = [.text("body")]
        }
        let port = healthy.port
        let expected =
            "POST /a/../b?c=%2F HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nX-Empty:\r\nAccept: a/b\r\n"
            + "X-Two: one header-key-of-the-user\r\nContent-Length: 4\r\n\r\n"
        let seen = try #require(healthy.requests.first)
        #expect(seen.hasPrefix(expected), "\(seen)")
        _ = scope.ask("DELETE", url(healthy))
        #expect(healthy.requests.last == "DELETE / HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nAccept: */*\r\n\r\n")
        _ = scope.ask("PUT", url(healthy))
        #expect(healthy.requests.last?.contains("\r\nContent-Length: 0\r\n") == true)
        #expect(scope.ask("HEAD", url(healthy)).http?.body.isEmpty == true)
        #expect(scope.ask("GET", url(healthy)) { $0.body = [.text("x")] }.code == .invalidArgument)
    }

    @Test(
        "N25: an answer that can be read in two ways, or in none",
        arguments: [
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok", "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok", "HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nok",
            "HTTP/1.1 206 Partial Content\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nContent-Range: bytes 0-1/9\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFF\r\nok\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok",
            "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "HTTP/1.1 200 OK\r\nContent-Length: 2\n\r\nok",
            "HTTP/1.1 200 OK\r\nX: a\r\n folded\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nX: a\u{1}b\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nno field\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\n: a\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 99 Low\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 1000 High\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 600 High\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 2x0 OK\r\nContent-Length: 2\r\n\r\nok", "HTTP/2 200\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1200 OK\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\nok",
            "ok, no HTTP at all\r\n\r\n",
            "220 mail.example ESMTP\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nContent-Len", "",
        ])
    func malformed(answer: String) throws {
        let server = try ScriptedServer(answer)
        let scope = try scope(server)
        scope.expectRefusal(scope.ask("GET", url(server)), .failedPrecondition, .badPeer, healthy: healthy)
        #expect(server.connections == 1)
    }

    @Test func `Well-formed answers of every kind are taken`() throws {
        let answers = [
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.0 200\r\n\r\nok",
            "HTTP/1.1 200 \r\nConnection: close\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n1;x=y\r\no\r\n1\r\nk\r\n0\r\nTrailer: t\r\n\r\n",
            "HTTP/1.1 103 Early\r\nLink: a\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nX:\t a \t\r\nX: b\r\nContent-Length: 2\r\n\r\nok",
        ]
        for answer in answers {
            let server = try ScriptedServer(answer)
            let reply = try scope(server).ask("GET", url(server))
            #expect(reply.http?.status == 200 && reply.http?.body.text == "ok", "\(answer): \(reply.message)")
            #expect(reply.http?.headers.contains { $0.name == "Trailer" || $0.name == "Link" } == false)
            if answer.contains("X:") {
                #expect(reply.http?.headers.filter { $0.name == "X" }.map(\.value) == ["a", "b"])
            }
        }
    }

    @Test func `N26: a body above the bound ends the answer, whether it is announced or not`() throws {
        let piece = String(repeating: "x", count: 70_000)
        for answer in ["Content-Length: 70000\r\n\r\n", "\r\n", "Transfer-Encoding: chunked\r\n\r\n11170\r\n"] {
            // The endless ones never close by themselves.
            let server = try ScriptedServer("HTTP/1.1 200 OK\r\n\(answer)\(piece)", thenCloses: false)
            let scope = try scope(server)
            let reply = scope.ask("GET", url(server)) { $0.maxResponseBytes = 65_536 }
            scope.expectRefusal(reply, .resourceExhausted, .tooLarge, healthy: healthy)
        }
        let exact = try ScriptedServer("HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" + piece)
        #expect(try scope(exact).ask("GET", url(exact)) { $0.maxResponseBytes = 70_000 }.http?.body.count == 70_000)
    }

    @Test func `N26: a compressed body stays compressed`() throws {
        // 1 MiB of zeros behind 1 KiB: nobody asked for it, and nobody unpacks it.
        let gzip = Process()
        let output = Pipe()
        gzip.executableURL = URL(fileURLWithPath: "/bin/sh")
        gzip.arguments = ["-c", "head -c 1048576 /dev/zero | gzip -c"]
        gzip.standardOutput = output
        try gzip.run()
        let zeros = output.fileHandleForReading.readDataToEndOfFile()
        gzip.waitUntilExit()
        #expect((100..<4_096).contains(zeros.count))
        var answer = Array("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: \(zeros.count)\r\n\r\n".utf8)
        answer += zeros
        let server = try ScriptedServer([answer])
        let reply = try scope(server).ask("GET", url(server)) { $0.maxResponseBytes = 65_536 }
        #expect(reply.http?.body.array == Array(zeros))
        #expect(server.requests.first?.lowercased().contains("accept-encoding") == false)
    }

    @Test func `N26: an answer that trickles is given up, and one that stops ends at the deadline`() throws {
        let silent = try ScriptedServer("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", thenCloses: false)
        let scope = try scope(silent)
        let reply = scope.ask("GET", url(silent)) { $0.timeoutMilliseconds = 100 }
        scope.expectRefusal(reply, .deadlineExceeded, .timedOut, healthy: healthy)
        let slow = try self.scope(silent) { $0.patienceMilliseconds = 50 }
        let late = slow.ask("GET", url(silent))
        slow.expectRefusal(late, .deadlineExceeded, .timedOut, healthy: healthy)
        #expect(late.message.contains("too slowly"))
    }

    @Test func `N26: what is between the chunks of a body and is no body does not count as an answer`() throws {
        let extensions = "1;" + String(repeating: "x=y;", count: 1 << 20)
        let server = try ScriptedServer(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\(extensions)", thenCloses: false)
        let scope = try scope(server) { $0.patienceMilliseconds = 2_000 }
        let reply = scope.ask("GET", url(server)) { $0.timeoutMilliseconds = 60_000 }
        scope.expectRefusal(reply, .deadlineExceeded, .timedOut, healthy: healthy)
        #expect(reply.message.contains("too slowly"), "\(reply.message)")
    }

    @Test func `Q09: a server that does not read the body ends at the deadline`() throws {
        let listener = try LoopbackListener()
        let peer = "127.0.0.1:\(listener.port)"
        let scope = try RequestFixture.scope(dial: ["127.0.0.1:\(healthy.port)", peer])
        let reply = scope.ask("PUT", "http://\(peer)/") {
            $0.body = [.text(String(repeating: "x", count: 3 << 20))]
            $0.timeoutMilliseconds = 200
        }
        scope.expectRefusal(reply, .deadlineExceeded, .timedOut, healthy: healthy)
    }

    @Test(
        "N27: informational answers and header lines are counted",
        arguments: [
            "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", "X-A: b\r\n", "TRAILER",
        ])
    func floods(piece: String) throws {
        var answer = piece.hasPrefix("HTTP") ? "" : "HTTP/1.1 200 OK\r\n"
        if piece == "TRAILER" { answer += "Transfer-Encoding: chunked\r\n\r\n0\r\n" }
        answer += String(repeating: piece == "TRAILER" ? "X-A: b\r\n" : piece, count: 200)
        let server = try ScriptedServer(answer, thenCloses: false)
        let scope = try scope(server)
        scope.expectRefusal(scope.ask("GET", url(server)), .resourceExhausted, .tooLarge, healthy: healthy)
        let wide = try ScriptedServer(
            "HTTP/1.1 200 OK\r\n" + String(repeating: "X: " + String(repeating: "y", count: 30_000) + "\r\n", count: 3),
            thenCloses: false)
        let other = try self.scope(wide)
        other.expectRefusal(other.ask("GET", url(wide)), .resourceExhausted, .tooLarge, healthy: healthy)
    }

    @Test func `N30, N31: every request has a connection of its own, and no cookies`() throws {
        let server = try ScriptedServer(
            "HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\nok", thenCloses: false)
        let scope = try scope(server)
        for _ in 0..<3 { #expect(scope.ask("GET", url(server)).http?.value("Set-Cookie") == "a=b") }
        #expect(server.connections == 3)
        #expect(!server.requests.contains { $0.lowercased().contains("cookie") })
    }

    @Test func `An answer that repeats a secret is not handed on, and not written down`() throws {
        for (content, scheme) in [
            ("you are bearer-token-of-the-user", Wire.HttpAuthentication.Scheme.bearer),
            ("dXNlcjpwYXNzd29yZC1vZi10aGUtdXNlcg==", .basic), ("password-of-the-user", .basic),
        ] {
            for answer in [
                "HTTP/1.1 200 OK\r\nContent-Length: \(content.utf8.count)\r\n\r\n\(content)",
                "HTTP/1.1 200 OK\r\nX-Echo: \(content)\r\nContent-Length: 0\r\n\r\n",
            ] {
                let server = try ScriptedServer(answer)
                let scope = try scope(server)
                let reply = scope.ask("GET", url(server)) {
                    $0.authentication = Wire.HttpAuthentication(
                        scheme: scheme, identity: "user", secretName: scheme == .basic ? "password" : "bearer")
                }
                scope.expectRefusal(reply, .permissionDenied, .holdsSecret, healthy: healthy)
                #expect(!"\(scope.records)".contains(content))
            }
        }
        let key = "-----BEGIN PRIVATE KEY-----"
        let server = try ScriptedServer("HTTP/1.1 200 OK\r\nContent-Length: \(key.utf8.count)\r\n\r\n\(key)")
        let scope = try scope(server)
        scope.expectRefusal(scope.ask("GET", url(server)), .permissionDenied, .holdsKey, healthy: healthy)
    }
}
