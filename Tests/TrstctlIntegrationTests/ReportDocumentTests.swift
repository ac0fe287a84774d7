import Foundation
import Glibc
import Testing
import TrstctlTestSupport

/// `spec/reports.md` says what `--json` prints.
@Suite("The document of the reports", .ownThreads)
struct ReportDocumentTests {
    @Test("Every command's report is what the document says, and the document says nothing else")
    func reports() async throws {
        var document = try ReportDocument()
        let signed = try SignedSite()
        var site = signed.site
        // A deployment that is killed in the middle leaves something to recover.
        site.manifest.targets += [
            .init("failing", ["state_path": site.live("failing"), "fail": "unavailable"]),
            .init("denied", ["state_path": site.live("denied"), "write_path": site.live("hard")]),
            .init("hanging", ["write_path": site.live("other"), "run": "[/bin/sleep, \"600\"]"]),
        ]
        // A second name: the granted file is one that no grant reaches.
        try site.command.scratch.write("hard", to: "live/hard")
        try #require(link(site.live("hard"), site.command.scratch.file("elsewhere")) == 0)
        site.manifest.grants.append("process.exec: [[/bin/sleep, \"600\"]]")
        try site.command.write(manifest: site.manifest.text)
        let key = signed.key("ec")
        let run = try site.command.start(["apply", "hanging"])
        try #require(await ProcessList.settles { !ProcessList.running(in: "/bin/sleep", of: run.processID).isEmpty })
        kill(run.processID, SIGKILL)
        _ = await run.outcome()

        let commands: [(words: [String], name: String, code: Int32)] = [
            (["plan", "one"], "plan", 0), (["recover"], "recover", 0),
            (["apply", "one", "failing", "denied"], "apply", 1), (["audit"], "audit", 0), (["doctor"], "doctor", 0),
            (["plugin", "list", "--run"], "plugin list", 0), (["plugin", "verify"], "plugin verify", 0),
            (["plugin", "inspect", "echo"], "plugin inspect", 0), (["plugin", "pin", "echo"], "plugin pin", 0),
            (["plugin", "sign", "--key", key, signed.connector], "plugin sign", 0), (["version"], "version", 0),
            (["manifest", "validate"], "manifest validate", 0), (["apply", "nobody"], "error", 2),
            (["apply", "--wrong"], "error", 2),
        ]
        #expect(Set(commands.map(\.name)) == Set(document.results.keys))
        for (words, name, code) in commands {
            let outcome = try await site.command.start(words + ["--json"]).outcome()
            #expect(outcome.code == code, "\(words) \(outcome)")
            let differences = document.differences(name, try outcome.json(JSONValue.self))
            #expect(differences == [], "\(outcome)")
            if name == "plugin inspect" {
                // From here on with something to find.
                site.manifest.grants.append("net.dial: [\"unix:/var/run/docker.sock\"]")
                try site.command.write(manifest: site.manifest.text)
            }
        }
        #expect(document.missing == [])
    }
}
