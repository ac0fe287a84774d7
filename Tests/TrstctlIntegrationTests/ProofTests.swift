import Foundation
import Testing
import TrstctlHost
import TrstctlTestSupport

/// The built command and servers whose answers are no proof.
@Suite("Proofs with the built command", .ownThreads)
struct ProofTests {
    private func site(_ answers: Int, timeout: Int) throws -> (site: EchoSite, server: PythonServer) {
        var site = try EchoSite()
        let (certificate, key) = (site.credential.fullchainPath, site.credential.keyPath)
        let server = try PythonServer("dying_server", [certificate, key, "\(answers)"])
        site.manifest.targets[0].probe = "{ address: \"127.0.0.1:\(server.port)\", timeout: \(timeout) }"
        try site.command.write(manifest: site.manifest.text)
        return (site, server)
    }

    /// The look before the deployment and one handshake after it, then nobody answers.
    @Test("A server that shows the certificate once and dies proves nothing: the files are put back")
    func dies() async throws {
        let (site, server) = try site(2, timeout: 5)
        defer { withExtendedLifetime(server) {} }
        let outcome = try await site.command.run("apply", "--json")
        let target = try #require(try outcome.json(RunReport.self).targets.first)
        #expect(target.code == "not-served" && !target.isProven, "\(outcome)")
        #expect(target.detail.contains("Connection refused\nnext: see what listens at 127.0.0.1:"), "\(outcome)")
        #expect(site.files == [])
    }

    /// The look before the deployment, three handshakes after it, and as many as the plan needs, or none.
    @Test("A plan that has nothing to change proves that too", arguments: [true, false])
    func plans(isServed: Bool) async throws {
        let (site, server) = try site(isServed ? 100 : 4, timeout: isServed ? 60 : 5)
        defer { withExtendedLifetime(server) {} }
        let first = try await site.command.run("plan", "--json")
        let due = try #require(try first.json(RunReport.self).targets.first)
        #expect(due.outcome == .differs && !due.isProven && first.code == 0, "\(first)")
        #expect(try await site.command.run("apply").code == 0)
        let outcome = try await site.command.run("plan", "--json")
        let target = try #require(try outcome.json(RunReport.self).targets.first)
        #expect(outcome.code == (isServed ? 0 : 1) && target.isProven == isServed, "\(outcome)")
        #expect(target.outcome == (isServed ? .inSync : .failed), "\(outcome)")
        #expect(target.code == (isServed ? nil : "not-served"), "\(outcome)")
    }

    @Test("A server that goes on showing it proves it")
    func lives() async throws {
        let (site, server) = try site(100, timeout: 60)
        defer { withExtendedLifetime(server) {} }
        let outcome = try await site.command.run("apply", "--json")
        let target = try #require(try outcome.json(RunReport.self).targets.first)
        #expect(target.outcome == .deployed && target.isProven, "\(outcome)")
    }
}
