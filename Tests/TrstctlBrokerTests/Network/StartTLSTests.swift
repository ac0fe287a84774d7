import Foundation
import Testing
import TrstctlCrypto
import TrstctlPolicy
import TrstctlSystem
import TrstctlTestSupport
import TrstctlWire

@testable import TrstctlBroker

@Suite("Probing where TLS begins later", .ownThreads)
struct StartTLSTests {
    static let protocols: [Wire.ProbeTlsRequest.StartTls] = [.smtp, .imap, .pop3, .ldap, .postgres, .mysql]
    let pki: TestPKI
    let made: TestCredential

    init() throws {
        pki = try TestPKI()
        made = try pki.issue("mail.example")
    }

    func server(_ name: String, _ mode: String) throws -> PythonServer {
        try PythonServer("starttls_server", [name, mode, made.fullchainPath, made.keyPath])
    }

    func probe(_ port: UInt16, _ startTLS: Wire.ProbeTlsRequest.StartTls, milliseconds: UInt32 = 60_000) throws
        -> Wire.Reply
    {
        let scope = BrokerScope(rights: .readOnly, grants: try GrantSet.parse(dial: ["127.0.0.1:\(port)"]))
        return scope.perform(
            .probeTls(
                Wire.ProbeTlsRequest(
                    address: "127.0.0.1:\(port)", serverName: "mail.example", startTls: startTLS,
                    timeoutMilliseconds: milliseconds)))
    }

    @Test("The chain comes back, and OpenSSL's own client agrees with the server", arguments: protocols)
    func fine(startTLS: Wire.ProbeTlsRequest.StartTls) throws {
        let server = try server("\(startTLS)", "fine")
        let reply = try probe(server.port, startTLS)
        guard case .probeTls(let response) = reply.result else {
            Issue.record("\(reply.message)")
            return
        }
        #expect(response.certificates.first?.fingerprint == made.fingerprint)
        let client = Process()
        let output = Pipe()
        client.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        client.arguments = [
            "s_client", "-starttls", "\(startTLS)", "-connect", "127.0.0.1:\(server.port)", "-CAfile",
            try pki.write("ca", pki.root.certificate.pem),
        ]
        client.standardInput = FileHandle.nullDevice
        client.standardOutput = output
        client.standardError = FileHandle.nullDevice
        try client.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        client.waitUntilExit()
        #expect(text.contains("Verify return code: 0 (ok)"))
    }

    @Test(
        "No TLS is no answer: refusals, silence, injected bytes, other protocols, endless talk", arguments: protocols,
        ["refuses", "silent", "injects", "garbage", "endless", "closes"])
    func hostile(startTLS: Wire.ProbeTlsRequest.StartTls, mode: String) throws {
        let server = try server("\(startTLS)", mode)
        let reply = try probe(server.port, startTLS)
        let expected: [Wire.Status.Code] = mode == "closes" ? [.unavailable] : [.failedPrecondition]
        #expect(reply.code.map { expected.contains($0) } == true, "\(mode): \(reply.message)")
        #expect(reply.result == nil)
        if mode == "injects" { #expect(reply.message.contains("sent more behind"), "\(reply.message)") }
        if mode == "refuses" { #expect(reply.message.contains("no TLS after \(startTLS)"), "\(reply.message)") }
    }

    @Test(
        "PostgreSQL itself", .enabled(if: RealPostgres.isExpected, "needs PostgreSQL"))
    func postgres() throws {
        for isOn in [true, false] {
            let server = try RealPostgres(made, isOn: isOn)
            let reply = try probe(server.port, .postgres)
            guard isOn else {
                #expect(reply.code == .failedPrecondition && reply.message.contains("ssl is off"), "\(reply.message)")
                continue
            }
            guard case .probeTls(let response) = reply.result else {
                Issue.record("\(reply.message)")
                return
            }
            #expect(response.certificates.first?.fingerprint == made.fingerprint)
        }
    }

    @Test("Exim itself", .enabled(if: RealServer.Kind.exim.isExpected, "needs Exim, and root, who may start it"))
    func exim() throws { try real(.exim, [.smtp]) }

    @Test("Dovecot itself", .enabled(if: RealServer.Kind.dovecot.isExpected, "needs Dovecot with IMAP and POP3"))
    func dovecot() throws { try real(.dovecot, [.imap, .pop3]) }

    @Test("slapd itself", .enabled(if: RealServer.Kind.slapd.isExpected, "needs slapd"))
    func slapd() throws { try real(.slapd, [.ldap]) }

    @Test("MariaDB itself", .enabled(if: RealServer.Kind.mariadb.isExpected, "needs MariaDB"))
    func mariadb() throws { try real(.mariadb, [.mysql]) }

    /// With TLS the chain comes back; without, the server's refusal, as it says it.
    private func real(_ kind: RealServer.Kind, _ protocols: [Wire.ProbeTlsRequest.StartTls]) throws {
        for hasTLS in [true, false] {
            let server = try RealServer(kind, made, hasTLS: hasTLS)
            for startTLS in protocols {
                let reply = try probe(try server.port("\(startTLS)"), startTLS)
                guard hasTLS else {
                    #expect(reply.code == .failedPrecondition, "\(startTLS): \(reply.message)")
                    #expect(reply.message.contains("no TLS after \(startTLS)"), "\(reply.message)")
                    continue
                }
                guard case .probeTls(let response) = reply.result else {
                    Issue.record("\(startTLS): \(reply.message)")
                    continue
                }
                #expect(response.certificates.first?.fingerprint == made.fingerprint)
                #expect(response.certificates.count == 2)
            }
        }
    }

    @Test func `A server that speaks TLS at once, or says nothing, ends at the deadline`() throws {
        let listener = try LoopbackListener()
        for startTLS in Self.protocols {
            #expect(try probe(listener.port, startTLS, milliseconds: 50).code == .unavailable)
        }
    }
}
