import Foundation
import Glibc
import Synchronization
import Testing
import TrstctlLaunch
import TrstctlSystem
import TrstctlTestSupport

@testable import TrstctlHost

/// A host with a hostile connector and, in the same run, a healthy one; and canaries around them.
final class HostileBench: Sendable {
    let scratch: ScratchDirectory
    private let pki: TestPKI
    private let credential: TestCredential
    private let lines = Mutex<[String]>([])

    /// Makes the directories, the credential and the canaries.
    init() throws {
        scratch = try ScratchDirectory()
        for name in ["plugins", "hostile", "live", "canaries"] { try scratch.makeDirectory(name) }
        pki = try TestPKI(try scratch.makeDirectory("pki", mode: 0o700))
        credential = try pki.issue("www.example.com")
        try scratch.write("untouched\n", to: "canaries/file", mode: 0o640)
        try scratch.write("#!/bin/sh\n", to: "canaries/program", mode: 0o755)
        try scratch.write("as it was\n", to: "live/bad", mode: 0o640)
        try BuiltProduct.link("echo", in: scratch.file("plugins"))
    }

    /// The file that the hostile connector may write, and the one where echo keeps its fingerprint.
    var badPath: String { scratch.file("live/bad") }
    var goodPath: String { scratch.file("live/good") }
    /// Where the hostile connectors are looked for: not where the healthy one is.
    var hostileDirectory: String { scratch.file("hostile") }
    /// What was printed and logged so far.
    var printed: [String] { lines.withLock { $0 } }

    /// What must be the same afterwards, whatever a connector does.
    var canaries: TreeStamp { TreeStamp(["canaries", "pki"].map { scratch.file($0) }) }

    /// A host whose manifest has the case's target first, and echo's after it.
    ///
    /// - Parameter entry: the case; its executable is installed.
    /// - Returns: the host.
    /// - Throws: when something cannot be written.
    func host(_ entry: HostileCase) throws -> TrstctlHost.Host {
        let path = try HostileConnector.shared().install(entry.connector, in: hostileDirectory)
        try entry.make?(self, path)
        let digest = try entry.pin ?? EchoManifest.pin(path)
        try entry.tamper?(self, path)
        return try host(manifest(entry, pin: digest), entry.options)
    }

    /// A host with this manifest.
    func host(
        _ manifest: String, _ change: (@Sendable (inout TrstctlHost.Host.Options) -> Void)? = nil
    ) throws -> TrstctlHost.Host {
        try scratch.write(manifest, to: "trstctl.yaml")
        return hostAsIs(change)
    }

    /// A host with whatever lies there as the manifest.
    func hostAsIs(_ change: (@Sendable (inout TrstctlHost.Host.Options) -> Void)? = nil) -> TrstctlHost.Host {
        var options = TrstctlHost.Host.Options(manifest: Bytes(scratch.file("trstctl.yaml")), version: "test")
        options.stateDirectory = scratch.file("state")
        options.pluginDirectories = [Bytes(hostileDirectory), Bytes(scratch.file("plugins"))]
        options.runtimeBase = scratch.file("run")
        options.timeouts.grace = 300
        options.timeouts.patience = 300
        options.log = { _, _, line in self.lines.withLock { $0.append(line) } }
        change?(&options)
        return TrstctlHost.Host(options)
    }

    /// The manifest with the hostile target `bad` and the healthy one, `good`.
    func manifest(_ entry: HostileCase, pin: String) throws -> String {
        var plugins = ["plugins:"]
        if !pin.isEmpty { plugins += self.plugin(entry.connector, pin: pin, path: badPath) }
        if !pin.isEmpty { plugins += entry.plugin.map { "    \($0)" } }
        if !entry.isConfined { plugins += ["    confinement: off", "    acknowledge: [i-accept-the-risk]"] }
        let bad = "  bad: { connector: \(entry.connector), credential: www, config: { path: \(badPath) } }"
        return try manifest(plugins, targets: [bad])
    }

    /// A manifest with these plugins and targets, and the healthy ones after them.
    func manifest(_ plugins: [String], targets: [String]) throws -> String {
        let echo = try EchoManifest.pin(scratch.file("plugins/trstctl-connector-echo"))
        return
            (["version: 1"] + plugins + plugin("echo", pin: echo, path: goodPath)
            + ["credentials:", "  www: { certificate: \(credential.fullchainPath), key: \(credential.keyPath) }"]
            + ["targets:"] + targets
            + ["  good: { connector: echo, credential: www, config: { state_path: \(goodPath) } }"])
            .joined(separator: "\n") + "\n"
    }

    private func plugin(_ name: String, pin: String, path: String) -> [String] {
        [
            "  \(name):", "    sha256: [\(pin)]", "    grants:", "      fs.read: [\(path)]",
            "      fs.write: [\(path)]",
        ]
    }

    /// The whole audit log.
    func audit() throws -> [AuditRecord] {
        var options = TrstctlHost.Host.Options(manifest: Bytes(""), version: "test")
        options.stateDirectory = scratch.file("state")
        // Where nothing ever ran there is none, and asking for its log is an error.
        guard access(scratch.file("state"), F_OK) == 0 else { return [] }
        let result = try TrstctlHost.Host(options).audit(AuditQuery(last: 100_000))
        #expect(result.damagedLines == 0)
        return result.records
    }

    /// Asserts that the healthy target was deployed in this run, and that nothing is left of it.
    func expectHealthy(_ report: RunReport, _ location: SourceLocation = #_sourceLocation) throws {
        let healthy = try #require(report.targets.last)
        #expect(healthy.outcome == .deployed || healthy.outcome == .inSync, "\(healthy)", sourceLocation: location)
        #expect(
            try String(contentsOfFile: goodPath, encoding: .utf8) == credential.fingerprint + "\n",
            sourceLocation: location)
        #expect(try HostileConnector.shared().harm() == "", sourceLocation: location)
        #expect(ProcessList.running(in: scratch.path) == [], sourceLocation: location)
        let left = (try? FileManager.default.contentsOfDirectory(atPath: scratch.file("run"))) ?? []
        #expect(left == [], "a socket directory is left", sourceLocation: location)
        #expect(try audit().last { $0.event == .outcome && $0.target == "good" }?.outcome == healthy.outcome.rawValue)
    }
}
