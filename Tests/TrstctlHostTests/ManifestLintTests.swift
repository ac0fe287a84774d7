import Glibc
import Testing
import TrstctlHost
import TrstctlPolicy
import TrstctlSystem
import TrstctlTestSupport

@Suite("Linter: what it is told of this machine")
struct ManifestLintTests {
    private func findings(_ fixture: PinFixture, _ grants: String) throws -> [FindingReport] {
        try fixture.write(config: "", plugin: "grants:\n" + grants)
        return try fixture.host().validateManifest().findings
    }

    @Test func `A link is followed from what is granted to run, and from what is granted to write`() throws {
        let fixture = try PinFixture()
        let out = try fixture.scratch.makeDirectory("programs")
        let link = fixture.scratch.file("reload")
        #expect(symlink(out + "/reload", link) == 0)
        try fixture.scratch.write("x", to: "programs/reload")
        let exec = "  process.exec: [[\(link)]]"
        #expect(try findings(fixture, "  fs.write: [\(out)/reload]\n" + exec).map(\.code) == ["replaces"])
        #expect(try findings(fixture, "  fs.write: [\(out)/]\n" + exec).map(\.code) == ["replaces"])
        #expect(try findings(fixture, "  fs.write: [\(out)/other]\n" + exec).isEmpty)
        // A directory under another name.
        let alias = fixture.scratch.file("alias")
        #expect(symlink(fixture.plugins, alias) == 0)
        #expect(try findings(fixture, "  fs.write: [\(alias)/x]").map(\.code) == ["replaces"])
    }

    @Test func `The program of the host and its journals are known`() throws {
        let fixture = try PinFixture()
        let program = try #require(realpath("/proc/self/exe", nil))
        defer { free(program) }
        let found = try findings(fixture, "  fs.write: [\(String(cString: program))]")
        #expect(found.contains { $0.code == "replaces" && $0.message.contains("the program of trstctl") })
        let journals = try findings(fixture, "  fs.write: [\(fixture.scratch.file("state"))/journal/x]")
        #expect(journals.contains { $0.code == "replaces" && $0.message.contains("the journals") })
        let read = try findings(fixture, "  fs.read: [\(fixture.scratch.file("state"))/]")
        #expect(read.map(\.code) == ["reads-secret"])
    }

    @Test func `An approved key is a warning at its own line`() throws {
        let fixture = try PinFixture()
        try fixture.write(config: "", plugin: "needs_key: true")
        let finding = try #require(try fixture.host().validateManifest().findings.first)
        #expect(finding.code == "receives-key" && !finding.isRefusal)
        #expect(finding.line == 4 && finding.column == 5)
    }
}
