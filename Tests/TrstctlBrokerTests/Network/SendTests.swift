import Foundation
import Glibc
import Testing
import TrstctlCrypto
import TrstctlPolicy
import TrstctlSystem
import TrstctlTestSupport
import TrstctlWire

@testable import TrstctlBroker

@Suite("Sending bytes", .ownThreads)
struct SendTests {
    let directory: TestDirectory

    init() throws { directory = try TestDirectory() }

    func send(
        _ scope: BrokerScope, _ address: String, _ content: [Wire.Segment], until end: String = "", most: UInt32 = 0,
        milliseconds: UInt32 = 60_000
    ) -> Wire.Reply {
        scope.perform(
            .send(
                Wire.SendRequest(
                    address: address, content: content, readUntil: Bytes(end), maxResponseBytes: most,
                    timeoutMilliseconds: milliseconds)))
    }

    /// HAProxy's way: something comes, an answer goes, the end.
    func unixServer(_ name: String) throws -> PythonServer {
        try PythonServer("unix_server", [directory[name]])
    }

    @Test func `A Unix socket gets the bytes, secrets in place, and its answer comes back`() throws {
        let server = try unixServer("admin.sock")
        let path = "unix:" + directory["admin.sock"]
        let scope = try RequestFixture.scope(dial: [path])
        #expect(send(scope, path, [.text("show info\n")]).sent?.content.text == "show info\n")
        #expect(send(scope, path, [.text("a b\n\nc")], until: "\n\n").sent?.content.text == "a b\n\n")
        let big = String(repeating: "0123456789abcdef", count: 1 << 16)
        #expect(send(scope, path, [.text(big)], most: 1 << 20).sent?.content.count == 1 << 20)
        #expect(send(scope, path, [.text(big)], most: (1 << 20) - 1).code == .resourceExhausted)
        let echoed = send(scope, path, [.text("set "), .secret("password")])
        #expect(echoed.code == .permissionDenied && !"\(scope.records)".contains("password-of"))
        #expect(send(scope, path, [.text("x\n\n")], until: "never").code == .failedPrecondition)
        #expect(scope.records.first?.object == path && scope.changes.first?.object == path)
        withExtendedLifetime(server) {}
    }

    @Test func `Only the socket that is granted, and only a socket`() throws {
        let server = try unixServer("admin.sock")
        try directory.link("link.sock", to: directory["admin.sock"])
        try directory.file("file.sock")
        let names = ["link.sock", "file.sock", "none.sock"]
        let scope = try RequestFixture.scope(dial: names.map { "unix:" + directory[$0] })
        #expect(send(scope, "unix:" + directory["admin.sock"], [.text("x")]).code == .permissionDenied)
        #expect(send(scope, "unix:" + directory["link.sock"], [.text("x")]).code == .permissionDenied)
        #expect(send(scope, "unix:" + directory["file.sock"], [.text("x")]).code == .permissionDenied)
        #expect(send(scope, "unix:" + directory["none.sock"], [.text("x")]).code == .notFound)
        for bad in ["unix:relative", "unix:" + directory.path + "/../x", "unix:", "unix:/a//b", "127.0.0.1", ""] {
            #expect(send(scope, bad, [.text("x")]).code == .invalidArgument)
        }
        withExtendedLifetime(server) {}
    }

    @Test func `It may change something: denied where only reading is allowed, recorded in a plan`() throws {
        let server = try ScriptedServer("answer")
        let peer = "127.0.0.1:\(server.port)"
        let reading = try RequestFixture.scope(.readOnly, dial: [peer])
        #expect(send(reading, peer, [.text("x")]).code == .permissionDenied)
        let plan = try RequestFixture.scope(.recording, dial: [peer])
        #expect(send(plan, peer, [.text("x")]).sent?.planned == true)
        #expect(server.connections == 0)
        let apply = try RequestFixture.scope(dial: [peer])
        #expect(send(apply, peer, [.text("x\r\n\r\n")]).sent?.content.text == "answer")
        #expect(plan.changes == apply.changes && plan.changes.map(\.object) == [peer])
    }

    @Test func `A peer that says nothing ends at the deadline, one that leaves too early is an error`() throws {
        let silent = try LoopbackListener()
        let scope = try RequestFixture.scope(dial: ["127.0.0.1:\(silent.port)", "127.0.0.1:1"])
        // On a machine that stood still for so long the deadline passes before there is a connection.
        for milliseconds in [50, 500, 5_000] as [UInt32] where scope.changes.isEmpty {
            let reply = send(scope, "127.0.0.1:\(silent.port)", [.text("x")], milliseconds: milliseconds)
            #expect(reply.code == .deadlineExceeded)
        }
        #expect(send(scope, "127.0.0.1:1", [.text("x")]).code == .unavailable)
        #expect(scope.changes.map(\.object) == ["127.0.0.1:\(silent.port)"])
    }

    @Test func `Over TLS the peer is verified first`() throws {
        let made = try RequestFixture.server("127.0.0.1")
        let (server, authorities) = (made.server, made.authorities)
        let peer = "127.0.0.1:\(server.port)"
        let scope = try RequestFixture.scope(dial: [peer], read: [authorities])
        func asked(_ options: Wire.TlsOptions?) -> Wire.Reply {
            scope.perform(
                .send(
                    Wire.SendRequest(
                        address: peer, useTls: true, tls: options,
                        content: [.text("HEAD /state HTTP/1.0\r\n\r\n")], timeoutMilliseconds: 60_000)))
        }
        #expect(asked(nil).code == .failedPrecondition)
        let verified = asked(Wire.TlsOptions(authoritiesPath: Bytes(authorities)))
        #expect(verified.sent?.content.text?.hasPrefix("HTTP/1.1 200 OK\r\n") == true, "\(verified.message)")
        let wrong = asked(Wire.TlsOptions(authoritiesPath: Bytes(authorities), serverName: "wrong.example"))
        #expect(wrong.code == .failedPrecondition && wrong.message.contains("wrong.example"))
        let plain = Wire.SendRequest(address: peer, tls: Wire.TlsOptions())
        #expect(scope.perform(.send(plain)).code == .invalidArgument)
    }
}
