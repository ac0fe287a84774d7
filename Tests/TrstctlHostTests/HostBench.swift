import Foundation
import Synchronization
import Testing
import TrstctlLaunch
import TrstctlPolicy
import TrstctlSystem
import TrstctlTestSupport

@testable import TrstctlHost

/// A host in this process with a case of the hostile connector and, in the same run, the echo connector.
final class HostBench: Sendable {
    let scratch: ScratchDirectory
    let credential: TestCredential
    private let pki: TestPKI
    private let lines = Mutex<[String]>([])

    init() throws {
        scratch = try ScratchDirectory()
        try scratch.makeDirectory("plugins")
        try scratch.makeDirectory("live")
        pki = try TestPKI(try scratch.makeDirectory("pki", mode: 0o700))
        credential = try pki.issue("www.example.com")
    }

    /// The file that the hostile connector may write, and the one where echo keeps its fingerprint.
    var badPath: String { scratch.file("live/bad") }
    var goodPath: String { scratch.file("live/good") }

    /// What was printed and logged so far.
    var printed: [String] { lines.withLock { $0 } }

    /// The names of everything that is live.
    var files: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: scratch.file("live"))) ?? []).sorted()
    }

    /// A host with a manifest of these connectors, one target each: a case's name, or `echo`.
    func host(_ connectors: [String], state: String = "state") throws -> TrstctlHost.Host {
        var plugins = ""
        var targets = ""
        for name in connectors {
            let path = "\(scratch.file("plugins"))/trstctl-connector-\(name)"
            if name == "echo" {
                try BuiltProduct.link("echo", in: scratch.file("plugins"))
            } else {
                try HostileConnector.shared().install(name, in: scratch.file("plugins"))
            }
            let files = name == "echo" ? goodPath : badPath
            plugins += """
                  \(name):
                    sha256: ["\(try EchoManifest.digest(path))"]
                    grants:
                      fs.read: [\(files)]
                      fs.write: [\(files)]
                      process.exec: [[/bin/sleep, "600"]]

                """
            let config = name == "echo" ? "state_path: \(goodPath)" : "path: \(badPath)"
            targets += "  \(name): { connector: \(name), credential: www, config: { \(config) } }\n"
        }
        let manifest = try scratch.write(
            """
            version: 1
            plugins:
            \(plugins)
            credentials:
              www: { certificate: \(credential.fullchainPath), key: \(credential.keyPath) }
            targets:
            \(targets)
            """, to: "\(state).yaml")
        var options = TrstctlHost.Host.Options(manifest: Bytes(manifest), version: "test")
        options.stateDirectory = scratch.file(state)
        options.pluginDirectories = [Bytes(scratch.file("plugins"))]
        options.runtimeBase = scratch.file("run")
        options.timeouts.grace = 5_000
        options.timeouts.patience = 300
        options.log = { _, _, line in self.lines.withLock { $0.append(line) } }
        return TrstctlHost.Host(options)
    }

    /// Applies to a hostile target and then, in the same run, to a healthy one.
    ///
    /// - Returns: the hostile target's report; the healthy one was deployed.
    func apply(_ name: String) async throws -> TargetReport {
        let report = try await host([name, "echo"]).apply([])
        try expectHealthy(report)
        return try #require(report.targets.first)
    }

    /// Asserts that the healthy target of a run was deployed and that nothing is left of the run.
    func expectHealthy(_ report: RunReport, _ location: SourceLocation = #_sourceLocation) throws {
        let healthy = try #require(report.targets.last)
        #expect(healthy.outcome == .deployed, "\(healthy)", sourceLocation: location)
        #expect(
            try String(contentsOfFile: goodPath, encoding: .utf8) == credential.fingerprint + "\n",
            sourceLocation: location)
        #expect(try HostileConnector.shared().harm() == "", sourceLocation: location)
        #expect(ProcessList.running(in: scratch.path) == [], sourceLocation: location)
        let left = try FileManager.default.contentsOfDirectory(atPath: scratch.file("run"))
        #expect(left == [], "a socket directory is left", sourceLocation: location)
    }
}
