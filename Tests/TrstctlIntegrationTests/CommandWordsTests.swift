import Foundation
import Testing
import TrstctlTestSupport

/// What the command line says about its own words: the help that was asked for, and no secret that was pasted.
@Suite("Words of the command line", .ownThreads)
struct CommandWordsTests {
    @Test(
        "A key that was pasted into the command line is refused wherever it stands, and no error repeats it",
        arguments: ["ec", "rsa"])
    func pastedKey(_ kind: String) async throws {
        let signed = try SignedSite()
        let file = signed.connector
        let path = signed.site.command.scratch.file("pasted.pem")
        try signed.openssl(
            ["genpkey", "-algorithm", kind == "ec" ? "EC" : "RSA", "-out", path]
                + (kind == "ec" ? ["-pkeyopt", "ec_paramgen_curve:P-256"] : []))
        let key = try String(contentsOfFile: path, encoding: .utf8)
        let lines = key.split(separator: "\n")
        let body = lines.dropFirst().dropLast().joined(separator: "\n")
        for text in [key, body, "-----BEGIN \(body)"] {
            for words in [
                ["plugin", "sign", "--key", text, file], ["plugin", "sign", "--key=\(text)", file],
                ["plugin", "sign", "--key", signed.key("ec"), "--", file, text],
                ["plugin", "sign", "--key", signed.key("ec"), file, text],
                ["plugin", "sign", "--keys", text, file], ["plugin", "sign", text],
                [text], ["apply", "--parallel", text], ["apply", "--parallel=\(text)"],
            ] {
                let outcome = try await signed.site.command.start(words).outcome()
                #expect(outcome.code == 2, "\(outcome)")
                let said = outcome.output + outcome.errors
                #expect(lines.allSatisfy { !said.contains($0) }, "\(words.prefix(3)) \(outcome)")
                #expect(said.contains("rror: "), "\(outcome)")
            }
        }
        for words in [["plan", "--", key], ["plugin", "pin", "--", key], ["plan", "--manifest", key]] {
            let outcome = try await signed.site.command.start(words).outcome()
            #expect(outcome.code == 2 && outcome.errors.contains("is a private key"), "\(outcome)")
            #expect(lines.allSatisfy { !outcome.errors.contains($0) }, "\(outcome)")
        }
    }

    @Test(
        "A secret that stands where a reference should is not repeated by any error",
        arguments: [
            ["--connector-config", "one.token=SECRET"], ["--connector-config", "one.tokem=SECRET"],
            ["--connector-config", "nobody.token=SECRET"], ["--connector-config", "one=SECRET"],
            ["--connector-config", "=SECRET"], ["--connector-config", "one.token=fd:SECRET"],
            ["--connector-cfg=one.token=SECRET"], ["--connector-config", "---SECRET"],
            ["--connector-config", "one.token=---SECRET", "--parallel"],
        ])
    func literalSecret(_ words: [String]) async throws {
        let site = try EchoSite()
        let secret = "s3cr3t-t0ken-of-echo"
        let outcome = try await site.command.start(["apply"] + words.map { $0.replacing("SECRET", with: secret) })
            .outcome()
        #expect(outcome.code != 0, "\(outcome)")
        #expect(!(outcome.output + outcome.errors).contains(secret), "\(outcome)")
        #expect(site.files == [])
    }

    @Test(
        "With --json what the parser refuses is an object on stdout too, and before the words are understood",
        arguments: [
            (["deploy", "--json"], "deploy"), (["--json", "apply", "--wrong"], "--wrong"),
            (["apply", "--parallel", "0", "--json"], "1 to 1024"), (["apply", "--json=yes", "--json"], "--json"),
            (["plan", "--json", "-----BEGIN PRIVATE KEY-----"], "is a private key"),
        ])
    func json(_ words: [String], _ says: String) async throws {
        let command = try TrstctlCommand()
        let outcome = try await command.start(words).outcome()
        let object = try outcome.json([String: String].self)
        #expect(outcome.code == 2 && object["code"] == "usage" && object["reason"] == "usage", "\(outcome)")
        #expect(object["error"]?.contains(says) == true && outcome.errors.contains(says), "\(outcome)")
        #expect(outcome.errors.contains("rror: ") && !outcome.errors.contains("error: Error: "), "\(outcome)")
        // Behind the terminator it is the name of a target.
        let plain = try await command.start(words.filter { $0 != "--json" } + ["--", "--json"]).outcome()
        #expect(plain.code == 2 && plain.output.isEmpty, "\(plain)")
    }

    @Test(
        "Help is that of the command for which it was asked",
        arguments: [
            ([], "Brings a renewed TLS credential"), (["--help"], "Brings a renewed TLS credential"),
            (["help"], "Brings a renewed TLS credential"), (["plan", "--help"], "Show what an apply would change"),
            (["help", "plan"], "Show what an apply would change"), (["plugin"], "Look at connectors"),
            (["plugin", "--help"], "Look at connectors"), (["plugin", "pin", "-h"], "Write a connector's SHA-256"),
            (["help", "plugin", "pin"], "Write a connector's SHA-256"), (["manifest"], "Check the manifest"),
            (["--version"], "0.1.0"),
        ])
    func help(_ words: [String], _ says: String) async throws {
        let command = try TrstctlCommand()
        let path = try BuiltProduct.path("trstctl")
        let outcome = try await RunningCommand(path, [path] + words, home: command.scratch.path).outcome()
        #expect(outcome.code == 0 && outcome.errors.isEmpty, "\(outcome)")
        #expect(outcome.output.contains(says), "\(outcome)")
        #expect(!outcome.output.contains("Show subcommand help information.\n\nUSAGE"), "\(outcome)")
    }
}
