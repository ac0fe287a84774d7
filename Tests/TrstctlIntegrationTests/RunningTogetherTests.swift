import Foundation
import Glibc
import Testing
import TrstctlHost
import TrstctlLaunch
import TrstctlSystem
import TrstctlTestSupport

/// Several targets in one run, several runs at one time, and runs that are interrupted.
@Suite("Runs side by side", .ownThreads)
struct RunningTogetherTests {
    @Test("Targets of one connector share its process and run at the same time")
    func sharedProcess() async throws {
        var site = try EchoSite(["reader", "writer"])
        // Neither command ends without the other: one target after the other would never be done.
        let pipe = site.command.scratch.file("pipe")
        try #require(mkfifo(pipe, 0o600) == 0)
        let commands = ["[/bin/cat, \(pipe)]", "[/bin/sh, -c, \"echo hello > \(pipe)\"]"]
        for (index, command) in commands.enumerated() { site.manifest.targets[index].config["run"] = command }
        site.manifest.grants.append("process.exec: [\(commands.joined(separator: ", "))]")
        try site.command.write(manifest: site.manifest.text)

        let outcome = try await site.command.run("apply", "--parallel", "2", "--json")
        #expect(outcome.code == 0, "\(outcome)")
        let report = try outcome.json(RunReport.self)
        #expect(report.targets.map(\.outcome) == [.deployed, .deployed])
        #expect(report.connectors.map(\.name) == ["echo"])
        let audit = try await site.command.run("audit", "--json")
        #expect(audit.output.components(separatedBy: "\"started\"").count == 2, "\(audit)")
    }

    /// A site whose first target is in the middle of its deployment, its file already replaced.
    private struct Stuck {
        var site: EchoSite
        let run: RunningCommand
        /// The connector, and the command that does not end.
        let processes: [Int32]
        let path: String
        let before: FileStamp
    }

    private func stuck(_ names: [String] = ["one"]) async throws -> Stuck {
        var site = try EchoSite(names)
        let path = try site.command.scratch.write("as it was\n", to: "live/file", mode: 0o640)
        let before = try FileStamp(path)
        site.manifest.targets[0].config["write_path"] = path
        site.manifest.targets[0].config["run"] = "[/bin/sleep, \"600\"]"
        site.manifest.grants.append("process.exec: [[/bin/sleep, \"600\"]]")
        try site.command.write(manifest: site.manifest.text)
        let run = try site.command.start(["apply", "--parallel", "1"])
        try await waitUntil { !ProcessList.running(in: "/bin/sleep", of: run.processID).isEmpty }
        try #require(String(contentsOfFile: path, encoding: .utf8) == "echo\n")
        return Stuck(
            site: site, run: run, processes: ProcessList.children(of: run.processID), path: path, before: before)
    }

    @Test("A second apply on the same state says who is at work, and does nothing")
    func locked() async throws {
        let stuck = try await stuck()
        let second = try await stuck.site.command.run("apply")
        #expect(second.code == 6, "\(second)")
        #expect(second.errors.contains("(process \(stuck.run.processID))"), "\(second)")
        // On another state directory nothing would keep the two from working on the same files.
        #expect(second.errors.contains("\n  next: wait") && !second.errors.contains("--state-dir"), "\(second)")
        stuck.run.signal(SIGINT)
        #expect(await stuck.run.outcome().code == 1)
    }

    @Test(
        "An interrupted apply puts its files back, leaves no process, starts nothing more, and the next one deploys",
        arguments: [SIGINT, SIGTERM, SIGHUP])
    func interrupted(_ signal: Int32) async throws {
        var stuck = try await stuck(["one", "two"])
        stuck.run.signal(signal)
        let outcome = await stuck.run.outcome()
        #expect(outcome.code == 1, "\(outcome)")
        #expect(outcome.errors.contains("interrupted"), "\(outcome)")
        #expect(outcome.output.contains("1 failed, 1 cancelled"), "\(outcome)")
        #expect(stuck.processes.filter(ProcessList.isRunning) == [])
        let after = try FileStamp(stuck.path)
        #expect(after.content == stuck.before.content)
        #expect(after.mode == stuck.before.mode)
        #expect(stuck.site.files == ["file"])

        stuck.site.manifest.targets[0].config["run"] = nil
        try stuck.site.command.write(manifest: stuck.site.manifest.text)
        #expect(try await stuck.site.command.run("apply").code == 0)
        #expect(stuck.site.files == ["file", "one", "two"])
    }

    @Test("An interruption ends a start that waits for its handshake")
    func interruptedStart() async throws {
        var site = try EchoSite()
        let path = try HostileConnector.shared().install("silent", in: site.command.plugins)
        site.manifest.connector = "silent"
        site.manifest.pins = try EchoManifest.pin(path)
        try site.command.write(manifest: site.manifest.text)
        let run = try site.command.start(["apply"])
        let started = OneShot<Int32>()
        try await waitUntil {
            guard let connector = ProcessList.children(of: run.processID).first else { return false }
            // At once: the handshake's deadline comes soon.
            run.signal(SIGINT)
            started.set(connector)
            return true
        }
        let connector = try #require(started.value)
        let outcome = await run.outcome()
        #expect(outcome.code == 1, "\(outcome)")
        #expect(outcome.output.contains("1 cancelled"), "\(outcome)")
        #expect(outcome.output.contains("the start was cancelled"), "\(outcome)")
        #expect(!ProcessList.isRunning(connector))
    }

    @Test("A host that is killed takes its connectors and their commands with it, and its lock")
    func killedHost() async throws {
        var stuck = try await stuck()
        stuck.run.signal(SIGKILL)
        _ = await stuck.run.outcome()
        try await waitUntil { [stuck] in stuck.processes.filter(ProcessList.isRunning) == [] }
        stuck.site.manifest.targets[0].config["run"] = nil
        try stuck.site.command.write(manifest: stuck.site.manifest.text)
        #expect(try await stuck.site.command.run("apply").code == 0)
    }

    @Test(
        "A host that crashes prints no memory, and takes its connectors with it", arguments: [SIGSEGV, SIGABRT, SIGILL])
    func crashedHost(_ signal: Int32) async throws {
        let stuck = try await stuck()
        stuck.run.signal(signal)
        let outcome = await stuck.run.outcome()
        #expect(outcome.code == -1, "a signal ended it: \(outcome)")
        #expect(!outcome.errors.contains("crashed") && !outcome.errors.contains("Registers"), "\(outcome)")
        try await waitUntil { [stuck] in stuck.processes.filter(ProcessList.isRunning) == [] }
    }

    @Test("A connector that prints 200 MB costs the host no memory")
    func floods() async throws {
        var site = try EchoSite()
        let path = try HostileConnector.shared().install("floods", in: site.command.plugins)
        site.manifest.connector = "floods"
        site.manifest.pins = try EchoManifest.pin(path)
        site.manifest.targets = [.init("one", ["path": site.live("done")])]
        try site.command.write(manifest: site.manifest.text)
        let run = try site.command.start(["apply"])
        // It writes the file when it has printed everything.
        try await waitUntil { [site] in FileManager.default.fileExists(atPath: site.live("done")) }
        #expect((1..<100 << 20).contains(ProcessList.peakMemory(of: run.processID)))
        run.signal(SIGINT)
        let outcome = await run.outcome()
        #expect(outcome.code == 1)
        #expect(outcome.errors.utf8.count < 4 << 20)
        #expect(site.files == [])
    }

    /// Looks again and again, for at most two minutes.
    ///
    /// It looks from the event loop: tests that block keep the other threads busy.
    private func waitUntil(_ condition: @Sendable @escaping () -> Bool) async throws {
        let isSeen = try await EventLoop.run {
            for _ in 0..<12_000 {
                if condition() { return true }
                _ = await OneShot<Bool>().wait(until: .after(milliseconds: 10))
            }
            return false
        }
        #expect(isSeen, "what was waited for did not happen")
    }
}
