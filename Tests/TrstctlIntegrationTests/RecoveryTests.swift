import Foundation
import Glibc
import Testing
import TrstctlHost
import TrstctlTestSupport

/// What happens after an apply that did not come to its end.
@Suite("Recovery", .ownThreads)
struct RecoveryTests {
    /// Both files are new, and nothing is committed.
    private func interrupted(command: String = "[/bin/true]") async throws -> FaultSite {
        let site = try await FaultSite(command: command)
        try site.reset()
        let calls = try await site.calls(["apply"])
        let commit = try #require(calls.lastIndex { $0 == "pwrite journal" }) + 1
        try site.reset()
        _ = try await site.run(["apply"], Fault(call: commit, name: calls[commit - 1], action: .killBefore))
        try #require(try site.live() == site.new)
        return site
    }

    @Test("Without anything to recover, recover does nothing and says so")
    func nothing() async throws {
        let site = try EchoSite()
        for _ in 0..<2 {
            let outcome = try await site.command.run("recover")
            #expect(outcome.code == 0 && outcome.output.contains("nothing to recover"), "\(outcome)")
            #expect(try await site.command.run("apply").code == 0)
        }
    }

    @Test("recover undoes what is half done, runs the rollback commands, and its audit says so")
    func recovers() async throws {
        let site = try await interrupted()
        let outcome = try await site.site.command.run("recover", "--json")
        #expect(outcome.code == 0, "\(outcome)")
        #expect(!outcome.errors.contains("was left half done"), "what is the result is not said twice: \(outcome)")
        let recovery = try #require(try outcome.json(RecoverReport.self).recoveries.first)
        #expect(recovery.outcome == .rolledBack && recovery.target == "one", "\(recovery)")
        #expect(recovery.restored == [site.site.live("one"), site.site.live("key")])
        #expect(recovery.detail.contains("ran: /bin/true"))
        #expect(try site.live() == site.old)
        let audit = try await site.site.command.run("audit", "--json").json(AuditResult.self).records
        #expect(audit.contains { $0.event == .recovery && $0.outcome == "rolled-back" && $0.target == "one" })
        #expect(audit.contains { $0.scope == "Recovery" && $0.operation == "Exec" })
        let again = try await site.site.command.run("recover")
        #expect(again.code == 0 && again.output.contains("nothing to recover"), "\(again)")
    }

    @Test("An apply recovers first, says so, and then deploys")
    func applies() async throws {
        let site = try await interrupted()
        let outcome = try await site.site.command.run("apply", "--json")
        #expect(outcome.code == 0, "\(outcome)")
        let report = try outcome.json(RunReport.self)
        #expect(report.recoveries.map(\.outcome) == [.rolledBack])
        #expect(report.targets.map(\.outcome) == [.deployed])
        #expect(outcome.errors.contains("was left half done"))
        #expect(try site.live() == site.new)
    }

    @Test("An apply recovers also when the manifest is broken by now")
    func brokenManifest() async throws {
        let site = try await interrupted()
        try site.site.command.write(manifest: "nonsense: true\n")
        let outcome = try await site.site.command.run("apply")
        #expect(outcome.code == 2 && outcome.errors.contains("put back"), "\(outcome)")
        #expect(try site.live() == site.old)
    }

    @Test("A plan says loudly that a recovery is due, and touches nothing")
    func plans() async throws {
        let site = try await interrupted()
        let journal = "\(site.journalDirectory)/\(try #require(try site.journals().first))"
        let before = try FileStamp(journal)
        let outcome = try await site.site.command.run("plan", "--json")
        #expect(outcome.errors.contains("trstctl recover"), "\(outcome)")
        #expect(try outcome.json(RunReport.self).recoveries.map(\.outcome) == [.due])
        #expect(try FileStamp(journal) == before)
        #expect(try site.live() == site.new)
    }

    @Test("A file that somebody changed since is not overwritten: it is named, and the others are put back")
    func foreign() async throws {
        let site = try await interrupted()
        try site.site.command.scratch.write("by hand\n", to: "live/one")
        let outcome = try await site.site.command.run("recover", "--json")
        #expect(outcome.code == 1, "\(outcome)")
        let recovery = try #require(try outcome.json(RecoverReport.self).recoveries.first)
        #expect(recovery.outcome == .changedMeanwhile)
        #expect(recovery.foreign.count == 1 && recovery.foreign[0].hasPrefix(site.site.live("one")), "\(recovery)")
        #expect(try String(contentsOfFile: site.site.live("one"), encoding: .utf8) == "by hand\n")
        #expect(try site.live().files["key"] == site.old.files["key"])
        #expect(try site.journals() == [])
        // The next apply makes both right.
        #expect(try await site.site.command.run("apply").code == 0)
        #expect(try site.live() == site.new)
    }

    @Test(
        "What cannot be put back blocks its target, loudly, until it can, or until it is abandoned",
        arguments: [false, true])
    func blocked(isAbandoned: Bool) async throws {
        let site = try await interrupted()
        let key = site.site.live("key")
        try FileManager.default.removeItem(atPath: key)
        try #require(mkdir(key, 0o700) == 0)
        for command in ["recover", "apply"] {
            let outcome = try await site.site.command.run(command)
            #expect(outcome.code == 1, "\(outcome)")
            #expect(outcome.output.contains("COULD NOT BE PUT BACK"), "\(outcome)")
            #expect(outcome.output.contains("--abandon one"), "\(outcome)")
            #expect(try site.journals().count == 1)
        }
        let report = try await site.site.command.run("apply", "--json").json(RunReport.self)
        #expect(report.targets.map(\.outcome) == [.revertFailed] && report.targets.map(\.stage) == [.recovery])
        if isAbandoned {
            let nobody = try await site.site.command.run("recover", "--abandon", "nobody")
            #expect(nobody.code == 2 && nobody.errors.contains("\n  next: name one of these"), "\(nobody)")
            let outcome = try await site.site.command.run("recover", "--abandon", "one")
            #expect(outcome.code == 0 && outcome.output.contains("abandoned"), "\(outcome)")
        } else {
            try #require(rmdir(key) == 0)
            try site.site.command.scratch.write(
                try #require(site.new.files["key"]), to: "live/key", mode: try #require(site.new.modes["key"]))
            #expect(try await site.site.command.run("recover").code == 0)
            #expect(try site.live() == site.old)
        }
        #expect(try site.journals() == [])
    }

    @Test("A rollback command that fails is tried again by the next start")
    func reactivation() async throws {
        var site = try await FaultSite()
        let script = try site.site.command.scratch.write("#!/bin/sh\nexit 3\n", to: "activate", mode: 0o755)
        site.site.manifest.targets[0].config["rollback"] = "[\(script)]"
        site.site.manifest.grants[2] = "process.exec: [[/bin/true], [\(script)]]"
        try site.site.command.write(manifest: site.site.manifest.text)
        try site.reset()
        let calls = try await site.calls(["apply"])
        let commit = try #require(calls.lastIndex { $0 == "pwrite journal" }) + 1
        try site.reset()
        _ = try await site.run(["apply"], Fault(call: commit, name: "", action: .killBefore))
        let outcome = try await site.site.command.run("recover")
        #expect(outcome.code == 1 && outcome.output.contains("exit status 3"), "\(outcome)")
        #expect(try site.live() == site.old)
        try site.site.command.scratch.write("#!/bin/sh\n", to: "activate", mode: 0o755)
        let again = try await site.site.command.run("recover")
        #expect(again.code == 0 && again.output.contains("ran: \(script)"), "\(again)")
        #expect(try site.journals() == [])
    }

    /// A site whose deployment waits in a command until somebody ends it.
    private func sleeping() async throws -> FaultSite {
        var site = try await FaultSite(command: "[/bin/sleep, \"600\"]")
        site.site.manifest.grants[2] = "process.exec: [[/bin/true], [/bin/sleep, \"600\"]]"
        try site.site.command.write(manifest: site.site.manifest.text)
        try site.reset()
        return site
    }

    @Test("A connector that is killed after it wrote: its files are put back, and the report says rolled back")
    func killedConnector() async throws {
        let site = try await sleeping()
        let run = try site.site.command.start(["apply", "--json"])
        var connector: Int32?
        for _ in 0..<12_000 where connector == nil {
            let children = ProcessList.children(of: run.processID)
            let sleepers = Set(ProcessList.running(in: "/bin/sleep", of: run.processID))
            if !sleepers.isEmpty { connector = children.first { !sleepers.contains($0) } }
            try await Task.sleep(for: .milliseconds(10))
        }
        kill(try #require(connector), SIGKILL)
        let outcome = await run.outcome()
        #expect(outcome.code == 1, "\(outcome)")
        let report = try #require(try outcome.json(RunReport.self).targets.first)
        #expect(report.outcome == .failed && report.rollback == .rolledBack, "\(report)")
        #expect(try site.live() == site.old)
        #expect(try site.journals() == [])
    }

    @Test("recover does not run beside an apply")
    func locked() async throws {
        let site = try await sleeping()
        let run = try site.site.command.start(["apply"])
        for _ in 0..<12_000 where ProcessList.running(in: "/bin/sleep", of: run.processID).isEmpty {
            try await Task.sleep(for: .milliseconds(10))
        }
        let outcome = try await site.site.command.run("recover")
        #expect(outcome.code == 6 && outcome.errors.contains("(process \(run.processID))"), "\(outcome)")
        // Its journal is open, as it should be.
        let plan = try await site.site.command.run("plan", "--json")
        #expect(try plan.json(RunReport.self).recoveries == [])
        run.signal(SIGINT)
        #expect(await run.outcome().code == 1)
        #expect(try site.live() == site.old)
    }

    @Test(
        "Two targets that write the same file are refused, both named, with nothing of them touched; the others go on",
        arguments: ["plan", "apply"])
    func sameFile(_ command: String) async throws {
        var site = try EchoSite(["one", "two", "three"])
        site.manifest.targets[2].config["write_path"] = site.live("one")
        try site.command.write(manifest: site.manifest.text)
        let outcome = try await site.command.run(command, "--json")
        #expect(outcome.code == 3, "\(outcome)")
        let targets = try outcome.json(RunReport.self).targets
        #expect(targets.map(\.outcome) == [.refused, command == "plan" ? .differs : .deployed, .refused], "\(outcome)")
        for target in targets where target.target != "two" {
            #expect(target.code == "same-file" && target.stage == .configuration)
            #expect(target.summary.contains("the targets one and three both write \(site.live("one"))"), "\(outcome)")
        }
        #expect(site.files == (command == "plan" ? [] : ["two"]))
        let audit = try await site.command.run("audit", "--denied", "--json").json(AuditResult.self).records
        #expect(audit.filter { $0.code == "same-file" }.compactMap(\.target).sorted() == ["one", "three"])
        let text = try await site.command.run(command)
        #expect(text.code == 3 && text.output.contains("next: give them different files"), "\(text)")
        // Alone, each of them is none.
        #expect(try await site.command.run(command, "one").code == 0)
    }
}
