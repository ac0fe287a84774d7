import Foundation
import Glibc
import Testing
import TrstctlHost
import TrstctlTestSupport

/// How many files the host may open, and what it starts; hosts with too few are in `HostileHostTests` (Q07).
@Suite("The limit of open files", .ownThreads)
struct OpenFilesTests {
    /// The command, started by a shell that sets the limit first.
    private func start(_ limit: String, _ site: EchoSite, _ words: String...) throws -> RunningCommand {
        let command = [
            try BuiltProduct.path("trstctl"), "--manifest", site.command.manifest, "--state-dir", site.command.state,
            "--plugin-dir", site.command.plugins,
        ]
        let script = "ulimit \(limit) && exec " + (command + words).joined(separator: " ")
        return try RunningCommand("/bin/sh", ["sh", "-c", script], home: site.command.scratch.path)
    }

    @Test("A low soft limit is the host's to raise, and what it starts gets that limit all the same")
    func raised() async throws {
        var site = try EchoSite()
        let find = "[/bin/grep, -q, \"Max open files  *63 \", /proc/self/limits]"
        site.manifest.targets[0].config["run"] = find
        site.manifest.grants.append("process.exec: [\(find), [/bin/sleep, \"600\"]]")
        try site.command.write(manifest: site.manifest.text)
        let outcome = try await start("-Sn 63", site, "apply").outcome()
        try #require(outcome.code == 0 && site.files == ["one"], "\(outcome)")

        site.manifest.targets[0].config.merge(
            ["run": "[/bin/sleep, \"600\"]", "state_path": site.live("two")], uniquingKeysWith: { $1 })
        try site.command.write(manifest: site.manifest.text)
        let run = try start("-Sn 63", site, "apply")
        try #require(await ProcessList.settles { !ProcessList.running(in: "/bin/sleep", of: run.processID).isEmpty })
        let limits = try #require(FileHandle(forReadingAtPath: "/proc/\(run.processID)/limits"))
        let text = String(decoding: limits.readDataToEndOfFile(), as: UTF8.self)
        let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("Max open files") })
        let words = line.split(separator: " ")
        #expect(words[3] == "\(min(65_536, UInt64(words[4]) ?? .max))", "\(line)")
        run.signal(SIGTERM)
        #expect(await run.outcome().code == 1)
    }
}
