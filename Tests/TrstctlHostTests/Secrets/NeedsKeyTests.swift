import Foundation
import Testing
import TrstctlLaunch
import TrstctlPolicy
import TrstctlSystem
import TrstctlTestSupport

@testable import TrstctlHost

/// K10: a connector has private keys only where the operator says so, and only its deployment's own.
@Suite("Connectors that want the key itself", .ownThreads)
struct NeedsKeyTests {
    /// Writes `needs_key: true` into the entry of a connector in the bench's manifest.
    private func approve(_ name: String, _ host: TrstctlHost.Host) throws {
        let path = try #require(host.options.manifest.text)
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let approved = text.replacingOccurrences(
            of: "  \(name):\n    sha256", with: "  \(name):\n    needs_key: true\n    sha256")
        try #require(approved != text)
        try approved.write(toFile: path, atomically: false, encoding: .utf8)
    }

    @Test("Where the manifest does not approve it, its targets are refused, and it sees no key")
    func refused() async throws {
        let bench = try HostBench()
        let report = try await bench.apply("wants-key")
        #expect(report.outcome == .refused && report.stage == .grants && report.code == "not-approved", "\(report)")
        #expect(report.detail.contains("needs_key: true") && report.detail.contains("plugin pin --approve wants-key"))
        #expect(!bench.printed.contains { $0.contains("key in") })
        #expect(bench.files == ["good"])
    }

    @Test("Where the manifest approves it, it gets the key in Apply and its rehearsal, and not in Read")
    func approved() async throws {
        let bench = try HostBench()
        let host = try bench.host(["wants-key", "echo"])
        try approve("wants-key", host)
        let report = try await host.apply([])
        #expect(report.targets.first?.outcome == .deployed, "\(report)")
        let size = try Data(contentsOf: URL(fileURLWithPath: bench.credential.keyPath)).count
        #expect(
            bench.printed.filter { $0.contains("key in") } == [
                "key in read: 0", "key in rehearsal: \(size)", "key in apply: \(size)",
            ])
    }

    @Test("The approval alone gives no key to a connector that does not ask for it")
    func notAsked() async throws {
        let bench = try HostBench()
        let host = try bench.host(["looks-for-key", "echo"])
        try approve("looks-for-key", host)
        #expect(try await host.apply([]).targets.first?.outcome == .deployed)
        #expect(
            bench.printed.filter { $0.contains("key in") } == [
                "key in read: 0", "key in rehearsal: 0", "key in apply: 0",
            ])
    }

    @Test("plugin pin approves it only when told to, also the first time, and writes the line")
    func pin() async throws {
        let bench = try HostBench()
        let host = try bench.host(["wants-key", "echo"])
        let path = try #require(host.options.manifest.text)
        let before = try String(contentsOfFile: path, encoding: .utf8)
        let error = await #expect(throws: PinRefusal.self) { try await host.pinPlugins(["wants-key"]) }
        #expect(error?.asksForKey == true && error?.difference.isEmpty == true)
        #expect(error?.description.contains("+ needs_key: true") == true)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == before)

        let report = try await host.pinPlugins(["wants-key"], PinMode(isApproving: true))
        #expect(report.first?.addedGrants == ["needs_key: true"], "\(report)")
        let name = try #require(ConnectorName("wants-key"))
        #expect(try host.loadManifest().manifest.plugin(name)?.needsKey == true)
        #expect(try await host.apply(["wants-key"]).targets.first?.outcome == .deployed)
        #expect(try await host.pinPlugins(["wants-key"]).first?.changed == false)
        let inspection = try await host.inspectPlugin("wants-key")
        #expect(inspection.needsKey && inspection.needsKeyApproved)
    }

    @Test(
        "The line is written into every style of entry that is edited, and the rest stays",
        arguments: [
            "  a:\n    sha256: []\n", "  a:\n    sha256: []\n    grants:\n      fs.read: [/x]\n",
            "  a:\n    grants:\n      fs.read: [/x]\n", "  a:\n    needs_key: false # no\n    sha256: []\n",
            "  a: {}\n",
            "  a:\n    sha256:\n      - \"\(String(repeating: "a", count: 64))\"\n  b:\n    sha256: []\n",
        ])
    func editor(_ entry: String) throws {
        let text = "version: 1\nplugins:\n\(entry)"
        var change = PinChange(
            connector: try #require(ConnectorName("a")),
            digest: try #require(SHA256Digest(hex: String(repeating: "b", count: 64))),
            grants: try GrantSet.parse(read: ["/x", "/y"]))
        change.givesKey = true
        let edit = try ManifestEditor.pin(
            change, in: Array(text.utf8), directory: AbsolutePath("/etc"), file: "trstctl.yaml")
        #expect(edit.after.needsKey && edit.after.grants.read.count == 2)
        let again = try ManifestEditor.pin(change, in: edit.text, directory: AbsolutePath("/etc"), file: "trstctl.yaml")
        #expect(again.text == edit.text)
    }
}
