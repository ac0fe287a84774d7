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
