import Foundation
import Glibc
import Testing
import TrstctlHost
import TrstctlTestSupport

/// Manifests that are no manifests: exit code 2, one clear error, in bounded time and memory.
@Suite("Bad manifests on the command line", .ownThreads)
struct BadManifestTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var content: Data
        var says: String
    }

    static let cases = [
        Case(testDescription: "empty", content: Data(), says: "empty"),
        Case(testDescription: "blank", content: Data("\n\n# nothing\n".utf8), says: "trstctl.yaml"),
        Case(
            testDescription: "not UTF-8", content: Data("version: 1\nplugins: \u{FF}".utf8) + [0xC3, 0x28],
            says: "UTF-8"),
        Case(testDescription: "UTF-16", content: Data([0xFF, 0xFE, 0x76, 0x00]), says: "UTF-8"),
        Case(testDescription: "NUL bytes", content: Data(repeating: 0, count: 4096), says: "trstctl.yaml"),
        Case(
            testDescription: "huge", content: Data(repeating: UInt8(ascii: "#"), count: 32 << 20), says: "bytes"),
        Case(
            testDescription: "deep", content: Data(repeating: UInt8(ascii: "["), count: 100_000), says: "trstctl.yaml"),
        Case(testDescription: "a list", content: Data("- version: 1\n".utf8), says: "trstctl.yaml:1"),
        Case(testDescription: "another version", content: Data("version: 2\n".utf8), says: "trstctl.yaml:1"),
        Case(testDescription: "unknown key", content: Data("version: 1\nplugin: {}\n".utf8), says: "plugin"),
        Case(testDescription: "key twice", content: Data("version: 1\nversion: 1\n".utf8), says: "trstctl.yaml:2"),
        Case(
            testDescription: "aliases that grow",
            content: Data(
                ("a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
                    + (1...9).map {
                        "a\($0): &a\($0) [\(Array(repeating: "*a\($0 - 1)", count: 9).joined(separator: ","))]\n"
                    }
                    .joined()).utf8), says: "trstctl.yaml"),
    ]

    @Test("A file that is no manifest is refused by every command that needs one", arguments: cases)
    func badManifest(_ entry: Case) async throws {
        let command = try TrstctlCommand()
        try command.scratch.write(entry.content, to: "trstctl.yaml")
        for words in [["manifest", "validate"], ["apply"], ["plugin", "pin", "echo"]] {
            let outcome = try await command.start(words).outcome()
            #expect(outcome.code == 2, "\(words): \(outcome)")
            #expect(outcome.errors.contains(entry.says), "\(words): \(outcome)")
            #expect(outcome.errors.utf8.count < 4096)
        }
        #expect(try Data(contentsOf: URL(fileURLWithPath: command.manifest)) == entry.content)
    }

    @Test("Places where no manifest can be are named", arguments: ["missing", "directory", "fifo", "device"])
    func badPlace(_ kind: String) async throws {
        let command = try TrstctlCommand()
        switch kind {
        case "directory": try command.scratch.makeDirectory("trstctl.yaml")
        case "fifo": try #require(mkfifo(command.manifest, 0o600) == 0)
        case "device":
            try FileManager.default.createSymbolicLink(
                atPath: command.manifest, withDestinationPath: "/dev/zero")
        default: break
        }
        let outcome = try await command.run("apply")
        #expect(outcome.code == 2, "\(outcome)")
        #expect(outcome.errors.contains("trstctl.yaml") || kind == "device", "\(outcome)")
    }
}
