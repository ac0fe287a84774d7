import Foundation
import Glibc
import Testing
import TrstctlHost
import TrstctlTestSupport

/// The built command on a kernel that lacks something: a filter lets the system call answer ENOSYS.
@Suite("Layers that this kernel does not have", .ownThreads)
struct MissingLayerTests {
    /// What is missing, and the layers that it takes away.
    static let kernels: [(lacks: String, layers: Set<String>)] = [
        ("landlock", ["landlock"]),
        (
            "namespaces",
            ["network-namespace", "ipc-namespace", "uts-namespace", "cgroup-namespace", "private-proc"]
        ),
    ]

    /// Runs the command with arguments on such a kernel.
    private func run(_ command: TrstctlCommand, lacks: String, _ arguments: String...) async throws
        -> TrstctlCommand.Outcome
    {
        try await run(command, lacks: lacks, arguments)
    }

    private func run(_ command: TrstctlCommand, lacks: String, _ arguments: [String]) async throws
        -> TrstctlCommand.Outcome
    {
        let older = command.scratch.file("older")
        if access(older, X_OK) != 0 {
            let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
                .appendingPathComponent("../Fixtures/Kernel/older.c").standardized.path
            let compiler = Process()
            compiler.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            compiler.arguments = ["cc", "-O1", "-Wall", "-Wextra", "-Werror", "-o", older, source]
            try compiler.run()
            compiler.waitUntilExit()
            try #require(compiler.terminationStatus == 0, "cc failed; apt-get install gcc libc6-dev")
        }
        let words =
            [
                older, lacks, try BuiltProduct.path("trstctl"), "--manifest", command.manifest, "--state-dir",
                command.state, "--plugin-dir", command.plugins,
            ] + arguments
        return await (try RunningCommand(older, words, home: command.scratch.path)).outcome()
    }

    private func site(_ confinement: String) throws -> EchoSite {
        let site = try EchoSite()
        let text = site.manifest.text.replacingOccurrences(
            of: "    grants:\n", with: "    confinement: \(confinement)\n    grants:\n")
        try site.command.write(manifest: text)
        return site
    }

    @Test("best-effort names what is missing in every run: as text, as JSON, and in the audit log", arguments: kernels)
    func bestEffort(lacks: String, layers: Set<String>) async throws {
        let site = try site("best-effort")
        for words in [["plan"], ["apply"], ["plan"]] {
            let text = try await run(site.command, lacks: lacks, words[0])
            #expect(text.code == 0, "\(text)")
            for layer in layers {
                #expect(
                    text.output.contains("warning: echo runs without a layer of its confinement, \(layer): "), "\(text)"
                )
            }
            let report = try await run(site.command, lacks: lacks, words[0], "--json").json(RunReport.self)
            let connector = try #require(report.connectors.first)
            #expect(connector.warnings.filter { $0.contains("without a layer") }.count >= layers.count)
            for layer in layers {
                #expect(connector.warnings.contains { $0.contains(", \(layer): ") })
                #expect(!connector.confinement.contains { $0.hasPrefix(layer) })
            }
            #expect(connector.confinement.contains("seccomp"))
        }
        let audit = try await site.command.run("audit", "--json").json(AuditResult.self)
        let starts = audit.records.filter { $0.event == .start }
        #expect(starts.count == 6)
        for layer in layers {
            #expect(starts.allSatisfy { $0.reason?.contains("without a layer of its confinement, \(layer)") == true })
        }
        #expect(site.fingerprint("one") == site.credential.fingerprint)
    }

    @Test("best-effort names what is missing when a connector is only asked, too", arguments: kernels)
    func asked(lacks: String, layers: Set<String>) async throws {
        let site = try site("best-effort")
        for words in [["plugin", "inspect", "echo"], ["plugin", "list", "--run"], ["plugin", "pin", "echo"]] {
            let text = try await run(site.command, lacks: lacks, words)
            #expect(text.code == 0, "\(text)")
            for layer in layers {
                #expect(text.output.contains("echo runs without a layer of its confinement, \(layer): "), "\(text)")
            }
        }
        let strict = try self.site("strict")
        let listed = try await run(strict.command, lacks: lacks, ["plugin", "list", "--run", "--json"])
        let report = try #require(try listed.json([PluginReport].self).first)
        #expect(report.code == "layer-missing" && report.version == "", "\(listed)")
        #expect(report.reason.hasPrefix("does not start: ") && report.pin == .pinned, "\(listed)")
    }

    @Test("strict refuses, names the layer and the way out, and doctor says so beforehand", arguments: kernels)
    func strict(lacks: String, layers: Set<String>) async throws {
        let site = try site("strict")
        let outcome = try await run(site.command, lacks: lacks, "apply")
        #expect(outcome.code == 3, "\(outcome)")
        let text = outcome.output + outcome.errors
        #expect(layers.contains { text.contains("the sandbox layer \($0) cannot be applied") }, "\(outcome)")
        #expect(text.contains("best-effort"))
        #expect(site.files == [])
        let audit = try await site.command.run("audit", "--json").json(AuditResult.self)
        #expect(audit.records.contains { $0.event == .refusal && $0.reason?.contains("cannot be applied") == true })

        let doctor = try await run(site.command, lacks: lacks, "doctor", "--json")
        #expect(doctor.code == 3, "\(doctor)")
        let report = try doctor.json(DoctorReport.self)
        let missing = report.lines.filter { !$0.isAvailable }
        #expect(layers.isSubset(of: Set(missing.map(\.name))))
        #expect(Set(missing.map(\.name)).subtracting(layers).isSubset(of: ["cgroup", "peer-pidfd"]))
        for line in missing where layers.contains(line.name) {
            #expect(line.consequence.contains("strict mode refuses to start a connector"))
        }
    }

    @Test("off says so in every run: as text, as JSON, and in the audit log")
    func off() async throws {
        let site = try site("off\n    acknowledge: [i-accept-the-risk]")
        for _ in 0..<2 {
            let text = try await site.command.run("plan")
            let warnings = text.output.split(separator: "\n").filter { $0.contains("warning: echo") }
            #expect(warnings.count == 1, "\(text)")
            #expect(warnings.first?.contains("runs WITHOUT CONFINEMENT") == true, "\(text)")
            for layer in ["own-user", "cgroup", "network-namespace", "landlock", "seccomp"] {
                #expect(warnings.first?.contains(layer) == true, "\(text)")
            }
        }
        let report = try await site.command.run("plan", "--json").json(RunReport.self)
        #expect(report.connectors.first?.confinement == [])
        #expect(report.connectors.first?.warnings.contains { $0.contains("WITHOUT CONFINEMENT") } == true)
        let audit = try await site.command.run("audit", "--json").json(AuditResult.self)
        let starts = audit.records.filter { $0.event == .start }
        #expect(starts.count == 3 && starts.allSatisfy { $0.reason?.contains("WITHOUT CONFINEMENT") == true })
    }
}
