import Foundation
import Glibc
import Testing
import TrstctlHost
import TrstctlTestSupport

/// A result that nobody got is no success.
@Suite("Results that cannot be printed", .ownThreads)
struct LostOutputTests {
    /// Runs `trstctl` in a shell, which is what redirects.
    private func run(
        _ site: EchoSite, _ words: String, _ redirection: String, after prelude: String = ""
    ) async throws -> TrstctlCommand.Outcome {
        let program = try BuiltProduct.path("trstctl")
        let command = site.command
        let options =
            "--manifest '\(command.manifest)' --state-dir '\(command.state)' --plugin-dir '\(command.plugins)'"
        return try await RunningCommand(
            "/bin/sh", ["sh", "-c", "\(prelude)'\(program)' \(options) \(words) \(redirection)"],
            home: command.scratch.path
        ).outcome()
    }

    @Test(
        "On a full disk every command ends with 5 and says so",
        arguments: ["plan", "plan --detailed-exitcode", "plan --json", "plugin list", "version", "audit", "--help"])
    func full(_ words: String) async throws {
        let site = try EchoSite()
        try site.command.scratch.makeDirectory("state", mode: 0o700)
        let outcome = try await run(site, words, ">/dev/full")
        #expect(outcome.code == 5, "\(outcome)")
        #expect(outcome.errors.contains("No space left on device"), "\(outcome)")
    }

    @Test("A reader that went away and a closed stdout end with 5 too, and the deployment was made")
    func gone() async throws {
        let closed = try EchoSite()
        let outcome = try await run(closed, "apply", ">&-")
        #expect(outcome.code == 5, "\(outcome)")
        #expect(closed.fingerprint("one") == closed.credential.fingerprint)

        let audit = try await closed.command.run("audit", "--json")
        #expect(try audit.json(AuditResult.self).damagedLines == 0, "\(audit)")

        let fifo = closed.command.scratch.file("fifo")
        try #require(mkfifo(fifo, 0o600) == 0)
        // A pipe whose only reader is closed before anything is written.
        let redirection = ">&4 4>&-"
        let prelude = "exec 3<>'\(fifo)'; exec 4>'\(fifo)'; exec 3<&-; "
        let gone = try await run(closed, "plan", redirection, after: prelude)
        #expect(gone.code == 5, "\(gone)")
        #expect(gone.errors.contains("Broken pipe"), "\(gone)")
    }

    @Test(
        "What is printed with closed descriptors goes into no file of the host's",
        arguments: ["2>&-", "<&- 2>&-", "<&- >&- 2>&-"])
    func closed(_ redirection: String) async throws {
        let site = try EchoSite()
        _ = try await run(site, "apply --verbose --allow-unpinned echo", redirection)
        #expect(site.fingerprint("one") == site.credential.fingerprint)
        let lock = try String(contentsOfFile: site.command.state + "/apply.lock", encoding: .utf8)
        #expect(Int(lock.dropLast()) != nil && lock.hasSuffix("\n"), "\(lock)")
        let audit = try await site.command.run("audit", "--json")
        #expect(try audit.json(AuditResult.self).damagedLines == 0, "\(audit)")
    }

    @Test("A failure keeps its own code")
    func failure() async throws {
        let site = try EchoSite(config: ["fail": "unavailable"])
        #expect(try await run(site, "apply", ">/dev/full").code == 1)
        #expect(try await run(site, "apply nobody", ">/dev/full").code == 2)
    }
}
