import Foundation
import Testing
import TrstctlPolicy
import TrstctlSystem
import TrstctlTestSupport
import TrstctlWire

@testable import TrstctlHost

/// Fields of a configuration: what the connector is told, and what it is not.
@Suite("Secret fields and the command line")
struct SecretFieldTests {
    private let scratch: ScratchDirectory
    private let secret: String
    private static let schema = [
        Wire.ConfigField(name: "token", required: true, secret: true, help: "The token."),
        Wire.ConfigField(name: "password", secret: true),
        Wire.ConfigField(name: "host"), Wire.ConfigField(name: "port", type: .integer),
        Wire.ConfigField(name: "verify", type: .boolean), Wire.ConfigField(name: "words", type: .stringList),
        Wire.ConfigField(name: "ca", type: .path),
    ]

    init() throws {
        scratch = try ScratchDirectory()
        secret = try scratch.write("s3cr3t-value\n", to: "token", mode: 0o600)
    }

    private func manifest(_ config: String = "{}") throws -> Manifest {
        try ManifestParser.parse(
            Array(
                """
                version: 1
                credentials:
                  www: { certificate: /c, key: /k }
                targets:
                  edge: { connector: f5, credential: www, config: \(config) }
                  f5: { connector: iis, credential: www }
                  other.name: { connector: f5, credential: www }

                """.utf8), directory: AbsolutePath(scratch.path), file: "trstctl.yaml")
    }

    private func resolve(
        _ config: String = "{}", _ settings: [String] = [], isAsking: Bool = false,
        schema: [Wire.ConfigField] = SecretFieldTests.schema
    ) throws -> ResolvedConfig {
        let manifest = try manifest(config)
        let target = try #require(manifest.targets.first)
        return try ConfigResolution.resolve(
            target, schema: schema, directory: AbsolutePath(scratch.path),
            input: isAsking ? nil : ConfigInput(overrides: ConfigOverrides(settings, manifest)))
    }

    private func refusal(
        _ config: String = "{}", _ settings: [String] = [], schema: [Wire.ConfigField] = SecretFieldTests.schema
    ) -> String {
        do {
            _ = try resolve(config, settings, schema: schema)
            return "nothing was refused"
        } catch {
            let text = "\(error)"
            #expect(!text.contains("hunter2"), "\(text)")
            return text
        }
    }

    @Test("A secret field is named, its value stays with the host, from the manifest and from the command line")
    func byReference() throws {
        for (config, settings) in [
            ("{ token: { file: token } }", []), ("{ token: { file: \(secret) } }", []),
            ("{ token: { cmd: [/bin/cat, \(secret)] } }", []), ("{}", ["edge.token=file:\(secret)"]),
            ("{}", ["f5.token=cmd:/bin/cat \(secret)"]).self,
        ] as [(String, [String])] {
            // The name f5 is a target here, so the connector is meant by it only where no target has it.
            let names = settings.map { $0.replacingOccurrences(of: "f5.", with: "edge.") }
            let resolved = try resolve(config, names)
            #expect(resolved.entries.isEmpty)
            #expect(resolved.secretNames == ["token"])
            #expect(resolved.secrets.map(\.name) == ["token"])
            #expect(resolved.secrets.first?.bytes.text == "s3cr3t-value")
            #expect(resolved.secrets.first?.bytes.isSecret == true)
        }
    }

    @Test("A literal secret is refused in the manifest and on the command line, and is not shown")
    func literals() {
        #expect(refusal("{ token: hunter2 }").contains("must not stand in the manifest"))
        #expect(refusal("{ token: \"file:hunter2\" }").contains("{ file: /run/secrets/token }"))
        #expect(refusal("{}", ["edge.token=hunter2"]).contains("must not stand on the command line"))
        #expect(refusal("{}", ["edge.token=value:env:hunter2"]).contains("must not stand on the command line"))
        #expect(refusal("{ token: { file: token } }", ["edge.token=hunter2"]).contains("command line"))
    }

    @Test("A required secret that is nowhere is missing, with what to type; an optional one is just not named")
    func missing() throws {
        #expect(refusal().contains("--connector-config TARGET.token=file:PATH"))
        #expect(try resolve("{ token: { file: token } }").secretNames == ["token"])
        #expect(refusal("{ token: { file: nowhere } }").contains("No such file"))
    }

    @Test("A connector that is only asked hears which secrets there will be, and none is fetched")
    func asking() throws {
        let resolved = try resolve("{ password: { file: /nowhere/at/all } }", isAsking: true)
        #expect(resolved.secretNames == ["token", "password"])
        #expect(resolved.secrets.isEmpty)
    }

    @Test("Other fields are set by value too, typed by the schema; the command line beats the manifest")
    func values() throws {
        let resolved = try resolve(
            "{ token: { file: token }, host: old, port: 1 }",
            ["edge.host=new", "edge.port=443", "edge.verify=true", "edge.ca=ca.pem", "edge.password=file:\(secret)"])
        let values = Dictionary(uniqueKeysWithValues: resolved.entries.map { ($0.name, $0.value?.kind) })
        #expect(values["host"] == .text("new") && values["port"] == .integer(443))
        #expect(values["verify"] == .boolean(true) && values["ca"] == .text(scratch.file("ca.pem")))
        #expect(values["password"] == nil && resolved.secretNames == ["token", "password"])
        let literal = try resolve("{ token: { file: token } }", ["edge.host=value:env:X"])
        #expect(literal.entries.first?.value?.kind == .text("env:X"))
        for setting in ["edge.port=hunter2", "edge.port=01", "edge.verify=yes", "edge.words=a"] {
            #expect(refusal("{ token: { file: token } }", [setting]).contains("must be"), "\(setting)")
        }
    }

    @Test(
        "What stands behind a reference is fetched only for a field that this build keeps as a secret",
        arguments: [
            ("{ token: { file: token } }", []), ("{ token: { cmd: [/bin/sh, -c, touch fetched] } }", []),
            ("{}", ["edge.token=file:token"]), ("{ token: { file: token } }", ["edge.token=env:HOME"]),
            ("{ token: public }", ["edge.token=cmd:/usr/bin/touch fetched"]),
        ] as [(String, [String])])
    func noLongerKept(_ config: String, _ settings: [String]) throws {
        let marker = scratch.file("fetched")
        let texts = (
            config: config.replacing("fetched", with: marker),
            set: settings.map { $0.replacing("fetched", with: marker) }
        )
        let flipped = [Wire.ConfigField(name: "token", required: true, help: "The token.")]
        let text = refusal(texts.config, texts.set, schema: flipped)
        #expect(text.contains("connector f5 does not keep the field as a secret"), "\(text)")
        #expect(text.contains("If it did before, do not run this build"))
        #expect(text.contains("--connector-config edge.token=\"$VALUE\""))
        #expect(!text.contains("s3cr3t") && !text.contains("into the manifest"), "\(text)")
        #expect(!FileManager.default.fileExists(atPath: marker))
        // Also while it is only asked what it needs.
        if case .reference? = try manifest(config).targets.first?.config.first?.value {
            #expect(throws: ConfigError.self) { try resolve(config, isAsking: true, schema: flipped) }
        }
        // A public value is said as one.
        let open = try resolve("{ token: { file: token } }", ["edge.token=public"], schema: flipped)
        #expect(open.entries.first?.value?.kind == .text("public") && open.secrets.isEmpty)
    }

    @Test("A target's setting beats its connector's; a name that is both is the target")
    func precedence() throws {
        let manifest = try manifest()
        let overrides = try ConfigOverrides(["other.name.host=own", "iis.host=all", "iis.port=2"], manifest)
        #expect(overrides.settings(for: manifest.targets[2]).map(\.field) == ["host"])
        #expect(overrides.settings(for: manifest.targets[1]).map(\.field) == ["host", "port"])
        let both = try ConfigOverrides(["f5.host=target", "iis.host=connector"], manifest)
        #expect(both.settings(for: manifest.targets[1]).map(\.value) == [.text("target")])
        #expect(both.settings(for: manifest.targets[0]).isEmpty)
    }

    @Test(
        "What names nothing, or is no setting, is a usage error that does not show the value",
        arguments: [
            ("edeg.token=hunter2", "did you mean \"edge\""),
            ("nobody.token=hunter2", "it has: edge, f5, iis, other.name"),
            ("token=hunter2", "takes TARGET.FIELD=VALUE"), ("edge.token", "takes TARGET.FIELD=VALUE"),
            ("edge.=hunter2", "name of a field"), ("edge.token=fd:hunter2", "expected 0 or a number"),
            ("edge.token=env:hunter2=", "environment variable"),
        ])
    func badSettings(_ setting: String, _ says: String) throws {
        let error = #expect(throws: UsageError.self) { try ConfigOverrides([setting], try manifest()) }
        #expect(error?.description.contains(says) == true, "\(error as Any)")
        #expect(error?.description.contains("hunter2") == false, "\(error as Any)")
        #expect(error?.description.contains("\n  next: ") == true, "\(error as Any)")
        let twice = #expect(throws: UsageError.self) { try ConfigOverrides(["edge.a=1", "edge.a=2"], try manifest()) }
        #expect(twice?.description.contains("\n  next: ") == true)
    }

    @Test("An unknown field has a suggestion")
    func unknownField() {
        #expect(refusal("{ token: { file: token } }", ["edge.prot=1"]).contains("did you mean \"port\""))
        #expect(refusal("{ tokne: { file: token } }").contains("did you mean \"token\""))
    }

    @Test(
        "No secret field is called like a part of the credential",
        arguments: ["key", "certificate", "chain", "fullchain"])
    func reserved(_ name: String) {
        #expect(refusal(schema: [Wire.ConfigField(name: name, secret: true)]).contains("bug of the connector"))
        #expect(refusal(schema: [Wire.ConfigField(name: name)]) == "nothing was refused")
    }

    @Test(
        "A reference in the manifest has one known key",
        arguments: [
            "{ token: {} }", "{ token: { file: a, env: B } }", "{ token: { fd: 3 } }", "{ token: { path: a } }",
            "{ token: { file: a/ } }", "{ token: { env: 1 } }", "{ token: { cmd: pass } }",
            "{ token: { cmd: [pass] } }",
            "{ token: { cmd: [] } }", "{ token: { credential: ../x } }", "{ token: { file: [a] } }",
        ])
    func badReferences(_ config: String) {
        #expect(throws: ManifestError.self) { try manifest(config) }
    }
}
