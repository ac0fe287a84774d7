import Foundation
import Testing
import TrstctlHost
import TrstctlTestSupport

/// A probe with `start_tls` with the built command and a real mail server.
@Suite(
    "Proof of a server where TLS begins later", .ownThreads,
    .enabled(if: RealServer.Kind.dovecot.isExpected, "needs Dovecot with IMAP and POP3"))
struct StartTLSTests {
    /// The echo connector, which writes what Dovecot serves, and has it reloaded.
    private struct Site {
        let dovecot: RealServer
        let first: TestCredential
        var echo: EchoSite

        /// - Parameters:
        ///   - name: the protocol that the probe speaks.
        ///   - listener: the protocol of the port that it dials.
        ///   - isReloaded: whether Dovecot is told.
        /// - Throws: when something is not built, not installed or cannot be written.
        init(_ name: String, at listener: String, isReloaded: Bool) throws {
            echo = try EchoSite()
            first = try echo.command.pki.issue("first.example.com")
            dovecot = try RealServer(.dovecot, first)
            let address = "127.0.0.1:\(try dovecot.port(listener))"
            let program = try #require(Tool.path("doveadm"))
            let reload = isReloaded ? "[\(program), -c, \(dovecot.configuration), reload]" : "[/bin/true]"
            let config = [
                "write_path": dovecot.pem, "write_text": "\"\\n\"", "write_secret": "fullchain key", "run": reload,
                "rollback": reload, "probe": "true",
            ]
            echo.manifest.targets[0].config.merge(config) { $1 }
            echo.manifest.targets[0].probe =
                "{ address: \"\(address)\", server_name: www.example.com, start_tls: \(name), "
                + "timeout: \(isReloaded ? 60 : 5) }"
            let live = echo.command.scratch.file("live")
            echo.manifest.grants = [
                "fs.read: [\(live)/, \(dovecot.pem)]", "fs.write: [\(live)/, \(dovecot.pem)]",
                "process.exec: [\(reload)]", "net.dial: [\"\(address)\"]",
            ]
            try echo.command.write(manifest: echo.manifest.text)
        }

        func apply() async throws -> (TrstctlCommand.Outcome, TargetReport) {
            let outcome = try await echo.command.run("apply", "--json")
            return (outcome, try #require(try outcome.json(RunReport.self).targets.first, "\(outcome)"))
        }
    }

    @Test(
        "The deployment is committed when the server shows the new chain behind STARTTLS", arguments: ["imap", "pop3"])
    func proven(name: String) async throws {
        let site = try Site(name, at: name, isReloaded: true)
        let (outcome, report) = try await site.apply()
        #expect(outcome.code == 0 && report.isProven && report.outcome == .deployed, "\(outcome)")
        #expect(site.echo.fingerprint("one") == site.echo.credential.fingerprint)
        let (again, second) = try await site.apply()
        #expect(again.code == 0 && second.outcome == .inSync, "\(again)")
        // The connector was told of the protocol as well, and probed with it.
        let audit = try await site.echo.command.run("audit", "--json").json(AuditResult.self)
        #expect(audit.records.contains { $0.operation == "ProbeTLS" && $0.scope == "Apply" && $0.outcome == "allowed" })
    }

    @Test("A server that goes on showing the old chain: nothing is committed, and the old files are back")
    func notReloaded() async throws {
        let site = try Site("imap", at: "imap", isReloaded: false)
        let before = try FileStamp(site.dovecot.pem)
        let (outcome, report) = try await site.apply()
        #expect(outcome.code == 1 && report.stage == .probe && report.rollback == .rolledBack, "\(outcome)")
        #expect(report.detail.contains(site.first.fingerprint), "\(outcome)")
        let after = try FileStamp(site.dovecot.pem)
        #expect(after.content == before.content && after.mode == before.mode && after.owner == before.owner)
        #expect(site.echo.files == [])
    }
}
