import Foundation
import Glibc
import Testing
import TrstctlPolicy
import TrstctlSystem
import TrstctlTestSupport
import TrstctlWire

@testable import TrstctlBroker

/// HAProxy itself, with a frontend that speaks TLS and its runtime API on a Unix socket.
final class RealHAProxy {
    let port: UInt16
    let socket: String
    private let process = Process()

    /// Starts it and waits until it listens.
    ///
    /// - Parameters:
    ///   - pem: the file with certificate, chain and key.
    ///   - directory: for its socket and its configuration.
    /// - Throws: when it does not start.
    init(_ pem: String, in directory: String) throws {
        guard let program = Tool.path("haproxy") else { throw TestPKI.Failure(description: "there is no haproxy") }
        port = try Tool.freePort()
        socket = directory + "/haproxy.sock"
        let file = directory + "/haproxy.cfg"
        try """
        global
            stats socket \(socket) mode 600 level admin
        defaults
            mode http
            timeout connect 5s
            timeout client 60s
            timeout server 60s
        frontend test
            bind 127.0.0.1:\(port) ssl crt \(pem)
            http-request return status 200

        """.write(toFile: file, atomically: true, encoding: .utf8)
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = ["-db", "-f", file]
        process.standardInput = FileHandle.nullDevice
        try process.run()
        try Tool.waitUntilListening(port, process)
    }

    deinit {
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }
}

@Suite("Sending to HAProxy", .ownThreads, .enabled(if: Tool.isExpected("haproxy"), "needs haproxy"))
struct HAProxyTests {
    @Test func `Its runtime API gets a certificate and a key that the connector never sees, and serves them`() throws {
        let pki = try TestPKI()
        let old = try pki.issue("old", names: ["site.example"])
        let new = try pki.issue("new", names: ["site.example"])
        func contents(_ path: String) throws -> Bytes {
            Bytes(Array(try #require(FileManager.default.contents(atPath: path))))
        }
        let pem = try pki.write(
            "site.pem",
            Bytes(try contents(old.fullchainPath).array + contents(old.keyPath).array))
        let haproxy = try RealHAProxy(pem, in: pki.directory)
        let key = Bytes(try contents(new.keyPath).array, isSecret: true)
        let secrets = SecretSource([("fullchain", try contents(new.fullchainPath)), ("key", key)])
        let peer = "unix:" + haproxy.socket
        let scope = try RequestFixture.scope(dial: [peer, "127.0.0.1:\(haproxy.port)"], secrets: secrets)
        func send(_ content: [Wire.Segment]) -> String {
            let reply = scope.perform(
                .send(Wire.SendRequest(address: peer, content: content, timeoutMilliseconds: 60_000)))
            return reply.sent?.content.text ?? "\(reply.message)"
        }
        func served() -> String? {
            let reply = scope.perform(
                .probeTls(
                    Wire.ProbeTlsRequest(
                        address: "127.0.0.1:\(haproxy.port)", serverName: "site.example", timeoutMilliseconds: 60_000)))
            guard case .probeTls(let response) = reply.result else { return nil }
            return response.certificates.first?.fingerprint
        }
        #expect(served() == old.fingerprint)
        #expect(send([.text("show info\n")]).contains("Name: HAProxy"))
        let begun = send([.text("set ssl cert \(pem) <<\n"), .secret("fullchain"), .secret("key"), .text("\n")])
        #expect(begun.contains("Transaction created"), "\(begun)")
        #expect(served() == old.fingerprint)
        let done = send([.text("commit ssl cert \(pem)\n")])
        #expect(done.contains("Success!"), "\(done)")
        #expect(served() == new.fingerprint)
        #expect(send([.text("abort ssl cert \(pem)\n")]).contains("No ongoing transaction"))
        #expect(scope.records.allSatisfy { $0.outcome == .allowed } && scope.changes.count == 4)
        #expect(!"\(scope.records)".contains("PRIVATE KEY"))
    }
}
