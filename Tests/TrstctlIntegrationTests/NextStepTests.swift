import Foundation
import Glibc
import Testing
import TrstctlHost
import TrstctlSystem
import TrstctlTestSupport

/// What the command line says where somebody was mistaken, or may not look.
@Suite("Next steps", .ownThreads)
struct NextStepTests {
    @Test("An audit of what is not there is an error with what to type; of what nothing happened to, it says so")
    func audit() async throws {
        var site = try EchoSite(["one", "two"])
        let missing = try await site.command.run("audit")
        #expect(missing.code == 2 && missing.errors.contains("\n  next: name the directory"), "\(missing)")
        #expect(try await site.command.run("apply", "one").code == 0)

        let typo = try await site.command.run("audit", "--target", "onee")
        #expect(typo.code == 2 && typo.output.isEmpty, "\(typo)")
        #expect(typo.errors.contains("did you mean \"one\"") && typo.errors.contains("\n  next: "), "\(typo)")
        #expect(try await site.command.run("audit", "--target", "one").output.contains("deployed"))
        let idle = try await site.command.run("audit", "--target", "two")
        #expect(idle.code == 0 && idle.output == "nothing is recorded that was asked for\n", "\(idle)")
        // What the manifest does not have any more is in the log.
        site.manifest.targets.removeFirst()
        try site.command.write(manifest: site.manifest.text)
        #expect(try await site.command.run("audit", "--target", "one").code == 0)
    }

    @Test("Who names an interrupted deployment that is none hears what to type")
    func abandon() async throws {
        let outcome = try await EchoSite().command.run("recover", "--abandon", "nobody")
        #expect(outcome.code == 2 && outcome.errors.contains("\n  next: leave --abandon away"), "\(outcome)")
    }

    @Test("Validation counts pins that are none and dangerous grants apart")
    func validation() async throws {
        let site = try EchoSite()
        let pin = try EchoManifest.digest("\(site.command.plugins)/trstctl-connector-echo")
        try site.command.write(manifest: site.manifest.text.replacing(pin, with: "abc"))
        let outcome = try await site.command.run("manifest", "validate")
        #expect(outcome.code == 2 && outcome.output.contains("is refused: 1 pin that is none\n"), "\(outcome)")
    }

    @Test(
        "Somebody else can look at a plan beside root's state, and hears in capitals what is not known",
        .enabled(if: geteuid() == 0))
    func othersPlan() async throws {
        let site = try EchoSite()
        #expect(try await site.command.run("apply").code == 0)
        try #require(chmod(site.command.scratch.path, 0o755) == 0)
        // The checkout may be closed to others.
        let program = site.command.scratch.file("trstctl")
        try FileManager.default.copyItem(atPath: BuiltProduct.path("trstctl"), toPath: program)
        let words = [
            "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program, "--manifest", site.command.manifest,
            "--state-dir", site.command.state, "--plugin-dir", site.command.plugins, "plan",
        ]
        let path = try #require(Tool.path("setpriv"))
        let outcome = try await RunningCommand(path, words, home: site.command.scratch.path).outcome()
        #expect(outcome.errors.contains("WHETHER A DEPLOYMENT HAS TO BE RECOVERED IS NOT KNOWN"), "\(outcome)")
        #expect(outcome.errors.contains("NO START AND NO REFUSAL OF THIS RUN IS RECORDED"), "\(outcome)")
        #expect(outcome.output.contains("1 target: "), "\(outcome)")
    }
}
