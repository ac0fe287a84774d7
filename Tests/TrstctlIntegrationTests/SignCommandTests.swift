import Foundation
import Glibc
import Testing
import TrstctlHost
import TrstctlSystem
import TrstctlTestSupport

/// An echo connector whose maker signs it, and an operator who asks for that signature.
struct SignedSite {
    var site: EchoSite
    let connector: String

    init() throws {
        site = try EchoSite()
        connector = "\(site.command.plugins)/trstctl-connector-echo"
        for (name, algorithm) in [("ec", ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]), ("ed", ["ed25519"])] {
            try openssl(["genpkey", "-algorithm"] + algorithm + ["-out", key(name)])
            try openssl(["pkey", "-in", key(name), "-pubout", "-out", key(name) + ".pub"])
        }
    }

    /// A private key; the public one lies beside it as `.pub`.
    func key(_ name: String) -> String { site.command.scratch.file("\(name).pem") }

    func openssl(_ words: [String]) throws { try tool("openssl", words) }

    func tool(_ name: String, _ words: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/\(name)")
        process.arguments = words
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "\(name) \(words): apt-get install -y \(name)")
    }

    /// Asks for a signature with one of these keys.
    func demand(_ keys: [String], policy: String = "required", more: String = "", pins: String? = nil) throws {
        let rules = keys.map { "{ id: \($0), file: \(key($0)).pub }" }.joined(separator: ", ")
        let text = site.manifest.text.replacing(
            "    grants:\n",
            with: "    signature: { policy: \(policy), keys: [\(rules)]\(more) }\n    grants:\n")
        try site.command.write(manifest: text)
    }

    func sign(_ words: String...) async throws -> TrstctlCommand.Outcome {
        try await site.command.start(["plugin", "sign"] + words).outcome()
    }
}

/// `plugin sign`, and what a host makes of its signatures and of those of other tools.
@Suite("Signing from the command line", .ownThreads)
struct SignCommandTests {
    @Test(
        "What an author signs is pinned, verified and run by an operator who requires the signature",
        arguments: [("ec", false), ("ec", true), ("ed", false)])
    func signPinApply(_ name: String, _ isBundle: Bool) async throws {
        let signed = try SignedSite()
        try signed.demand([name])
        let unsigned = try await signed.site.command.run("apply")
        #expect(unsigned.code == 3, "\(unsigned)")
        #expect(unsigned.output.contains("has no signature"), "\(unsigned)")
        #expect(signed.site.files == [])

        let words = ["--key", signed.key(name), signed.connector] + (isBundle ? ["--bundle"] : [])
        let outcome = try await signed.site.command.start(["plugin", "sign", "--json"] + words).outcome()
        #expect(outcome.code == 0, "\(outcome)")
        let report = try outcome.json(SignReport.self)
        #expect(report.signature == signed.connector + (isBundle ? ".sigstore.json" : ".sig"))
        #expect(report.warnings == [])
        #expect(try report.sha256 == EchoManifest.digest(signed.connector))
        #expect(try report.publicKey == String(contentsOfFile: signed.key(name) + ".pub", encoding: .utf8))

        #expect(try await signed.site.command.run("plugin", "pin", "echo").code == 0)
        let verified = try await signed.site.command.run("plugin", "list", "--json")
        #expect(try verified.json([PluginReport].self).map(\.signature) == ["valid (\(name))"])
        let applied = try await signed.site.command.run("apply")
        #expect(applied.code == 0, "\(applied)")
        #expect(signed.site.fingerprint("one") == signed.site.credential.fingerprint)
    }

    @Test("What openssl and minisign sign runs as well")
    func otherTools() async throws {
        let signed = try SignedSite()
        let (file, minisign) = (signed.connector, signed.site.command.scratch.file("minisign"))
        try signed.demand(["ed"])
        try signed.openssl([
            "pkeyutl", "-sign", "-inkey", signed.key("ed"), "-rawin", "-in", file, "-out", "\(file).sig",
        ])
        #expect(try await signed.site.command.run("plugin", "verify").code == 0)
        try FileManager.default.removeItem(atPath: "\(file).sig")
        try signed.tool("minisign", ["-G", "-W", "-p", signed.key("mini") + ".pub", "-s", minisign])
        try signed.tool("minisign", ["-S", "-s", minisign, "-m", file, "-t", "name:echo"])
        try signed.demand(["mini"])
        let outcome = try await signed.site.command.run("apply")
        #expect(outcome.code == 0, "\(outcome)")
        // S15: signed for another name.
        try signed.tool("minisign", ["-S", "-s", minisign, "-m", file, "-t", "name:nginx"])
        let other = try await signed.site.command.run("apply")
        #expect(other.code == 3, "\(other)")
        #expect(other.output.contains("is not for the connector echo"), "\(other)")
    }

    @Test("S05: a good signature does not help bytes that are not pinned")
    func pinAppliesAlways() async throws {
        var signed = try SignedSite()
        #expect(try await signed.sign("--key", signed.key("ec"), signed.connector).code == 0)
        let other = String(repeating: "ab", count: 32)
        signed.site.manifest.pins = "\"\(other)\""
        try signed.demand(["ec"])
        let outcome = try await signed.site.command.run("apply")
        #expect(outcome.code == 3, "\(outcome)")
        #expect(outcome.output.contains("is not the one that was pinned"), "\(outcome)")
        #expect(outcome.output.contains(other), "\(outcome)")
        #expect(signed.site.files == [])
    }

    @Test("S15: another connector's signature does not count under this name")
    func swapped() async throws {
        let signed = try SignedSite()
        let other = try signed.site.command.scratch.write(Data("another connector".utf8), to: "other", mode: 0o755)
        #expect(try await signed.sign("--key", signed.key("ec"), other).code == 0)
        try FileManager.default.moveItem(atPath: other + ".sig", toPath: signed.connector + ".sig")
        for policy in ["required", "if-present"] {
            try signed.demand(["ec"], policy: policy)
            let outcome = try await signed.site.command.run("apply")
            #expect(outcome.code == 3, "\(outcome)")
            #expect(outcome.output.contains("\(signed.connector).sig: the signature is not one of these bytes"))
        }
        #expect(signed.site.files == [])
    }

    @Test(
        "S14: a signature that is huge, a FIFO, a link or a directory refuses the connector, and nothing waits",
        arguments: ["huge", "fifo", "link", "directory"])
    func oddFiles(_ kind: String) async throws {
        let signed = try SignedSite()
        let place = signed.connector + ".sig"
        switch kind {
        case "huge":
            try #require(FileManager.default.createFile(atPath: place, contents: nil))
            try #require(truncate(place, 1 << 30) == 0)
        case "fifo": try #require(mkfifo(place, 0o644) == 0)
        case "link":
            #expect(try await signed.sign("--key", signed.key("ec"), signed.connector).code == 0)
            try FileManager.default.moveItem(atPath: place, toPath: signed.connector + ".real")
            try FileManager.default.createSymbolicLink(atPath: place, withDestinationPath: signed.connector + ".real")
        default: try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: false)
        }
        // A good one in another form is not tried instead.
        #expect(try await signed.sign("--bundle", "--key", signed.key("ec"), signed.connector).code == 0)
        try signed.demand(["ec"], policy: "if-present")
        let outcome = try await signed.site.command.run("apply")
        #expect(outcome.code == 3, "\(outcome)")
        #expect(
            outcome.output.contains(kind == "huge" ? "a signature has at most" : "regular file")
                || outcome.output.contains("symbolic link"), "\(outcome)")
        #expect(signed.site.files == [])
    }

    @Test("Of several signatures the first that exists counts, whatever it is worth, unless the manifest names another")
    func severalFiles() async throws {
        let signed = try SignedSite()
        #expect(try await signed.sign("--bundle", "--key", signed.key("ec"), signed.connector).code == 0)
        let second = try await signed.sign("--key", signed.key("ed"), signed.connector)
        #expect(second.output.contains(".sigstore.json is there too, and hosts do not look at it"), "\(second)")
        let third = try await signed.sign("--bundle", "--key", signed.key("ec"), signed.connector)
        #expect(third.output.contains(".sig is there too, and hosts look at it first"), "\(third)")

        try signed.demand(["ed"])
        let first = try await signed.site.command.run("plugin", "list", "--json")
        let report = try #require(try first.json([PluginReport].self).first)
        #expect(report.signature == "valid (ed)")
        #expect(report.warnings.contains { $0.contains("only \(signed.connector).sig was looked at") }, "\(report)")

        let verified = try await signed.site.command.run("plugin", "verify")
        #expect(verified.code == 0, "\(verified)")
        #expect(verified.output.contains("\n  warning: only \(signed.connector).sig was looked at"), "\(verified)")

        // The bundle would verify; it is not tried.
        try signed.demand(["ec"])
        let refused = try await signed.site.command.run("apply")
        #expect(refused.code == 3, "\(refused)")
        #expect(refused.output.contains("\(signed.connector).sigstore.json was not looked at"), "\(refused)")

        // The way to move from one form to the other.
        try signed.demand(["ec"], more: ", file: \(signed.connector).sigstore.json")
        let named = try await signed.site.command.run("apply")
        #expect(named.code == 0, "\(named)")
    }

    @Test("A key that others can read is refused, unless it comes through standard input")
    func openKey() async throws {
        let signed = try SignedSite()
        for mode: mode_t in [0o644, 0o640, 0o604, 0o660] {
            try #require(chmod(signed.key("ec"), mode) == 0)
            let outcome = try await signed.sign("--key", signed.key("ec"), signed.connector)
            #expect(outcome.code == 2, "\(outcome)")
            #expect(outcome.errors.contains("chmod 600 \(signed.key("ec"))"), "\(outcome)")
        }
        #expect(access(signed.connector + ".sig", F_OK) != 0)
        let program = try BuiltProduct.path("trstctl")
        let pipe = "exec '\(program)' plugin sign --key - '\(signed.connector)' < '\(signed.key("ec"))'"
        let piped = try await RunningCommand(
            "/bin/sh", ["sh", "-c", pipe], home: signed.site.command.scratch.path
        ).outcome()
        #expect(piped.code == 0, "\(piped)")
        try signed.demand(["ec"])
        #expect(try await signed.site.command.run("plugin", "verify").code == 0)
    }

    @Test("A key that cannot sign says why, and nothing is written")
    func unusableKeys() async throws {
        let signed = try SignedSite()
        let encrypted = signed.key("encrypted")
        try signed.openssl(["pkcs8", "-topk8", "-in", signed.key("ec"), "-passout", "pass:secret", "-out", encrypted])
        let rsa = signed.key("rsa")
        try signed.openssl(["genpkey", "-algorithm", "RSA", "-out", rsa])
        let file = signed.connector
        for (words, says) in [
            (["--key", encrypted, file], "openssl pkey -in KEY | trstctl plugin sign --key - FILE"),
            (["--key", rsa, file], "only P-256 and Ed25519 keys"),
            (["--key", signed.key("ec") + ".pub", file], "is open to others"),
            (["--key", signed.key("nowhere"), file], "No such file"),
            (["--key", signed.site.command.plugins, file], "neither a file nor a pipe"),
            (["--key", signed.key("ed"), "--bundle", file], "needs a P-256 key"),
            (["--key", signed.key("ec"), signed.site.command.plugins], "is not a regular file"),
            (["--key", signed.key("ec"), file + "-not"], "No such file"),
            (["--key", "/dev/null", file], "neither a file nor a pipe"),
            (["--key=-----BEGIN PRIVATE KEY-----x", file], "is a private key"),
            ([file], "--key"),
        ] {
            let outcome = try await signed.site.command.start(["plugin", "sign"] + words).outcome()
            #expect(outcome.code == 2, "\(words): \(outcome)")
            #expect(outcome.errors.contains(says), "\(words): \(outcome)")
            #expect(!outcome.errors.contains("BEGIN"), "\(outcome)")
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: signed.site.command.plugins).count == 1)
    }

    @Test("An existing signature is replaced; what is no regular file in its place is not")
    func replacing() async throws {
        let signed = try SignedSite()
        let place = signed.connector + ".sig"
        for name in ["ec", "ed"] {
            #expect(try await signed.sign("--key", signed.key(name), signed.connector).code == 0)
        }
        try signed.demand(["ed"])
        #expect(try await signed.site.command.run("plugin", "verify").code == 0)
        let victim = try signed.site.command.scratch.write("untouched", to: "victim")
        try FileManager.default.removeItem(atPath: place)
        try FileManager.default.createSymbolicLink(atPath: place, withDestinationPath: victim)
        let outcome = try await signed.sign("--key", signed.key("ed"), signed.connector)
        #expect(outcome.code == 2, "\(outcome)")
        #expect(try String(contentsOfFile: victim, encoding: .utf8) == "untouched")
        #expect(try FileManager.default.contentsOfDirectory(atPath: signed.site.command.plugins).count == 2)
    }
}
