import Foundation
import Glibc
import Synchronization
import Testing
import TrstctlLaunch
import TrstctlPolicy
import TrstctlSystem
import TrstctlTestSupport

@testable import TrstctlHost

@Suite("What is recorded, and what does not happen unrecorded")
struct AuditRecordingTests {
    private func records(_ fixture: PinFixture, _ query: AuditQuery = AuditQuery(deniedOnly: true)) throws
        -> [AuditRecord]
    {
        try fixture.host().audit(query).records
    }

    @Test func `A log that others could have changed is shown with a warning`() async throws {
        let fixture = try PinFixture()
        _ = try await fixture.host().pinPlugins(["echo"])
        let path = fixture.scratch.file("state/\(AuditLog.name)")
        func warnings() throws -> [String] { try fixture.host().audit(AuditQuery()).warnings }
        #expect(try warnings() == [])
        try #require(chmod(path, 0o644) == 0)
        #expect(try warnings().first?.contains("\(path) is open to others (mode 0644)") == true)
        try #require(chmod(path, 0o600) == 0 && link(path, path + ".1") == 0)
        #expect(try warnings().map { $0.contains("has 2 names") } == [true, true])
        try #require(unlink(path + ".1") == 0)
        #expect(try warnings() == [])
        guard geteuid() == 0 else { return }
        try #require(chown(path, 4711, 4711) == 0)
        #expect(try warnings().first?.contains("belongs to user 4711") == true)
    }

    @Test func `A pin that is refused, and one that is approved, are lines with the difference`() async throws {
        let fixture = try PinFixture()
        let (first, second) = (fixture.scratch.file("out/x"), fixture.scratch.file("out/state"))
        try fixture.write(config: "write_path: \(first)")
        let digest = try #require(try await fixture.host().pinPlugins(["echo"]).first?.sha256)
        let approval = try #require(try records(fixture, AuditQuery()).last)
        #expect(approval.event == .approval && approval.digest == digest && approval.object == fixture.connector)
        #expect(approval.reason == "+ fs.write \(first)")
        try fixture.scratch.write(
            fixture.text.replacingOccurrences(of: "write_path:", with: "state_path: \(second), write_path:"),
            to: "trstctl.yaml")
        await #expect(throws: PinRefusal.self) { try await fixture.host().pinPlugins(["echo"]) }
        let refusal = try #require(try records(fixture).last)
        #expect(refusal.event == .refusal && refusal.code == "not-approved" && refusal.digest == digest)
        #expect(refusal.reason?.contains("+ fs.write \(second)\n") == true)
        // Twice the same: nothing is written, and there is nothing to record but the start.
        try fixture.write(
            config: "write_path: \(first)", plugin: "sha256: [\"\(digest)\"]\ngrants: { fs.write: [\(first)] }")
        let before = try records(fixture, AuditQuery()).count { $0.event == .approval }
        #expect(try await fixture.host().pinPlugins(["echo"]).first?.changed == false)
        #expect(try records(fixture, AuditQuery()).count { $0.event == .approval } == before)
    }

    @Test func `Grants that the linter refuses are a refusal of the pin in the log`() async throws {
        let fixture = try PinFixture()
        let program = fixture.scratch.file("out/x")
        try fixture.write(config: "write_path: \(program), run: [\(program)]")
        await #expect(throws: ManifestError.self) { try await fixture.host().pinPlugins(["echo"]) }
        #expect(try records(fixture).map(\.code) == ["dangerous-grant"])
    }

    @Test func `What verify and list would not start is recorded, and what is merely not pinned yet is not`()
        async throws
    {
        let fixture = try PinFixture()
        let log = fixture.scratch.file("state/audit.log")
        try fixture.write(config: "")
        #expect(try await fixture.host().listPlugins().first?.pin == .unpinned)
        #expect(access(log, F_OK) == -1)
        #expect(try fixture.host().verifyPlugins(["echo", "nowhere"]).map(\.code) == ["unpinned", "not-found"])
        #expect(try records(fixture).map(\.code) == ["unpinned", "not-found"])
        try fixture.write(config: "", plugin: "sha256: [\"\(String(repeating: "ab", count: 32))\"]")
        #expect(try await fixture.host().listPlugins().first?.code == "digest-mismatch")
        let refusal = try #require(try records(fixture).last)
        #expect(refusal.code == "digest-mismatch" && refusal.event == .refusal && refusal.object == fixture.connector)
        #expect(refusal.reason?.contains("abab") == true && refusal.connector == "echo")
    }

    @Test func `A target's refusals are found by its name: of its connector, and of its grants`() async throws {
        let fixture = try PinFixture()
        try fixture.write(config: "")
        #expect(try await fixture.host().plan([]).exitCode == 3)
        let query = AuditQuery(target: "one", deniedOnly: true)
        #expect(try records(fixture, query).map(\.event) == [.refusal, .outcome])
        #expect(try records(fixture, query).map(\.code) == ["unpinned", "unpinned"])
        try fixture.write(config: "write_path: \(fixture.scratch.file("out/x"))")
        #expect(try await fixture.host(allowUnpinned: ["echo"]).plan([]).exitCode == 3)
        let refusal = try #require(try records(fixture, query).last)
        #expect(refusal.code == "not-approved" && refusal.reason?.contains("fs.write:\n      - ") == true)
    }

    @Test func `Nothing is started, asked or pinned where the log cannot be written`() async throws {
        let fixture = try PinFixture()
        try fixture.write(config: "")
        let text = fixture.text
        _ = try fixture.scratch.makeDirectory("state")
        try fixture.scratch.write("", to: "state/audit.log")
        try #require(chmod(fixture.scratch.file("state"), 0o700) == 0)
        try #require(chmod(fixture.scratch.file("state/audit.log"), 0o666) == 0)
        let lines = Mutex<[String]>([])
        let host = fixture.host(allowUnpinned: ["echo"]) { source, kind, line in
            lines.withLock { $0.append("\(source) \(kind) \(line)") }
        }
        await #expect(throws: StateError.self) { try await host.plan([]) }
        await #expect(throws: StateError.self) { try await host.apply([]) }
        await #expect(throws: StateError.self) { try await host.recover() }
        await #expect(throws: StateError.self) { try await host.inspectPlugin("echo") }
        await #expect(throws: StateError.self) { try await host.pinPlugins(["echo"]) }
        await #expect(throws: StateError.self) { try await host.listPlugins(isRunning: true) }
        #expect(
            lines.withLock { $0.allSatisfy { $0.hasPrefix("trstctl warning --allow-unpinned") } },
            "\(lines.withLock(\.self))")
        #expect(fixture.text == text)
        // Looking starts nothing, and goes on.
        #expect(try await host.listPlugins().first?.mayRun == true)
        #expect(try fixture.host().verifyPlugins(["echo"]).first?.mayRun == false)
    }

    @Test func `Only a user who is not root and may not write there goes on without the log`() {
        for code in [EACCES, EPERM, EROFS] {
            #expect(StateError(SystemError(stage: "open", errno: code), user: 1_000).isForbidden)
            #expect(!StateError(SystemError(stage: "open", errno: code), user: 0).isForbidden)
        }
        for code in [ENOSPC, EDQUOT, EIO, EMFILE, ELOOP, ENOENT] {
            #expect(!StateError(SystemError(stage: "open", errno: code), user: 1_000).isForbidden)
        }
        var status = stat()
        (status.st_mode, status.st_uid) = (S_IFDIR | 0o700, 0)
        #expect(StateError.isForeign(status, user: 1_000) && !StateError.isForeign(status, user: 0))
        status.st_mode = S_IFDIR | 0o777
        #expect(!StateError.isForeign(status, user: 1_000))
        (status.st_mode, status.st_uid) = (S_IFDIR | 0o700, 1_001)
        #expect(!StateError.isForeign(status, user: 1_000))
    }

    /// A log that takes so many lines and then is full.
    private func log(_ fixture: PinFixture, lines: Int) throws -> AuditLog {
        let left = Mutex(lines)
        var calls = AuditFile.Calls()
        calls.write = { descriptor, bytes in
            let isFull = left.withLock { left in
                left -= 1
                return left < 0
            }
            guard !isFull else {
                errno = ENOSPC
                return -1
            }
            return write(descriptor, bytes.baseAddress, bytes.count)
        }
        let directory = fixture.scratch.file("log")
        _ = mkdir(directory, 0o700)
        return try AuditLog(directory: directory, calls: calls)
    }

    @Test func `A connector whose start cannot be recorded is ended before it is used`() async throws {
        let fixture = try PinFixture()
        try fixture.write(config: "")
        let host = fixture.host()
        let name = try #require(ConnectorName("echo"))
        let pool = host.makePool(audit: try log(fixture, lines: 0), try host.lintedManifest(), [name])
        let refusal = try await EventLoop.run {
            do throws(ConnectorRefusal) {
                _ = try await pool.connector(name)
                return ConnectorRefusal?.none
            } catch {
                return error
            }
        }
        #expect(refusal?.report.code == "state" && refusal?.description.contains("No space left") == true)
        #expect(ProcessList.running(in: fixture.plugins) == [])
    }

    @Test func `An approval that cannot be recorded is not made`() throws {
        let fixture = try PinFixture()
        let before = fixture.text
        let host = fixture.host()
        let name = try #require(ConnectorName("echo"))
        let digest = try #require(SHA256Digest(hex: String(repeating: "a", count: 64)))
        let pinning = Pinning(name: name, digest: digest, declared: GrantSet(), mode: PinMode())
        for lines in [0, 1] {
            let file = try ManifestFile.open(host.options.manifest)
            let audit = try log(fixture, lines: lines)
            let report = try? host.write(pinning, ConnectorReport(name: "echo"), [], nil, file, audit)
            #expect(report?.changed == (lines == 0 ? nil : true))
            #expect((fixture.text == before) == (lines == 0))
        }
    }

    @Test func `When the log is full in the middle of a run, no further target is deployed`() async throws {
        let fixture = try PinFixture()
        let path = fixture.scratch.file("out/x")
        try fixture.write(config: "write_path: \(path)")
        _ = try await fixture.host().pinPlugins(["echo"])
        let host = fixture.host()
        let loaded = try host.lintedManifest()
        // The start; what the rehearsal records is lost.
        let audit = try log(fixture, lines: 1)
        let pool = host.makePool(audit: audit, loaded)
        let reconciler = TargetReconciler(
            manifest: loaded.manifest, directory: loaded.directory, pool: pool,
            credentials: CredentialCache(loaded.manifest.targets), audit: audit)
        let target = try #require(loaded.manifest.targets.first)
        let report = try await EventLoop.run {
            let report = await reconciler.reconcile(await reconciler.prepare(target, goal: .apply), goal: .apply)
            await pool.stopAll()
            return report
        }
        #expect(report.outcome == .failed && report.code == "state", "\(report)")
        #expect(report.summary.contains("could not be recorded") && report.detail.contains("No space left"))
        #expect(access(path, F_OK) == -1)
    }
}
