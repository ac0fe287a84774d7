import Foundation
import Testing
import TrstctlHost
import TrstctlTestSupport

/// The exit codes that scripts rely on, and what is printed with them.
@Suite("Exit codes of the command line", .ownThreads)
struct ExitCodeTests {
    @Test("A plan finds differences, an apply deploys, and the next plan and apply have nothing to do")
    func planApplyPlan() async throws {
        let site = try EchoSite()
        let before = try await site.command.run("plan", "--detailed-exitcode")
        #expect(before.code == 4, "\(before)")
        #expect(try await site.command.run("plan").code == 0)
        #expect(site.files == [])

        let applied = try await site.command.run("apply", "--json")
        #expect(applied.code == 0, "\(applied)")
        let report = try applied.json(RunReport.self)
        #expect(report.targets.map(\.outcome) == [.deployed])
        #expect(report.targets.map(\.fingerprint) == [site.credential.fingerprint])
        #expect(site.fingerprint("one") == site.credential.fingerprint)

        #expect(try await site.command.run("plan", "--detailed-exitcode").code == 0)
        let again = try await site.command.run("--json", "apply")
        #expect(again.code == 0)
        #expect(try again.json(RunReport.self).targets.map(\.outcome) == [.inSync])
    }

    @Test("JSON is one object on stdout with the outcome, for failures too")
    func json() async throws {
        let site = try EchoSite(config: ["fail": "unavailable"])
        let outcome = try await site.command.run("apply", "--json")
        #expect(outcome.code == 1)
        let object = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
        let targets = try #require((object as? [String: Any])?["targets"] as? [[String: Any]])
        #expect(targets.first?["outcome"] as? String == "failed")
        #expect((targets.first?["summary"] as? String)?.contains("echo was told to fail") == true)

        let error = try await site.command.run("apply", "--json", "nobody")
        #expect(error.code == 2)
        let failure = try JSONSerialization.jsonObject(with: Data(error.output.utf8)) as? [String: Any]
        #expect(failure?["code"] as? String == "usage")
    }

    @Test("A failed target ends with 1, and the others are deployed")
    func targetFailed() async throws {
        var site = try EchoSite(["one", "two"])
        site.manifest.targets[0].config["fail"] = "failedPrecondition"
        try site.command.write(manifest: site.manifest.text)
        let outcome = try await site.command.run("apply")
        #expect(outcome.code == 1, "\(outcome)")
        #expect(outcome.output.contains("1 failed, 1 deployed"), "\(outcome)")
        #expect(site.files == ["two"])
    }

    @Test(
        "Words that make no sense end with 2 and say what is known",
        arguments: [
            (["apply", "nobody"], "the manifest has no target \"nobody\"; it has: one"),
            (["deploy"], "deploy"),
            (["apply", "--wrong"], "--wrong"),
            (["apply", "--parallel", "many"], "many"), (["apply", "--parallel", "0"], "1 to 1024"),
            (["plan", "--parallel", "1025"], "1 to 1024"), (["audit", "--last=-1"], "a number from 0"),
            (["plan", "nobody"], "next: name one of these"),
            (["plugin", "inspect", "../nginx"], "is no connector name"),
            (["plugin", "pin", "Nginx"], "is no connector name"),
        ])
    func usage(_ words: [String], _ says: String) async throws {
        let site = try EchoSite()
        let outcome = try await site.command.start(words).outcome()
        #expect(outcome.code == 2, "\(outcome)")
        #expect(outcome.errors.contains(says), "\(outcome)")
    }

    @Test("A connector that asks for more than was approved ends with 3, names the lines, and touches nothing")
    func missingGrants() async throws {
        var site = try EchoSite()
        site.manifest.grants = ["fs.read: [\(site.live(""))]"]
        try site.command.write(manifest: site.manifest.text)
        let outcome = try await site.command.run("apply")
        #expect(outcome.code == 3, "\(outcome)")
        #expect(outcome.output.contains("fs.write:\n        - \(site.live("one"))\n"), "\(outcome)")
        #expect(outcome.output.contains("trstctl plugin pin --approve echo"), "\(outcome)")
        #expect(site.files == [])
    }

    @Test(
        "A connector that crashes in a deployment fails the target with its last words, and nothing is left half done",
        arguments: [("exit", "exit status 3"), ("signal", "signal 11"), ("trap", "signal ")])
    func crash(way: String, ending: String) async throws {
        let site = try EchoSite(config: ["crash": "deploy", "crash_by": way])
        let outcome = try await site.command.run("apply")
        #expect(outcome.code == 1, "\(outcome)")
        #expect(outcome.output.contains(ending), "\(outcome)")
        #expect(site.files == [])
    }

    @Test("Version and validation need no connector")
    func withoutConnector() async throws {
        let site = try EchoSite()
        try FileManager.default.removeItem(atPath: site.command.plugins)
        #expect(try await site.command.run("version").code == 0)
        let valid = try await site.command.run("manifest", "validate")
        #expect(valid.code == 0, "\(valid)")
        #expect(valid.output.contains("1 connector, 1 credential, 1 target\n"))
        #expect(try await site.command.run("--help").code == 0)
    }
}
