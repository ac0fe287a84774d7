import Foundation
import Testing
import TrstctlSystem
import TrstctlTestSupport

@Suite("What errors suggest to type can be typed")
struct NextCommandTests {
    /// The command line behind a word of a text, for bash, with the built program's path for its name.
    private func suggestion(behind word: String, in text: String, endingAt end: String = "\n") throws -> String {
        let start = try #require(text.firstRange(of: word), "\(text)").upperBound
        let rest = text[start...].drop { $0 == " " }
        let line = rest[..<(rest.firstRange(of: end)?.lowerBound ?? rest.endIndex)]
        try #require(line.hasPrefix("trstctl "), "\(text)")
        return "'" + (try BuiltProduct.path("trstctl")) + "'" + line.dropFirst("trstctl".count)
    }

    private func paste(_ line: String, _ site: EchoSite) async throws -> TrstctlCommand.Outcome {
        try await RunningCommand("/bin/bash", ["bash", "-c", line], home: site.command.scratch.path).outcome()
    }

    /// A site whose manifest, state and connectors are found by options only, in places that a shell would take apart.
    private func awkward() throws -> (site: EchoSite, options: [String]) {
        let site = try EchoSite()
        let scratch = site.command.scratch
        let place = try scratch.makeDirectory("it's $HOME; \u{202E}*", mode: 0o700)
        try FileManager.default.createDirectory(atPath: "\(place)/plug ins", withIntermediateDirectories: false)
        try BuiltProduct.install("echo", in: "\(place)/plug ins")
        let manifest = "\(place)/-the \"manifest\".yaml"
        try Data(site.manifest.text.utf8).write(to: URL(fileURLWithPath: manifest))
        try #require(chmod(manifest, 0o600) == 0)
        return (
            site, ["--manifest", manifest, "--state-dir", "\(place)/state\tdir", "--plugin-dir", "\(place)/plug ins"]
        )
    }

    private func run(_ words: [String], _ site: EchoSite) async throws -> TrstctlCommand.Outcome {
        let path = try BuiltProduct.path("trstctl")
        return try await RunningCommand(path, [path] + words, home: site.command.scratch.path).outcome()
    }

    @Test("The pin that a refusal suggests is written into the manifest that was used, for the file that was found")
    func pin() async throws {
        let (site, options) = try awkward()
        let path = "\(options[5])/trstctl-connector-echo"
        var content = try Data(contentsOf: URL(fileURLWithPath: path))
        content.append(0)
        try content.write(to: URL(fileURLWithPath: path))
        try #require(chmod(path, 0o755) == 0)

        let refused = try await run(options + ["apply"], site)
        #expect(refused.code == 3, "\(refused)")
        let line = try suggestion(behind: "next: ", in: refused.output, endingAt: ", if ")
        let pinned = try await paste(line, site)
        #expect(pinned.code == 0 && pinned.output.contains("pinned echo"), "\(line)\n\(pinned)")
        #expect(try await run(["apply"] + options, site).code == 0)
        #expect(site.fingerprint("one") == site.credential.fingerprint)
    }

    @Test("Options before and behind the command's name, and relative ones, are in what is suggested")
    func options() async throws {
        let site = try EchoSite()
        let command = site.command
        let outcome = try await command.run("plugin", "verify", "Echo", "--allow-unpinned=echo", "--plugin-dir", "x y")
        #expect(outcome.code == 2, "\(outcome)")
        let words =
            "--manifest \(command.manifest) --state-dir \(command.state) --plugin-dir \(command.plugins) "
            + "--plugin-dir 'x y' --allow-unpinned echo"
        #expect(outcome.errors.contains("next: trstctl plugin list \(words) shows what there is"), "\(outcome)")
        let asJSON = try await command.run("plugin", "verify", "Echo", "--json", "-v")
        #expect(!asJSON.errors.contains("--json") && !asJSON.errors.contains("-v "), "\(asJSON)")
    }

    @Test("A pin that is suggested needs no override")
    func overrides() async throws {
        let site = try EchoSite()
        let outcome = try await site.command.run("plan", "--allow-unpinned", "echo")
        #expect(outcome.code == 0 && outcome.errors.contains("trstctl plugin pin echo --manifest"), "\(outcome)")
        #expect(!outcome.errors.contains("--plugin-dir \(site.command.plugins) --allow-unpinned"), "\(outcome)")
    }

    @Test("Without options the suggestion has none")
    func bare() {
        #expect(NextCommand.line(["plugin", "pin", "echo"], options: []) == "trstctl plugin pin echo")
        #expect(NextCommand.trstctl("recover") == "trstctl recover")
    }

    @Test("A shell gets back each word, and nothing in the line can move a cursor or hide something")
    func quoting() async throws {
        let words = [
            "", "a b", "it's", "$HOME", "`id`", "*", "~", "#", "\\", "a\nb", "\u{1B}[2J", "\u{7F}1", "\u{202E}x'y\\",
            "ü", "€\t", "-x", "a=b", "!!", "\u{E000}",
            // A quote and a mark upon it are one `Character`, and still a quote to a shell.
            "'\u{301};echo x;'", "a'\u{200D}b", "$\u{301}(id)", "\r\n",
        ]
        let line = NextCommand.line([], options: words)
        #expect(!line.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F || $0.value == 0x202E })
        let scratch = try ScratchDirectory()
        let printed = line.replacing("trstctl", with: #"printf '%s\0'"#, maxReplacements: 1)
        let outcome = try await RunningCommand("/bin/bash", ["bash", "-c", printed], home: scratch.path).outcome()
        #expect(outcome.code == 0 && outcome.output == words.map { $0 + "\0" }.joined(), "\(outcome)")
    }
}
