import Foundation
import Glibc
import Testing
import TrstctlHost
import TrstctlTestSupport

/// K01, K02, K03, K05, K13: whatever goes wrong, the key is where it came from and where it was put, and nowhere else.
@Suite("Keys leave no trace", .ownThreads)
struct KeyLeakTests {
    /// One way in which a run can go.
    struct Run: Sendable, CustomTestStringConvertible {
        let name: String
        var config: [String: String] = [:]
        var grants: [String] = []
        /// Leaves out what is granted for the file with the key.
        var isDenied = false
        /// What lies at the target before, with this mode.
        var before: mode_t?
        var probe: String?
        var words = ["apply", "--verbose", "--json"]
        var outcome: TargetReport.Outcome
        var testDescription: String { name }
    }

    static let runs: [Run] = [
        Run(name: "a deployment", outcome: .deployed),
        Run(name: "a plan", words: ["plan", "--verbose"], outcome: .differs),
        Run(name: "a failure", config: ["fail": "unavailable"], outcome: .failed),
        Run(
            name: "a failed command", config: ["run": "[/bin/false]"], grants: ["process.exec: [[/bin/false]]"],
            outcome: .failed),
        Run(
            name: "a command that prints what was deployed", config: ["run": "[/bin/cat, LIVE/file]"],
            grants: ["process.exec: [[/bin/cat, LIVE/file]]"], outcome: .failed),
        Run(name: "a crash by trap", config: ["crash": "deploy"], outcome: .failed),
        Run(name: "a crash by exit", config: ["crash": "deploy", "crash_by": "exit"], outcome: .failed),
        Run(name: "a refused grant", isDenied: true, outcome: .refused),
        Run(name: "a mode that is too wide", before: 0o644, outcome: .failed),
        Run(
            name: "a file that is put back", before: 0o600, probe: "{ address: \"127.0.0.1:9\", timeout: 1 }",
            outcome: .failed),
        Run(name: "a secret that does not exist", config: ["write_secret": "kee"], outcome: .failed),
        Run(name: "junk on all streams", config: ["junk_stdout": "100000"], outcome: .deployed),
    ]

    /// A site whose target gets a file with the key.
    private func site(_ run: Run) throws -> EchoSite {
        var site = try EchoSite()
        let live = site.command.scratch.file("live")
        let text = { (text: String) in text.replacingOccurrences(of: "LIVE", with: live) }
        site.manifest.targets[0].config["write_path"] = "\(live)/file"
        site.manifest.targets[0].config["write_secret"] = "key"
        site.manifest.targets[0].config.merge(run.config.mapValues(text)) { $1 }
        site.manifest.targets[0].probe = run.probe
        site.manifest.grants = run.isDenied ? ["fs.read: [\(live)/]"] : site.manifest.grants + run.grants.map(text)
        if let mode = run.before { try site.command.scratch.write("as it was\n", to: "live/file", mode: mode) }
        try site.command.write(manifest: site.manifest.text)
        return site
    }

    private func traces(_ site: EchoSite) throws -> KeyTraces { try KeyTraces(keyAt: site.credential.keyPath) }

    /// Everything on disk but the credential and the deployed file.
    private func found(_ traces: KeyTraces, _ site: EchoSite) -> [String] {
        traces.found(
            below: site.command.scratch.path,
            except: [site.command.pki.directory, site.command.scratch.file("live/file")])
    }

    /// Files of these names that a crash could have left.
    private func cores(_ site: EchoSite) -> [String] {
        let places = [site.command.scratch.path, FileManager.default.currentDirectoryPath, "/", "/tmp"]
        return places.flatMap { place in
            ((try? FileManager.default.contentsOfDirectory(atPath: place)) ?? [])
                .filter { $0 == "core" || $0.hasPrefix("core.") }
        }
    }

    @Test("The traces are found where the key is")
    func control() async throws {
        let site = try site(Self.runs[0])
        let traces = try traces(site)
        #expect(traces.found(in: try Data(contentsOf: URL(fileURLWithPath: site.credential.keyPath))).count >= 2)
        #expect(try await site.command.run("apply").code == 0)
        #expect(!traces.found(below: site.command.scratch.file("live"), except: []).isEmpty)
    }

    @Test("After each kind of run: outputs, state, audit, scratch and processes hold nothing of it", arguments: runs)
    func each(_ run: Run) async throws {
        let site = try site(run)
        let traces = try traces(site)
        let command = try site.command.start(run.words)
        let watch = Task.detached {
            var seen: [String] = []
            while !Task.isCancelled, seen.isEmpty {
                seen = traces.foundInProcesses()
                await Task.yield()
            }
            return seen
        }
        let outcome = await command.outcome()
        watch.cancel()
        #expect(await watch.value == [])
        if run.words.contains("--json") {
            let report = try outcome.json(RunReport.self)
            #expect(report.targets.first?.outcome == run.outcome, "\(outcome)")
        }
        let audit = try await site.command.run("audit", "--json")
        for text in [outcome.output, outcome.errors, audit.output, audit.errors] {
            #expect(traces.found(in: Data(text.utf8)) == [])
            #expect(!text.contains("PRIVATE KEY-----"))
        }
        #expect(found(traces, site) == [])
        #expect(cores(site) == [])
        if run.outcome == .failed {
            let content = try? String(contentsOfFile: site.command.scratch.file("live/file"), encoding: .utf8)
            #expect(content == (run.before == nil ? nil : "as it was\n"))
        }
    }

    @Test("The host takes OpenSSL's memory over before OpenSSL has any, and says where keys are")
    func doctor() async throws {
        let report = try await TrstctlCommand().run("doctor", "--json").json(DoctorReport.self)
        #expect(report.lines.first { $0.name == "wiped-cryptography" }?.isAvailable == true, "\(report)")
        #expect(report.lines.contains { $0.name == "locked-memory" }, "\(report)")
    }

    @Test(
        "Where no memory can be locked the deployment goes on, and says so", .enabled(if: geteuid() == 0, "needs root"))
    func unlocked() async throws {
        let site = try site(Self.runs[0])
        let words = [
            try BuiltProduct.path("trstctl"), "--manifest", site.command.manifest, "--state-dir", site.command.state,
            "--plugin-dir", site.command.plugins, "apply",
        ]
        let script =
            "ulimit -l 0; exec setpriv --inh-caps=-ipc_lock --bounding-set=-ipc_lock " + words.joined(separator: " ")
        let outcome = try await RunningCommand("/bin/sh", ["sh", "-c", script], home: site.command.scratch.path)
            .outcome()
        #expect(outcome.code == 0, "\(outcome)")
        #expect(outcome.errors.contains("swapped out"), "\(outcome)")
        #expect(found(try traces(site), site) == [])
        // With the usual limit there is nothing to say.
        let usual = try await site.command.run("plan")
        #expect(!usual.errors.contains("swapped out"), "\(usual)")
    }

    /// A run that hangs in the middle of its deployment, the key in its file.
    private func stuck() async throws -> (site: EchoSite, run: RunningCommand) {
        let site = try site(
            Run(
                name: "", config: ["run": "[/bin/sleep, \"600\"]"], grants: ["process.exec: [[/bin/sleep, \"600\"]]"],
                outcome: .failed))
        let run = try site.command.start(["apply", "--verbose"])
        try #require(await ProcessList.settles { !ProcessList.running(in: "/bin/sleep", of: run.processID).isEmpty })
        return (site, run)
    }

    @Test("In the middle of a deployment no process shows it, and no process may dump a core")
    func middle() async throws {
        let (site, run) = try await stuck()
        let traces = try traces(site)
        #expect(traces.foundInProcesses() == [])
        for process in [run.processID] + ProcessList.children(of: run.processID) {
            let limits = try #require(FileHandle(forReadingAtPath: "/proc/\(process)/limits"))
            let core = String(decoding: limits.readDataToEndOfFile(), as: UTF8.self).split(separator: "\n")
                .first { $0.hasPrefix("Max core file size") }
            #expect(core?.split(whereSeparator: { $0 == " " }).suffix(3).prefix(2) == ["0", "0"], "\(core ?? "")")
        }
        run.signal(SIGINT)
        let outcome = await run.outcome()
        #expect(traces.found(in: Data((outcome.output + outcome.errors).utf8)) == [])
        #expect(found(traces, site) == [])
    }

    @Test("A host that crashes prints nothing of it and leaves no core", arguments: [SIGSEGV, SIGABRT, SIGILL])
    func crash(_ signal: Int32) async throws {
        let (site, run) = try await stuck()
        let traces = try traces(site)
        run.signal(signal)
        let outcome = await run.outcome()
        #expect(outcome.description.hasPrefix("signal \(signal) "), "\(outcome)")
        #expect(traces.found(in: Data((outcome.output + outcome.errors).utf8)) == [])
        #expect(cores(site) == [])
        // What the journal keeps until then is what stood in the target before; this target was empty.
        #expect(found(traces, site) == [])
    }

    @Test(
        "When no target needs a credential any more, its key is nowhere in the memory of host and connector",
        .enabled(if: geteuid() == 0, "needs root"))
    func memory() async throws {
        var site = try EchoSite(["one", "two"])
        let live = site.command.scratch.file("live")
        let other = try site.command.pki.issue("other.example.com")
        for index in 0...1 {
            site.manifest.targets[index].config["write_path"] = "\(live)/file\(index)"
            site.manifest.targets[index].config["write_secret"] = "key"
        }
        site.manifest.targets[1].config["run"] = "[/bin/sleep, \"600\"]"
        site.manifest.grants.append("process.exec: [[/bin/sleep, \"600\"]]")
        var text = site.manifest.text.replacingOccurrences(
            of: "targets:", with: "  other: { certificate: \(other.fullchainPath), key: \(other.keyPath) }\ntargets:")
        let second = try #require(text.range(of: "credential: www", options: .backwards))
        text.replaceSubrange(second, with: "credential: other")
        try site.command.write(manifest: text)
        let run = try site.command.start(["apply", "--parallel", "1"])
        try #require(await ProcessList.settles { !ProcessList.running(in: "/bin/sleep", of: run.processID).isEmpty })
        #expect(site.fingerprint("one") == site.credential.fingerprint)

        // Looking through it can take longer than the host gives the command.
        run.signal(SIGSTOP)
        try #require(await ProcessList.settles { !ProcessList.isAwake(run.processID) })
        let (past, present) = (try KeyTraces(keyAt: site.credential.keyPath), try KeyTraces(keyAt: other.keyPath))
        // The scan sees what is there: the second target still needs its key.
        #expect(present.found(inMemoryOf: run.processID).contains { $0.contains("PEM") })
        for process in [run.processID] + ProcessList.children(of: run.processID) {
            #expect(past.found(inMemoryOf: process) == [])
        }
        for process in ProcessList.children(of: run.processID) {
            #expect(present.found(inMemoryOf: process) == [])
        }
        run.signal(SIGCONT)
        run.signal(SIGINT)
        _ = await run.outcome()
    }
}
