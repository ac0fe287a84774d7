import Foundation
import Glibc
import Synchronization
import Testing
import TrstctlCrypto
import TrstctlHost
import TrstctlLaunch
import TrstctlPolicy
import TrstctlSystem
import TrstctlTestSupport

@Suite("Pinning connectors")
struct PinTests {
    private func append(_ text: String, to path: String) throws {
        let file = try #require(FileHandle(forWritingAtPath: path))
        try file.seekToEnd()
        try file.write(contentsOf: Data(text.utf8))
        try file.close()
    }

    private func digest(of path: String) throws -> String {
        let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
        return try #require(bytes.withUnsafeBytes { SHA256.digest($0) }.flatMap { SHA256Digest(bytes: $0) }).hex
    }

    @Test func `The first pin approves what is asked for, and the connector then runs`() async throws {
        let fixture = try PinFixture()
        let path = fixture.scratch.file("out/x")
        try fixture.write(config: "write_path: \(path)")
        let refused = try await fixture.host().plan([])
        #expect(refused.exitCode == 3 && refused.targets.first?.detail.contains("has no pin") == true)
        let report = try #require(try await fixture.host().pinPlugins(["echo"]).first)
        #expect(report.addedGrants == ["fs.write \(path)"] && report.previous.isEmpty && report.changed)
        #expect(report.sha256 == (try digest(of: fixture.connector)))
        let applied = try await fixture.host().apply([])
        #expect(applied.exitCode == 0 && applied.connectors.first?.pin == "pinned")
        #expect(applied.connectors.first?.warnings == [])
    }

    @Test func `A build that does not keep a secret is refused, until it is approved; and is told nothing then`()
        async throws
    {
        let fixture = try PinFixture()
        let word = try fixture.scratch.write("word-of-mouth\n", to: "word", mode: 0o600)
        let path = fixture.scratch.file("out/x")
        // To echo, `write_text` is an open field: it stands for one that the build before kept as a secret.
        let before = "sha256: [\"\(String(repeating: "0", count: 64))\"]\ngrants: { fs.write: [\(path)] }"
        try fixture.write(config: "write_path: \(path), write_text: { file: \(word) }", plugin: before)
        let text = fixture.text
        let error = await #expect(throws: PinRefusal.self) { try await fixture.host().pinPlugins(["echo"]) }
        #expect(error?.unkept == ["one.write_text"] && error?.difference.isEmpty == true)
        #expect(error?.description.contains("! one.write_text is given by reference") == true)
        #expect(error?.description.contains("do not use this build") == true)
        #expect(error?.description.contains("--approve") == false)
        #expect(fixture.text == text)

        let report = try #require(try await fixture.host().pinPlugins(["echo"], PinMode(isApproving: true)).first)
        #expect(report.changed && report.warnings.contains { $0.contains("does not keep the field as a secret") })
        let applied = try await fixture.host().apply([])
        #expect(applied.targets.first?.outcome == .failed && applied.targets.first?.stage == .configuration)
        #expect(!"\(applied)".contains("word-of-mouth"))
    }

    @Test func `A build that asks for more is refused with the difference, until it is approved`() async throws {
        let fixture = try PinFixture()
        let (first, second) = (fixture.scratch.file("out/x"), fixture.scratch.file("out/state"))
        try fixture.write(config: "write_path: \(first)")
        _ = try await fixture.host().pinPlugins(["echo"])
        // The same target, configured so that the next build asks for more; and another build.
        let pinned = fixture.text.replacingOccurrences(of: "write_path:", with: "state_path: \(second), write_path:")
        try fixture.scratch.write(pinned, to: "trstctl.yaml")
        try append("\0", to: fixture.connector)

        let error = await #expect(throws: PinRefusal.self) { try await fixture.host().pinPlugins(["echo"]) }
        #expect(error?.difference.map(\.description) == ["fs.read \(second)", "fs.write \(second)"])
        let text = error?.description ?? ""
        #expect(text.contains("\n  + fs.read \(second)\n") && text.contains("\n  + fs.write \(second)\n"))
        #expect(text.contains("trstctl plugin pin --approve echo"))
        #expect(fixture.text == pinned)
        await #expect(throws: PinRefusal.self) {
            try await fixture.host().pinPlugins(["echo"], PinMode(isAdding: true))
        }
        #expect(fixture.text == pinned)

        let report = try #require(try await fixture.host().pinPlugins(["echo"], PinMode(isApproving: true)).first)
        #expect(report.addedGrants == ["fs.read \(second)", "fs.write \(second)"])
        #expect(try await fixture.host().apply([]).exitCode == 0)
    }

    @Test func `A connector with the pinned bytes that asks for more is refused when it is used`() async throws {
        let fixture = try PinFixture()
        try fixture.write(config: "write_path: \(fixture.scratch.file("out/x"))")
        _ = try await fixture.host().pinPlugins(["echo"])
        let more = fixture.scratch.file("out/state")
        try fixture.scratch.write(
            fixture.text.replacingOccurrences(of: "write_path:", with: "state_path: \(more), write_path:"),
            to: "trstctl.yaml")
        let report = try await fixture.host().apply([])
        #expect(report.exitCode == 3 && report.targets.first?.stage == .grants)
        #expect(report.targets.first?.detail.contains("trstctl plugin pin --approve echo") == true)
        #expect(access(more, F_OK) == -1)
    }

    @Test func `A build that asks for less is accepted, and what it no longer needs is named`() async throws {
        let fixture = try PinFixture()
        let (first, second) = (fixture.scratch.file("out/x"), fixture.scratch.file("out/state"))
        try fixture.write(config: "write_path: \(first), state_path: \(second)")
        _ = try await fixture.host().pinPlugins(["echo"])
        try fixture.scratch.write(
            fixture.text.replacingOccurrences(of: ", state_path: \(second)", with: ""), to: "trstctl.yaml")
        try append("\0", to: fixture.connector)
        let report = try #require(try await fixture.host().pinPlugins(["echo"]).first)
        #expect(report.addedGrants == [])
        #expect(report.unusedGrants == ["fs.read \(second)", "fs.write \(second)"])
        #expect(report.sha256 == (try digest(of: fixture.connector)))
    }

    @Test func `Grants that let the connector replace what it runs are not written`() async throws {
        let fixture = try PinFixture()
        let program = fixture.scratch.file("out/x")
        try fixture.write(config: "write_path: \(program), run: [\(program)]")
        let before = fixture.text
        let error = await #expect(throws: ManifestError.self) { try await fixture.host().pinPlugins(["echo"]) }
        #expect(error?.code == .dangerousGrant && error?.message.contains("nothing was written") == true)
        #expect(fixture.text == before)
        // Accepted by name, in an entry that pins and approves nothing yet.
        try fixture.write(
            config: "write_path: \(program), run: [\(program)]", plugin: "acknowledge: [\"replaces:\(program)\"]")
        #expect(try await fixture.host().pinPlugins(["echo"]).first?.changed == true)
        #expect(try fixture.host().validateManifest().findings.isEmpty)
    }

    @Test func `A connector with a refused grant is not started, and validated with place and next step`()
        async throws
    {
        let fixture = try PinFixture()
        try fixture.write(config: "", plugin: "grants:\n  fs.write: [\(fixture.plugins)/]")
        for run in [{ try await fixture.host().plan([]) }, { try await fixture.host().apply([]) }] {
            let report = try await run()
            #expect(report.exitCode == 3 && report.targets.first?.code == "dangerous-grant")
            let detail = report.targets.first?.detail ?? ""
            #expect(detail.contains("trstctl.yaml:5:18: refused:"), "\(detail)")
            #expect(detail.contains("replaces:\(fixture.plugins)/"), "\(detail)")
        }
        let summary = try fixture.host().validateManifest()
        #expect(summary.isRefused)
        #expect(summary.findings.first.map { "\($0.line ?? 0):\($0.column ?? 0)" } == "5:18")
        try fixture.write(config: "", plugin: "grants:\n  fs.write: [\(fixture.scratch.path)/]")
        let objects = try fixture.host().validateManifest().findings.filter(\.isRefusal).map(\.acknowledgement)
        #expect(objects.contains("\"replaces:\(fixture.manifest)\""))
    }

    @Test func `The override runs an unpinned connector, and says so everywhere, every time`() async throws {
        let fixture = try PinFixture()
        try fixture.write(config: "")
        let lines = Mutex<[String]>([])
        let host = fixture.host(allowUnpinned: ["echo"]) { source, kind, line in
            if source == "trstctl" { lines.withLock { $0.append("\(kind): \(line)") } }
        }
        for count in 1...2 {
            let report = try await host.apply([])
            #expect(report.exitCode == 0 && report.connectors.first?.pin == "unpinned")
            #expect(report.connectors.first?.warnings == ["echo is unpinned, allowed by --allow-unpinned for this run"])
            #expect(lines.withLock { $0.count { $0.hasPrefix("warning: --allow-unpinned echo") } } == count)
        }
        let listed = try #require(try await host.listPlugins().first)
        #expect(listed.pin == .unpinned && listed.note == "allowed by --allow-unpinned for this run" && listed.mayRun)
        let starts = try host.audit(AuditQuery()).records.filter { $0.event == .start }
        #expect(starts.count == 2 && starts.allSatisfy { $0.reason?.contains("unpinned") == true })
        #expect(try await fixture.host().plan([]).exitCode == 3)
        await #expect(throws: UsageError.self) { try await fixture.host(allowUnpinned: ["../x"]).plan([]) }
    }

    @Test func `The override does not forgive a pin that does not match, nor a revoked build`() async throws {
        let fixture = try PinFixture()
        let other = String(repeating: "ab", count: 32)
        try fixture.write(config: "", plugin: "sha256: [\"\(other)\"]")
        let report = try await fixture.host(allowUnpinned: ["echo"]).plan([])
        #expect(report.exitCode == 3 && report.targets.first?.detail.contains(other) == true)
        let digest = try digest(of: fixture.connector)
        try fixture.write(config: "", trust: "trust: { revoked_sha256: [\"\(digest)\"] }")
        let revoked = try await fixture.host(allowUnpinned: ["echo"]).plan([])
        #expect(revoked.exitCode == 3 && revoked.targets.first?.detail.contains("revoked") == true)
    }

    @Test func `A revoked build runs nowhere, pinned or not, and is not even asked`() async throws {
        let fixture = try PinFixture()
        let digest = try digest(of: fixture.connector)
        try fixture.write(
            config: "", plugin: "sha256: [\"\(digest)\"]", trust: "trust: { revoked_sha256: [\"\(digest)\"] }")
        #expect(try await fixture.host().plan([]).exitCode == 3)
        await #expect(throws: ConnectorRefusal.self) { try await fixture.host().pinPlugins(["echo"]) }
        await #expect(throws: ConnectorRefusal.self) { try await fixture.host().inspectPlugin("echo") }
        let verified = try #require(try fixture.host().verifyPlugins([]).first)
        #expect(verified.pin == .refused && verified.reason.contains("revoked"))
    }

    @Test func `The list shows place, link, pin, signature and confinement, and runs only when told to`() async throws {
        let fixture = try PinFixture()
        let digest = try digest(of: fixture.connector)
        try fixture.write(config: "", plugin: "sha256: [\"\(digest)\"]\nconfinement: best-effort")
        let report = try #require(try await fixture.host().listPlugins().first)
        #expect(report.name == "echo" && report.path == fixture.connector && report.directory == fixture.plugins)
        #expect(report.origin == "--plugin-dir" && report.link == "static" && report.pin == .pinned)
        #expect(report.signature == "none" && report.confinement == "best-effort" && report.version == "")
        #expect(!FileManager.default.fileExists(atPath: fixture.scratch.file("state/audit.log")))
        #expect(try await fixture.host().listPlugins(isRunning: true).first?.version == "1.0.0")
    }

    @Test func `A manifest that is broken is an error of the list, one that is missing is not`() async throws {
        let fixture = try PinFixture()
        try fixture.scratch.write("version: 7\n", to: "trstctl.yaml")
        await #expect(throws: ManifestError.self) { try await fixture.host().listPlugins() }
        unlink(fixture.manifest)
        #expect(try await fixture.host().listPlugins().first?.pin == .unpinned)
    }

    @Test func `Inspect shows what is asked for, why, and what of it is not approved`() async throws {
        let fixture = try PinFixture()
        let path = fixture.scratch.file("out/x")
        try fixture.write(config: "write_path: \(path)", plugin: "grants:\n  fs.read: [/srv/unused]")
        let report = try await fixture.host().inspectPlugin("echo")
        #expect(report.targets.first?.missing == ["fs.write: [\(path)]"])
        #expect(report.unused == ["fs.read: [/srv/unused]"])
        #expect(report.needs.contains { $0.capability == "fs.write" && !$0.reason.isEmpty })
        #expect(report.fields.contains { $0.name == "write_path" } && report.protocolVersions == [1])
        #expect(report.pin == .unpinned && report.confinementMode == "strict")
    }

    @Test func `A connector without confinement says so every time, and is never asked without`() async throws {
        let fixture = try PinFixture()
        let digest = try digest(of: fixture.connector)
        try fixture.write(
            config: "",
            plugin: "sha256: [\"\(digest)\"]\nconfinement: off\nacknowledge: [i-accept-the-risk]")
        let report = try await fixture.host().plan([])
        let connector = try #require(report.connectors.first)
        #expect(report.exitCode == 0 && connector.confinement.isEmpty)
        #expect(
            connector.warnings == [
                "echo runs WITHOUT CONFINEMENT (confinement: off), that is without "
                    + Layer.allCases.map(\.rawValue).joined(separator: ", ")
            ])
        let asked = try await fixture.host().inspectPlugin("echo")
        #expect(!asked.connector.confinement.isEmpty && asked.confinementMode == "off")
    }

    @Test func `A required signature counts besides the pin, over the bytes that run`() async throws {
        let fixture = try PinFixture()
        let digest = try digest(of: fixture.connector)
        let key = fixture.scratch.file("rel.key")
        try tool("openssl", "genpkey", "-algorithm", "ed25519", "-out", key)
        try tool("openssl", "pkey", "-in", key, "-pubout", "-out", fixture.scratch.file("rel.pub"))
        func write(_ pin: String, _ extra: String = "") throws {
            try fixture.write(
                config: "", plugin: "sha256: [\"\(pin)\"]\nsignature: { keys: [{ id: rel, file: rel.pub\(extra) }] }")
        }
        func state() throws -> PluginReport { try #require(try fixture.host().verifyPlugins(["echo"]).first) }

        try write(digest)
        #expect(try state().reason.contains("no signature"))
        #expect(try await fixture.host().plan([]).exitCode == 3)
        await #expect(throws: ConnectorRefusal.self) { try await fixture.host().pinPlugins(["echo"]) }
        try tool(
            "openssl", "pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", fixture.connector, "-out",
            fixture.connector + ".sig")
        #expect(try state().signature == "valid (rel)")
        #expect(try await fixture.host().plan([]).exitCode == 0)

        try write(String(repeating: "ab", count: 32))
        #expect(try state().pin == .mismatch)
        try write(digest, ", not_after: 2020-01-01")
        #expect(try state().signature == "refused")
        try write(digest)
        // The pin of another build, whose signature this is not.
        try append("\0", to: fixture.connector)
        try write(try self.digest(of: fixture.connector))
        #expect(try state().signature == "refused")
        // Whoever can write the key decides whose connectors run.
        try #require(chmod(fixture.scratch.file("rel.pub"), 0o666) == 0)
        #expect(try state().reason.contains("writable by its owner only"))
    }

    @Test func `A revoked key signs nothing any more`() async throws {
        let fixture = try PinFixture()
        let digest = try digest(of: fixture.connector)
        let key = fixture.scratch.file("rel.key")
        try tool("openssl", "genpkey", "-algorithm", "ed25519", "-out", key)
        try tool("openssl", "pkey", "-in", key, "-pubout", "-out", fixture.scratch.file("rel.pub"))
        try tool(
            "openssl", "pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", fixture.connector, "-out",
            fixture.connector + ".sig")
        let text = Array(try Data(contentsOf: URL(fileURLWithPath: fixture.scratch.file("rel.pub"))))
        let id = try SignatureKey(text: text).keyID
        let plugin = "sha256: [\"\(digest)\"]\nsignature: { keys: [{ id: rel, file: rel.pub }] }"
        try fixture.write(config: "", plugin: plugin)
        #expect(try fixture.host().verifyPlugins([]).first?.pin == .pinned)
        try fixture.write(config: "", plugin: plugin, trust: "trust: { revoked_keys: [\"\(id)\"] }")
        let report = try #require(try fixture.host().verifyPlugins([]).first)
        #expect(report.pin == .refused && report.reason.contains("revoked"))
    }

    private func tool(_ arguments: String...) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
    }
}
