import Foundation
import Testing
import TrstctlHost
import TrstctlTestSupport

/// `plugin pin`: it writes what it says, where it says, and leaves the rest alone.
@Suite("Pinning from the command line", .ownThreads)
struct PinCommandTests {
    @Test("A pin is written with the grants that the targets need; comments stay; a second pin writes nothing")
    func pins() async throws {
        let site = try EchoSite()
        let live = site.live("one")
        let text = """
            # Our edge. Ask ops before you change it.
            version: 1

            credentials:
              www: { certificate: \(site.manifest.certificate), key: \(site.manifest.key) }  # from certbot
            # The targets
            targets:
              one: { connector: echo, credential: www, config: { state_path: \(live) } }  # the only one

            """
        try site.command.write(manifest: text)
        #expect(try await site.command.run("apply").code == 3)

        let outcome = try await site.command.run("plugin", "pin", "echo")
        #expect(outcome.code == 0, "\(outcome)")
        let digest = try EchoManifest.digest("\(site.command.plugins)/trstctl-connector-echo")
        #expect(outcome.output.contains(digest), "\(outcome)")
        let pinned = try site.command.readManifest()
        for line in text.split(separator: "\n") { #expect(pinned.contains(line), "\(pinned)") }
        #expect(pinned.contains(digest))
        #expect(pinned.contains("fs.write: [\(live)]"), "\(pinned)")

        let before = try FileStamp(site.command.manifest)
        let second = try await site.command.run("plugin", "pin", "echo", "--json")
        #expect(second.code == 0, "\(second)")
        #expect(try second.json([PinReport].self).map(\.changed) == [false])
        #expect(try FileStamp(site.command.manifest) == before)
        let third = try await site.command.run("plugin", "pin", "echo")
        #expect(third.output.contains("sha256  \(digest)") && !third.output.contains("->"), "\(third)")

        #expect(try await site.command.run("apply").code == 0)
        #expect(try await site.command.run("plugin", "verify").code == 0)
    }

    @Test(
        "A connector that misbehaves at its start is not pinned",
        arguments: ["junk", "foreign", "wrong-name", "future"])
    func refusesHostile(_ name: String) async throws {
        let site = try EchoSite()
        try HostileConnector.shared().install(name, in: site.command.plugins)
        let before = try FileStamp(site.command.manifest)
        let outcome = try await site.command.run("plugin", "pin", name)
        #expect(outcome.code == 3, "\(outcome)")
        #expect(try FileStamp(site.command.manifest) == before)
        #expect(try HostileConnector.shared().harm() == "")
    }

    @Test("A name that is not there is refused, and the manifest stays")
    func missing() async throws {
        let site = try EchoSite()
        let before = try FileStamp(site.command.manifest)
        let outcome = try await site.command.run("plugin", "pin", "nowhere")
        #expect(outcome.code == 3, "\(outcome)")
        #expect(outcome.errors.contains("trstctl-connector-nowhere"), "\(outcome)")
        #expect(try FileStamp(site.command.manifest) == before)
    }

    @Test(
        "Where the manifest makes the pinned build ask for more, nobody speaks of a stolen one; each rule has its line")
    func widened() async throws {
        var site = try EchoSite()
        let (first, second) = (site.command.scratch.file("live2/a"), site.command.scratch.file("live2/b"))
        site.manifest.targets[0].config["write_path"] = first
        site.manifest.targets[0].config["state_path"] = second
        try site.command.write(manifest: site.manifest.text)
        let applied = try await site.command.run("apply")
        #expect(applied.code == 3, "\(applied)")
        #expect(applied.output.contains("fs.write:\n        - \(first)\n        - \(second)\n"), "\(applied)")
        let refused = try await site.command.run("plugin", "pin", "echo")
        #expect(refused.code == 3 && refused.errors.contains("It is the build that is pinned already"), "\(refused)")
        #expect(!refused.errors.contains("stolen"), "\(refused)")
        let pin = try EchoManifest.digest("\(site.command.plugins)/trstctl-connector-echo")
        let other = site.manifest.text.replacing(pin, with: String(repeating: "ab", count: 32))
        try site.command.write(manifest: other)
        #expect(try await site.command.run("plugin", "pin", "echo").errors.contains("what a stolen one looks like"))
        try site.command.write(manifest: site.manifest.text.replacing("\"\(pin)\"", with: ""))
        #expect(try await site.command.run("plugin", "pin", "echo").errors.contains("\nNothing is pinned; "))
        try site.command.write(manifest: site.manifest.text)
        // The inspection names the command that will do, and none when nothing is missing.
        let asked = try await site.command.run("plugin", "inspect", "echo")
        #expect(asked.output.contains("next: trstctl plugin pin --approve echo "), "\(asked)")
        #expect(try await site.command.run("plugin", "pin", "--approve", "echo").code == 0)
        #expect(try await !site.command.run("plugin", "inspect", "echo").output.contains("next: "))
        site.manifest.pins = nil
        try site.command.write(manifest: site.manifest.text)
        #expect(
            try await site.command.run("plugin", "inspect", "echo").output.contains("next: trstctl plugin pin echo "))
        // Whatever was approved stands in the log's text, too.
        let audit = try await site.command.run("audit")
        #expect(audit.output.contains("+ fs.write \(first); + fs.write \(second)"), "\(audit)")
        #expect(audit.output.contains("note: a text that ends with … goes on"), "\(audit)")
    }

    @Test("Inspecting shows what a connector is and needs, without granting it anything")
    func inspect() async throws {
        let site = try EchoSite()
        let outcome = try await site.command.run("plugin", "inspect", "echo", "--json")
        #expect(outcome.code == 0, "\(outcome)")
        let report = try outcome.json(InspectReport.self)
        #expect(report.targets.map(\.missing) == [[]])
        #expect(report.fields.contains { $0.name == "state_path" })
        #expect(site.files == [])
    }
}
