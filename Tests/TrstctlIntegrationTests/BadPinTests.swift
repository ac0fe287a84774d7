import Foundation
import Glibc
import Testing
import TrstctlHost
import TrstctlTestSupport

/// Pins and connectors that are not what they should be: refused, with nothing touched.
@Suite("Bad pins and connectors", .ownThreads)
struct BadPinTests {
    private static let digest = String(repeating: "0123456789abcdef", count: 4)

    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        /// What stands in the manifest; nil for a manifest that does not name the connector.
        var pins: String?
        var code: Int32
        var says: String
    }

    static let cases = [
        Case(testDescription: "a wrong pin", pins: "\"\(digest)\"", code: 3, says: "is not the one that was pinned"),
        Case(testDescription: "no entry", pins: nil, code: 3, says: "has no pin"),
        Case(testDescription: "no pins", pins: "", code: 3, says: "has no pin"),
        Case(testDescription: "63 characters", pins: "\"\(digest.dropLast())\"", code: 3, says: "63"),
        Case(testDescription: "65 characters", pins: "\"\(digest)0\"", code: 3, says: "65"),
        Case(testDescription: "upper case", pins: "\"\(digest.uppercased())\"", code: 3, says: "lower"),
        Case(
            testDescription: "a line of sha256sum", pins: "\"\(digest)  trstctl-connector-echo\"", code: 3,
            says: "sha256sum"),
        Case(testDescription: "a prefix", pins: "\"sha256:\(digest)\"", code: 3, says: "sha256:"),
        Case(testDescription: "blanks around it", pins: "\" \(digest) \"", code: 3, says: "sha256"),
        Case(testDescription: "a number", pins: "12345", code: 3, says: "sha256"),
        Case(testDescription: "an empty text", pins: "\"\"", code: 3, says: "sha256"),
    ]

    @Test("A pin that does not fit is refused before anything runs", arguments: cases)
    func badPin(_ entry: Case) async throws {
        var site = try EchoSite()
        site.manifest.pins = entry.pins
        try site.command.write(manifest: site.manifest.text)
        let outcome = try await site.command.run("apply")
        #expect(outcome.code == entry.code, "\(outcome)")
        #expect((outcome.output + outcome.errors).contains(entry.says), "\(outcome)")
        #expect(site.files == [])
        #expect((outcome.output + outcome.errors).contains("next:"), "\(outcome)")
    }

    @Test(
        "A text that is no pin stops its connector only, is an error for validate, and the next step replaces it",
        arguments: ["upper case", "a line of sha256sum", "beside a good one", "twice", "of nothing"])
    func invalidPin(_ kind: String) async throws {
        var site = try EchoSite()
        let program = "\(site.command.plugins)/trstctl-connector-echo"
        let pin = try EchoManifest.digest(program)
        let (pins, cause) =
            switch kind {
            case "upper case": ("\"\(pin.uppercased())\"", "upper-case")
            case "a line of sha256sum": ("\"\(pin)  trstctl-connector-echo\"", "a whole line of sha256sum")
            case "twice": ("\"\(pin)\", \"\(pin)\"", "in the list already")
            case "of nothing":
                ("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "of an empty file")
            default: ("\"\(pin)\", \"x\"", "this has 1 characters")
            }
        // The same program under another name, so that there is a target of another connector.
        try HostileConnector.shared().install("healthy", in: site.command.plugins)
        let other = try EchoManifest.pin("\(site.command.plugins)/trstctl-connector-healthy")
        site.manifest.pins = pins
        let text = site.manifest.text
            .replacing("plugins:\n", with: "plugins:\n  healthy:\n    sha256: [\(other)]\n")
        try site.command.write(manifest: text)

        for words in [["plan"], ["apply"], ["apply", "--allow-unpinned", "echo"]] {
            let outcome = try await site.command.start(words + ["--json"]).outcome()
            #expect(outcome.code == 3, "\(outcome)")
            let run = try outcome.json(RunReport.self)
            let target = try #require(run.targets.first)
            #expect(target.outcome == .refused && target.code == "bad-pin", "\(outcome)")
            #expect(target.detail.contains("found: \(pin), the SHA-256 of \(program)"), "\(outcome)")
            let connector = try #require(run.connectors.first { $0.name == "echo" })
            #expect(connector.pin == "refused" && connector.sha256 == pin && connector.path == program)
            #expect(target.detail.contains(cause) && target.detail.contains("trstctl.yaml:6:"), "\(outcome)")
            #expect(target.detail.contains("trstctl plugin pin echo"), "\(outcome)")
            #expect(site.files == [])
        }
        let validated = try await site.command.run("manifest", "validate")
        #expect(validated.code == 2 && validated.output.contains(cause), "\(validated)")
        let verified = try await site.command.run("plugin", "verify", "echo", "--json")
        #expect(verified.code == 3, "\(verified)")
        let report = try #require(try verified.json([PluginReport].self).first)
        #expect(report.pin == .refused && report.code == "bad-pin" && report.sha256 == pin, "\(verified)")
        #expect(report.reason.contains("found: \(pin), "), "\(verified)")
        #expect(try await site.command.run("plugin", "verify", "healthy").code == 0)

        let pinned = try await site.command.run("plugin", "pin", "echo")
        #expect(pinned.code == 0 && pinned.output.contains(cause), "\(pinned)")
        let lines = try site.command.readManifest()
        #expect(lines == text.replacing("[\(pins)]", with: "[\"\(pin)\"]"))
        #expect(try await site.command.run("manifest", "validate").code == 0)
        #expect(try await site.command.run("apply").code == 0)
    }

    /// Adds a target `bad`, before the others, of the hostile connector under this name.
    private func addTarget(_ name: String, to site: EchoSite, pinnedAs pin: (String) -> String) throws {
        try HostileConnector.shared().install(name, in: site.command.plugins)
        let digest = try EchoManifest.digest("\(site.command.plugins)/trstctl-connector-\(name)")
        let text = site.manifest.text
            .replacing("plugins:\n", with: "plugins:\n  \(name): { sha256: [\(pin(digest))] }\n")
            .replacing("targets:\n", with: "targets:\n  bad: { connector: \(name), credential: www }\n")
        try site.command.write(manifest: text)
    }

    @Test("A connector with a pin that is none does not stop the targets of another")
    func othersOfInvalidPin() async throws {
        let site = try EchoSite()
        try addTarget("healthy", to: site) { "\"\($0.uppercased())\"" }
        let outcome = try await site.command.run("apply", "--json")
        #expect(outcome.code == 3, "\(outcome)")
        #expect(try outcome.json(RunReport.self).targets.map(\.outcome) == [.refused, .deployed])
        #expect(site.fingerprint("one") == site.credential.fingerprint)
    }

    @Test("One flipped byte of a connector is refused with both digests, and nothing is touched")
    func flippedByte() async throws {
        let site = try EchoSite()
        #expect(try await site.command.run("apply").code == 0)
        let renewed = try site.command.pki.issue("renewed.example.com")
        var manifest = site.manifest
        (manifest.certificate, manifest.key) = (renewed.fullchainPath, renewed.keyPath)
        try site.command.write(manifest: manifest.text)

        let path = "\(site.command.plugins)/trstctl-connector-echo"
        let pinned = try EchoManifest.digest(path)
        var content = try Data(contentsOf: URL(fileURLWithPath: path))
        content[content.count / 2] ^= 1
        try content.write(to: URL(fileURLWithPath: path))
        try #require(chmod(path, 0o755) == 0)
        let before = try FileStamp(site.live("one"))
        let outcome = try await site.command.run("apply", "--json")
        #expect(outcome.code == 3, "\(outcome)")
        let target = try #require(try outcome.json(RunReport.self).targets.first)
        #expect(target.outcome == .refused)
        #expect(target.detail.contains(pinned))
        #expect(target.detail.contains(try EchoManifest.digest(path)))
        #expect(target.detail.contains("trstctl plugin pin echo"))
        #expect(try FileStamp(site.live("one")) == before)
        // What was refused is named wherever the refusal is.
        let found = try EchoManifest.digest(path)
        let connector = try #require(try outcome.json(RunReport.self).connectors.first)
        #expect(connector.pin == "mismatch" && connector.sha256 == found && connector.path == path, "\(outcome)")
        let audit = try await site.command.run("audit", "--denied", "--json").json(AuditResult.self).records
        let refusal = try #require(audit.first { $0.event == .refusal })
        #expect(refusal.code == "digest-mismatch" && refusal.digest == found && refusal.object == path)

        let verified = try await site.command.run("plugin", "verify")
        #expect(verified.code == 3, "\(verified)")
    }

    @Test(
        "Files that cannot be a connector are refused with what is wrong",
        arguments: [
            "missing", "directory", "not executable", "writable by others", "empty", "text", "dangling link",
        ])
    func badFile(_ kind: String) async throws {
        let site = try EchoSite()
        let path = "\(site.command.plugins)/trstctl-connector-echo"
        switch kind {
        case "not executable": try #require(chmod(path, 0o644) == 0)
        case "writable by others": try #require(chmod(path, 0o777) == 0)
        default:
            try FileManager.default.removeItem(atPath: path)
            switch kind {
            case "directory": try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
            case "empty": try site.command.scratch.write("", to: "plugins/trstctl-connector-echo", mode: 0o755)
            case "text": try site.command.scratch.write("hello", to: "plugins/trstctl-connector-echo", mode: 0o755)
            case "dangling link":
                try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "/nonexistent")
            default: break
            }
        }
        let outcome = try await site.command.run("apply")
        #expect(outcome.code == 3, "\(outcome)")
        #expect(outcome.output.contains("echo"), "\(outcome)")
        #expect(site.files == [])
        #expect(try await site.command.run("plugin", "verify", "echo").code == 3)
        // Listing never fails: it is what one looks at when something else did.
        #expect(try await site.command.run("plugin", "list").code == 0)
    }

    @Test("A pinned file that is no program is refused at its start, with the reason")
    func pinnedText() async throws {
        var site = try EchoSite()
        let path = try site.command.scratch.write("hello", to: "plugins/trstctl-connector-echo", mode: 0o755)
        site.manifest.pins = try EchoManifest.pin(path)
        try site.command.write(manifest: site.manifest.text)
        let outcome = try await site.command.run("apply")
        #expect(outcome.code == 3, "\(outcome)")
        #expect(site.files == [])
        // As a start would.
        let verified = try await site.command.run("plugin", "verify")
        #expect(verified.code == 3 && verified.output.contains("cannot run: not an executable"), "\(verified)")
        let listed = try await site.command.run("plugin", "list", "--json").json([PluginReport].self)
        #expect(listed.map(\.code) == ["executable-format"] && listed.first?.path == path)
        let pinned = try await site.command.run("plugin", "pin", "echo")
        #expect(pinned.code == 3 && pinned.errors.contains("\n  file:     \(path)"), "\(pinned)")
    }

    @Test("A file that was rejected is named with what to do, and not where else to put it")
    func rejected() async throws {
        let site = try EchoSite()
        let path = "\(site.command.plugins)/trstctl-connector-echo"
        try #require(chmod(path, 0o777) == 0)
        try site.command.scratch.write("", to: "plugins/trstctl-connector-Bad", mode: 0o755)
        let outcome = try await site.command.run("plugin", "verify")
        #expect(outcome.output.contains("chmod go-w '\(path)'\n  next: do what stands behind"), "\(outcome)")
        let listed = try await site.command.run("plugin", "list", "--json").json([PluginReport].self)
        #expect(listed.map(\.code) == ["bad-name", "file-writable"] && listed.last?.path == path, "\(listed)")
    }

    @Test("One refused connector does not stop another's targets")
    func othersGoOn() async throws {
        let site = try EchoSite()
        try addTarget("junk", to: site) { "\"\($0)\"" }
        let outcome = try await site.command.run("apply", "--json")
        #expect(outcome.code == 3, "\(outcome)")
        let report = try outcome.json(RunReport.self)
        #expect(report.targets.map(\.outcome) == [.refused, .deployed])
        #expect(report.targets.first?.detail.contains("Hello, I am a connector!") == true)
        #expect(site.fingerprint("one") == site.credential.fingerprint)
    }
}
