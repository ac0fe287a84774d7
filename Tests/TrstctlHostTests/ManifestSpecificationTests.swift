import Foundation
import Testing
import TrstctlHost
import TrstctlPolicy

@Suite("Manifest: what the specification shows")
struct ManifestSpecificationTests {
    func specification(_ name: String) throws -> String {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return try String(contentsOf: root.appendingPathComponent("spec/\(name)"), encoding: .utf8)
    }

    @Test func `The example is a manifest`() throws {
        let text = try specification("manifest.md")
        let example = try #require(text.components(separatedBy: "```yaml\n").dropFirst().first)
        let manifest = try ManifestSample.parse(try #require(example.components(separatedBy: "```").first))
        #expect(manifest.plugins.count == 1 && manifest.credentials.count == 1 && manifest.targets.count == 1)
    }

    @Test func `The examples are manifests that the linter has nothing to say about`() throws {
        let text = try specification("manifest.md")
        let context = LintContext(
            manifest: [try AbsolutePath("/etc/trstctl/trstctl.yaml")], directory: try AbsolutePath("/etc/trstctl"),
            pluginDirectories: [try AbsolutePath("/usr/local/share/trstctl/plugins")],
            stateDirectory: try AbsolutePath("/var/lib/trstctl"))
        let examples = text.components(separatedBy: "```yaml\n").dropFirst()
        #expect(examples.count == 2)
        for example in examples {
            let yaml = try #require(example.components(separatedBy: "```").first)
            let whole = yaml.hasPrefix("version:") ? yaml : "version: 1\n" + yaml
            #expect(Lint.findings(in: try ManifestSample.parse(whole), context).isEmpty)
        }
    }

    @Test func `Every code of the linter is documented`() throws {
        let grants = try specification("grants.md")
        for code in LintCode.allCases { #expect(grants.contains("| `\(code)` |"), "\(code)") }
    }

    @Test func `The schema knows the keys that the parser knows`() throws {
        let schema = try specification("manifest.schema.json")
        for key in [
            "signature", "confinement", "script", "acknowledge", "trust", "revoked_sha256", "revoked_keys", "policy",
            "keys", "not_before", "not_after", "interpreter", "needs_key", "env", "cmd", "credential", "layout",
        ] { #expect(schema.contains("\"\(key)\":"), "\(key)") }
    }

    @Test func `Every error code and denial reason is documented`() throws {
        let manifest = try specification("manifest.md")
        for code in ManifestError.Code.allCases {
            #expect(manifest.contains("`\(code.rawValue)`"), "\(code.rawValue)")
        }
        let grants = try specification("grants.md")
        for reason in Denial.Reason.allCases { #expect(grants.contains("`\(reason.rawValue)`"), "\(reason.rawValue)") }
        for capability in Capability.allCases { #expect(grants.contains("`\(capability)`"), "\(capability)") }
    }
}
