import Foundation
import Glibc
import Synchronization
import Testing
import TrstctlPolicy
import TrstctlSystem
import TrstctlTestSupport

@testable import TrstctlHost

@Suite("What an approval keeps of earlier ones")
struct PinTermsTests {
    static let pin = String(repeating: "a", count: 64)

    /// An operator's entry with one command on terms.
    private func fixture(_ rules: String, run: String) throws -> PinFixture {
        let fixture = try PinFixture()
        try fixture.write(config: "run: \(run)", plugin: "grants:\n  process.exec: \(rules)")
        return fixture
    }

    private func commands(_ fixture: PinFixture) throws -> [ExecGrant] {
        let name = try #require(ConnectorName("echo"))
        return try fixture.host().lintedManifest().manifest.plugin(name)?.grants.exec ?? []
    }

    @Test(
        "A further command of a program comes on the terms that the program has, and the difference shows them",
        arguments: ["/opt/lb", "/usr/sbin/lb", "/sbin/lb"])
    func inherits(_ program: String) async throws {
        let own = program == "/sbin/lb" ? "/usr/sbin/lb" : program
        let fixture = try fixture(
            "[{ argv: [\(own), -t], sha256: [\"\(Self.pin)\"], setuid: true }]", run: "[\(program), reload]")
        let refusal = await #expect(throws: PinRefusal.self) { try await fixture.host().pinPlugins(["echo"]) }
        let shown = "process.exec [\(program), reload] sha256 \(Self.pin) setuid"
        #expect(refusal?.difference.map(\.description) == [shown] && refusal?.undecided.isEmpty == true)
        #expect(refusal?.description.contains("  + \(shown)\n") == true)

        // Before it is approved, both other places that show a line show one with the terms.
        let line = "{ argv: [\(program), reload], sha256: [\"\(Self.pin)\"], setuid: true }"
        #expect(try await fixture.host().inspectPlugin("echo").targets.first?.missing == ["process.exec: [\(line)]"])
        let planned = try await fixture.host(allowUnpinned: ["echo"]).plan([])
        #expect(planned.targets.first?.detail.contains("process.exec:\n      - \(line)\n") == true, "\(planned)")

        let report = try #require(try await fixture.host().pinPlugins(["echo"], PinMode(isApproving: true)).first)
        #expect(report.addedGrants == [shown])
        let terms = ExecTerms(pins: [try #require(SHA256Digest(hex: Self.pin))], allowsSetuid: true)
        #expect(try commands(fixture).map(\.terms) == [terms, terms])
    }

    @Test func `A wider command does not free the program that was pinned for a narrower one`() throws {
        let name = try #require(ConnectorName("lb"))
        let digest = try #require(SHA256Digest(hex: String(repeating: "b", count: 64)))
        let terms = ExecTerms(pins: [try #require(SHA256Digest(hex: Self.pin))])
        let approved = GrantSet(exec: [try ExecGrant(["/opt/lb", "use", "7"], terms: terms)])
        let before = Plugin(name: name, pins: [digest], grants: approved)
        let pinning = Pinning(
            name: name, digest: digest, declared: try GrantSet.parse(exec: [["/opt/lb", "use", "{int}"]]),
            mode: PinMode(isApproving: true))
        let grants = try #require(try pinning.change(before).grants)
        for argv: [Bytes] in [["/opt/lb", "use", "7"], ["/opt/lb", "use", "8"]] {
            guard case .allowed(.exec(let ticket)) = authorize(.exec(argv: argv), effective: grants, scope: .mutating)
            else {
                Issue.record("\(argv)")
                continue
            }
            #expect(ticket.terms.allSatisfy { $0 == terms } && !ticket.terms.isEmpty)
        }
    }

    @Test func `Where the rules of a program disagree, nothing is approved, and the operator is asked`() async throws {
        let rules = "[[/opt/lb, -t], { argv: [/opt/lb, -s], sha256: [\"\(Self.pin)\"] }]"
        let fixture = try fixture(rules, run: "[/opt/lb, reload]")
        let before = fixture.text
        for mode in [PinMode(), PinMode(isApproving: true)] {
            let refusal = await #expect(throws: PinRefusal.self) {
                try await fixture.host().pinPlugins(["echo"], mode)
            }
            #expect(refusal?.undecided.map(\.description) == ["process.exec [/opt/lb, reload]"])
            let text = refusal?.description ?? ""
            #expect(text.contains("disagree about its terms") && text.contains("write these rules yourself"), "\(text)")
            #expect(!text.contains("--approve"), "\(text)")
        }
        #expect(fixture.text == before)
        let planned = try await fixture.host(allowUnpinned: ["echo"]).plan([])
        #expect(planned.targets.first?.detail.contains("on the terms (sha256, setuid) that you want") == true)
        // Another program is not concerned.
        try fixture.write(config: "run: [/opt/other, x]", plugin: "grants:\n  process.exec: \(rules)")
        let report = try await fixture.host().pinPlugins(["echo"], PinMode(isApproving: true)).first
        #expect(report?.addedGrants == ["process.exec [/opt/other, x]"])
    }

    @Test(
        "A list that was emptied is a decision: what is asked for is not approved in passing",
        arguments: ["sha256: []", "grants: {}", "sha256: []\ngrants: {}", "grants:\n  fs.write: []"])
    func emptied(_ entry: String) async throws {
        let fixture = try PinFixture()
        let path = fixture.scratch.file("out/x")
        try fixture.write(config: "write_path: \(path)", plugin: entry)
        let before = fixture.text
        let refusal = await #expect(throws: PinRefusal.self) { try await fixture.host().pinPlugins(["echo"]) }
        #expect(refusal?.difference.map(\.description) == ["fs.write \(path)"])
        #expect(fixture.text == before)
        let report = try await fixture.host().pinPlugins(["echo"], PinMode(isApproving: true)).first
        #expect(report?.addedGrants == ["fs.write \(path)"])
    }

    @Test(
        "An entry in which nobody decided about pins and grants is like none",
        arguments: ["confinement: best-effort", "needs_key: false"])
    func undecided(_ entry: String) async throws {
        let fixture = try PinFixture()
        let path = fixture.scratch.file("out/x")
        try fixture.write(config: "write_path: \(path)", plugin: entry)
        #expect(try await fixture.host().pinPlugins(["echo"]).first?.addedGrants == ["fs.write \(path)"])
    }

    @Test func `A manifest that is changed while the connector is asked stays as it is`() async throws {
        let fixture = try PinFixture()
        let changed = fixture.text + "# seen by ops\n"
        let host = try self.host(fixture) { try fixture.scratch.write(changed, to: "trstctl.yaml") }
        let error = await #expect(throws: ManifestError.self) { try await host.pinPlugins(["talks"]) }
        #expect(error?.code == .changedMeanwhile)
        #expect(fixture.text == changed)
        let records = try host.audit(AuditQuery(deniedOnly: true)).records
        #expect(records.last?.event == .refusal && records.last?.code == "changed-meanwhile")
    }

    @Test func `What is pinned are the bytes that were asked, whatever lies there by then`() async throws {
        let fixture = try PinFixture()
        let path = fixture.plugins + "/trstctl-connector-talks"
        let host = try self.host(fixture) { try Data("other bytes".utf8).write(to: URL(filePath: path)) }
        let asked = try EchoManifest.digest(path)
        let report = try #require(try await host.pinPlugins(["talks"]).first)
        #expect(report.sha256 == asked && fixture.text.contains(asked))
        #expect(try EchoManifest.digest(path) != asked)
    }

    /// A host that does something when the connector `talks` prints its line, which it does at its start.
    private func host(
        _ fixture: PinFixture, _ change: @Sendable @escaping () throws -> Void
    ) throws -> TrstctlHost.Host {
        let path = try HostileConnector.shared().install("talks", in: fixture.plugins)
        try #require(chmod(path, 0o755) == 0)
        return fixture.host { source, _, _ in
            guard source == "talks" else { return }
            do { try change() } catch { Issue.record(error) }
        }
    }
}
