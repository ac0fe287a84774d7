import Foundation
import Glibc
import Testing
import TrstctlHost
import TrstctlTestSupport

/// `--connector-config`, references in the manifest, and systemd credentials, with the built command.
@Suite("Secret fields on the command line", .ownThreads)
struct ConnectorConfigTests {
    private static let secret = "s3cr3t-t0ken-of-echo"

    private func site(_ token: String? = nil) throws -> EchoSite {
        var site = try EchoSite()
        site.manifest.targets[0].config["write_path"] = site.command.scratch.file("live/file")
        site.manifest.targets[0].config["write_secret"] = "token"
        if let token { site.manifest.targets[0].config["token"] = token }
        try site.command.write(manifest: site.manifest.text)
        try site.command.scratch.makeDirectory("creds", mode: 0o700)
        try site.command.scratch.write(Self.secret + "\n", to: "creds/token", mode: 0o600)
        return site
    }

    /// Runs apply under a shell, which sets variables and opens descriptors.
    private func run(_ site: EchoSite, _ shell: String) async throws -> TrstctlCommand.Outcome {
        let command = site.command
        let words = [
            try BuiltProduct.path("trstctl"), "--manifest", command.manifest, "--state-dir", command.state,
            "--plugin-dir", command.plugins, "apply", "--verbose", "--json",
        ]
        let script = shell.replacingOccurrences(of: "SCRATCH", with: command.scratch.path)
            .replacingOccurrences(of: "TRSTCTL", with: words.joined(separator: " "))
        return try await RunningCommand("/bin/sh", ["sh", "-c", script], home: command.scratch.path).outcome()
    }

    private func expectDeployed(
        _ site: EchoSite, _ outcome: TrstctlCommand.Outcome, _ location: SourceLocation = #_sourceLocation
    ) throws {
        #expect(outcome.code == 0, "\(outcome)", sourceLocation: location)
        let file = site.command.scratch.file("live/file")
        #expect(
            try String(contentsOfFile: file, encoding: .utf8) == "echo\n\(Self.secret)", sourceLocation: location)
        let traces = KeyTraces(text: Self.secret)
        #expect(traces.found(in: Data((outcome.output + outcome.errors).utf8)) == [], sourceLocation: location)
        #expect(
            traces.found(
                below: site.command.scratch.path, except: [file, site.command.scratch.file("creds")]) == [],
            sourceLocation: location)
    }

    @Test(
        "Each kind of reference on the command line",
        arguments: [
            "TRSTCTL --connector-config one.token=file:SCRATCH/creds/token",
            "TRSTCTL --connector-config echo.token=file:SCRATCH/creds/token",
            "TOKEN=\(secret) TRSTCTL --connector-config one.token=env:TOKEN",
            "TRSTCTL --connector-config one.token=fd:7 7< SCRATCH/creds/token",
            "cat SCRATCH/creds/token | TRSTCTL --connector-config one.token=fd:0",
            "TRSTCTL --connector-config 'one.token=cmd:/bin/cat SCRATCH/creds/token'",
            "CREDENTIALS_DIRECTORY=SCRATCH/creds TRSTCTL --connector-config one.token=credential:token",
            "TRSTCTL --connector-config echo.token=file:/nowhere --connector-config one.token=file:SCRATCH/creds/token",
        ])
    func references(_ shell: String) async throws {
        let site = try site()
        try expectDeployed(site, try await run(site, shell))
    }

    @Test(
        "Each kind of reference in the manifest",
        arguments: [
            "{ file: creds/token }", "{ env: TOKEN }", "{ cmd: [/bin/cat, SCRATCH/creds/token] }",
            "{ credential: token }",
        ])
    func manifest(_ reference: String) async throws {
        let empty = try site()
        let site = try site(reference.replacingOccurrences(of: "SCRATCH", with: empty.command.scratch.path))
        try expectDeployed(
            site, try await run(site, "TOKEN=\(Self.secret) CREDENTIALS_DIRECTORY=SCRATCH/creds TRSTCTL"))
        // The connector is asked what it needs without anybody opening the secret.
        #expect(try await site.command.run("plugin", "pin", "echo").code == 0)
    }

    @Test("The command line beats the manifest")
    func precedence() async throws {
        let site = try site("{ file: /nowhere/at/all }")
        try expectDeployed(
            site, try await run(site, "TRSTCTL --connector-config one.token=file:SCRATCH/creds/token"))
    }

    @Test("A literal secret fails its target and is not shown; a wrong name ends the run before anything starts")
    func refusals() async throws {
        let site = try site()
        let literal = try await run(site, "TRSTCTL --connector-config one.token=\(Self.secret)")
        #expect(literal.code == 1, "\(literal)")
        let report = try #require(try literal.json(RunReport.self).targets.first)
        #expect(report.stage == .configuration && report.detail.contains("must not stand on the command line"))
        let unknown = try await run(site, "TRSTCTL --connector-config onee.token=\(Self.secret)")
        #expect(unknown.code == 2 && (unknown.output + unknown.errors).contains("did you mean \"one\""), "\(unknown)")
        for outcome in [literal, unknown] {
            #expect(KeyTraces(text: Self.secret).found(in: Data((outcome.output + outcome.errors).utf8)) == [])
        }
        #expect(site.files == [])
    }

    @Test("A value of another field is set for one run")
    func value() async throws {
        let site = try site("{ file: creds/token }")
        let outcome = try await run(site, "TRSTCTL --connector-config 'one.write_text=hello '")
        #expect(outcome.code == 0, "\(outcome)")
        #expect(
            try String(contentsOfFile: site.command.scratch.file("live/file"), encoding: .utf8)
                == "hello \(Self.secret)")
    }
}
