import Testing
import TrstctlHost
import TrstctlPolicy
import TrstctlSystem

@Suite("Manifest: whom to trust, and how much")
struct ManifestTrustTests {
    static let pin = ManifestSample.pin
    static let key = """
        -----BEGIN PUBLIC KEY-----
        MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
        -----END PUBLIC KEY-----
        """

    static func plugin(_ lines: String) -> String {
        "version: 1\nplugins:\n  x:\n"
            + lines.split(separator: "\n", omittingEmptySubsequences: false).map { "    \($0)\n" }.joined()
    }

    static let complete = plugin(
        """
        sha256: ["\(pin)"]
        signature:
          policy: if-present
          file: sigs/x.sig
          keys:
            - id: rel-2026
              not_before: 2026-01-01
              not_after: "2026-12-31T12:00:00Z"
              key: |
        \(key.split(separator: "\n").map { "        " + $0 }.joined(separator: "\n"))
            - { id: rel-2027, file: keys/rel.pub }
        confinement: best-effort
        script: { interpreter: /usr/bin/python3, sha256: ["\(pin)"] }
        acknowledge: ["interpreter:/bin/sh"]
        """)

    @Test func `Every key is read`() throws {
        let text = Self.complete + "trust:\n  revoked_sha256: [\"\(Self.pin)\"]\n  revoked_keys: [\"\(Self.pin)\"]\n"
        let manifest = try ManifestSample.parse(text)
        let digest = try #require(SHA256Digest(hex: Self.pin))
        #expect(manifest.trust == Trust(revokedDigests: [digest], revokedKeys: [digest]))
        let plugin = try #require(manifest.plugins.first)
        let rule = try #require(plugin.signature)
        #expect(rule.policy == .ifPresent && rule.file == "/srv/op/sigs/x.sig")
        #expect(rule.keys.map(\.id.text) == ["rel-2026", "rel-2027"])
        #expect(rule.keys[0].source == .text(Bytes(Self.key + "\n")))
        #expect(rule.keys[0].notBefore == 1_767_225_600 && rule.keys[0].notAfter == 1_798_718_400)
        #expect(rule.keys[1].source == .file("/srv/op/keys/rel.pub"))
        #expect(plugin.confinement == .bestEffort)
        #expect(plugin.script == ScriptRule(interpreter: try AbsolutePath("/usr/bin/python3"), pins: [digest]))
        #expect(plugin.acknowledged == [Acknowledgement("interpreter:/bin/sh")])
    }

    @Test func `Without the keys a plugin asks for no signature, is confined strictly, and runs no script`() throws {
        let plugin = try #require(try ManifestSample.parse(ManifestSample.complete).plugins.first)
        #expect(plugin.signature == nil && plugin.confinement == .strict && plugin.script == nil)
        let signed = try ManifestSample.parse(Self.plugin("signature: { keys: [{ id: k, file: k.pub }] }"))
        #expect(signed.plugins.first?.signature?.policy == .required)
    }

    @Test func `No confinement needs the words that accept it, in the same plugin`() throws {
        #expect(ManifestSample.error(Self.plugin("confinement: off"))?.code == .notAcknowledged)
        let other = Self.plugin("confinement: off") + "  y:\n    acknowledge: [i-accept-the-risk]\n"
        #expect(ManifestSample.error(other)?.code == .notAcknowledged)
        let accepted = try ManifestSample.parse(Self.plugin("confinement: off\nacknowledge: [i-accept-the-risk]"))
        #expect(accepted.plugins.first?.confinement == .off)
    }

    @Test func `Libraries are directories below one that is not the root`() throws {
        let text = Self.plugin("libraries: [/opt/acme/lib, /usr/lib/swift/linux]")
        let libraries = try ManifestSample.parse(text).plugins.first?.libraries
        #expect(libraries == [try AbsolutePath("/opt/acme/lib"), try AbsolutePath("/usr/lib/swift/linux")])
        for path in ["/", "/etc", "lib", "/opt/../etc/x", "/opt/acme/"] {
            #expect(ManifestSample.error(Self.plugin("libraries: [\(path)]"))?.code == .badPath, "\(path)")
        }
        #expect(ManifestSample.error(Self.plugin("libraries: /opt/acme/lib"))?.code == .wrongType)
    }

    static let bad: [(lines: String, code: ManifestError.Code)] = [
        ("confinement: none", .wrongType), ("confinement: Strict", .wrongType),
        ("acknowledge: [x]", .badAcknowledgement),
        ("acknowledge: i-accept-the-risk", .wrongType),
        ("signature: {}", .missingKey), ("signature: { keys: [] }", .badKey),
        ("signature: { keys: [{ id: a, file: x }], policy: off }", .wrongType),
        ("signature: { keys: [{ file: x }] }", .missingKey), ("signature: { keys: [{ id: a }] }", .badKey),
        ("signature: { keys: [{ id: a, file: x, key: y }] }", .badKey),
        ("signature: { keys: [{ id: a, key: y }] }", .badKey), ("signature: { keys: [{ id: A, file: x }] }", .badName),
        ("signature: { keys: [{ id: a, file: x }, { id: a, file: y }] }", .badKey),
        ("signature: { keys: [{ id: a, file: x, not_before: tomorrow }] }", .badTime),
        ("signature: { keys: [{ id: a, file: x, not_before: 2026-01-02, not_after: 2026-01-01 }] }", .badTime),
        ("signature: { keys: [{ id: a, file: x/ }] }", .badPath), ("signature: { kyes: [] }", .unknownKey),
        ("script: { interpreter: /usr/bin/python3 }", .missingKey), ("script: { sha256: [] }", .missingKey),
        ("script: { interpreter: python3, sha256: [\"\(pin)\"] }", .badPath),
        ("script: { interpreter: /usr/bin/python3, sha256: [] }", .badPin),
        ("script: { interpreter: /usr/bin/python3, sha256: [\"\(pin)0\"] }", .badPin),
    ]

    @Test("What is none of these is refused", arguments: bad)
    func refused(lines: String, code: ManifestError.Code) {
        let error = ManifestSample.error(Self.plugin(lines))
        #expect(error?.code == code, "\(error?.description ?? "accepted")")
        #expect(error?.line != nil)
    }

    @Test func `A private key is never accepted as a public one, and is not shown`() throws {
        let secret = "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v_VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g"
        let text = Self.plugin(
            """
            signature:
              keys:
                - id: a
                  key: |
                    -----BEGIN PRIVATE KEY-----
                    \(secret)
                    -----END PRIVATE KEY-----
            """)
        let error = try #require(ManifestSample.error(text))
        #expect(error.code == .badKey && error.description.contains("private key"))
        #expect(!error.description.contains(secret.prefix(12)))
    }

    @Test func `What is revoked is a list of digests`() {
        #expect(ManifestSample.error("version: 1\ntrust: { revoked_sha256: [x] }\n")?.code == .badPin)
        #expect(ManifestSample.error("version: 1\ntrust: { revoked_keys: [rel-2026] }\n")?.code == .badPin)
        #expect(ManifestSample.error("version: 1\ntrust: { revoked: [] }\n")?.code == .unknownKey)
    }

    @Test func `Pinning leaves the new keys alone, also when a key's text ends the plugin`() throws {
        let digest = try #require(SHA256Digest(hex: String(repeating: "ab", count: 32)))
        let grants = try GrantSet.parse(write: ["/srv/x"])
        let lines = Self.key.split(separator: "\n").joined(separator: "\n        ")
        let signed = Self.plugin("signature:\n  keys:\n    - id: a\n      key: |\n        " + lines)
        for text in [
            Self.complete, Self.complete + "targets: {}\n", signed, signed + "targets: {}\n",
            signed + "\n\n# end\ntargets: {}\n",
        ] {
            for name in ["x", "new"] {
                let edit = try ManifestEditor.pin(
                    PinChange(connector: try #require(ConnectorName(name)), digest: digest, grants: grants),
                    in: Array(text.utf8), directory: AbsolutePath("/srv/op"), file: "trstctl.yaml")
                let before = try ManifestSample.parse(text)
                let after = try ManifestSample.parse(String(decoding: edit.text, as: UTF8.self))
                #expect(after.plugins.first?.signature == before.plugins.first?.signature)
                #expect(after.plugin(try #require(ConnectorName(name)))?.pins == [digest])
                #expect(after.plugin(try #require(ConnectorName(name)))?.grants == grants)
            }
        }
    }
}
