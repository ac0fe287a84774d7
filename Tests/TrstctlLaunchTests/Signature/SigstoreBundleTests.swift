import Foundation
import Testing
import TrstctlCrypto

/// S02, S03, S11: Sigstore bundles v0.3 with a managed key.
@Suite("Sigstore bundles")
struct SigstoreBundleTests {
    private let tools: SignatureTools

    init() throws { tools = try SignatureTools() }

    @Test("a minimal bundle verifies, under both names of its version and with any white space")
    func minimal() throws {
        for type in [
            "application/vnd.dev.sigstore.bundle.v0.3+json", "application/vnd.dev.sigstore.bundle+json;version=0.3",
        ] {
            let verified = try tools.fixture.verify(tools.bundle(mediaType: type), tools.p256)
            #expect(verified.form == .sigstoreBundle)
            #expect(verified.keyID == tools.p256.keyID)
            #expect(verified.notes.isEmpty)
        }
        let text = String(decoding: try tools.bundle(), as: UTF8.self)
        let spread = text.replacing(#":""#, with: ": \"").replacing(",", with: " ,\r\n\t") + "\n"
        #expect(throws: Never.self) { _ = try tools.fixture.verify(Array(spread.utf8), tools.p256) }
    }

    @Test("a bundle without a hint verifies, one with the hint of another key does not")
    func hints() throws {
        for material in [#"{"publicKey":{}}"#] {
            #expect(throws: Never.self) {
                _ = try tools.fixture.verify(tools.bundle(material: material), tools.p256)
            }
        }
        let other = #"{"publicKey":{"hint":"\#(base64(tools.ed25519.fingerprint))"}}"#
        expectRefusal(.wrongKey) { _ = try tools.fixture.verify(tools.bundle(material: other), tools.p256) }
        for bad in ["AAAA", "", "nginx", "x y"] {
            #expect(throws: SignatureError.self) {
                _ = try DetachedSignature(file: tools.bundle(material: #"{"publicKey":{"hint":"\#(bad)"}}"#))
            }
        }
    }

    @Test("what a log or a timestamp says is not checked, and that is said")
    func proofs() throws {
        let hint = base64(tools.p256.fingerprint)
        for proof in [#""tlogEntries":[{"logIndex":"1"}]"#, #""timestampVerificationData":{}"#] {
            let verified = try tools.fixture.verify(
                tools.bundle(material: #"{"publicKey":{"hint":"\#(hint)"},\#(proof)}"#), tools.p256)
            #expect(verified.notes.count == 1)
            #expect(verified.notes.first?.contains("not checked") == true)
        }
    }

    @Test("a bundle with a certificate is refused: keyless signatures are not supported")
    func keyless() throws {
        for material in [
            #"{"certificate":{"rawBytes":"AAAA"}}"#, #"{"x509CertificateChain":{"certificates":[]}}"#,
            #"{"publicKey":{},"certificate":{"rawBytes":"AAAA"}}"#,
        ] {
            let error = #expect(throws: SignatureError.self) {
                _ = try DetachedSignature(file: tools.bundle(material: material))
            }
            #expect(error?.code == .keyless)
            #expect(error?.reason.contains("keyless") == true)
        }
    }

    @Test("the digest has to be ours, and the signature has to be over the bytes, not over the digest's file")
    func digestAndSignature() throws {
        let other = try SealedFixture(Array("other".utf8))
        expectRefusal(.wrongDigest) { _ = try tools.fixture.verify(tools.bundle(digest: other.digest), tools.p256) }
        // S11: the digest fits, the signature is over something else.
        expectRefusal(.mismatch) { _ = try other.verify(tools.bundle(digest: other.digest), tools.p256) }
        // Who calculates the digest wrongly gets no further: the bytes decide.
        expectRefusal(.mismatch) {
            _ = try SignatureVerifier.verify(
                content: other.content, digest: tools.fixture.digest,
                signature: DetachedSignature(file: tools.bundle()),
                key: tools.p256)
        }
        expectRefusal(.cryptography) {
            _ = try SignatureVerifier.verify(
                content: other.content, digest: [], signature: DetachedSignature(file: tools.bundle()), key: tools.p256)
        }
    }

    @Test("other versions are refused by name")
    func versions() throws {
        for type in [
            "application/vnd.dev.sigstore.bundle+json;version=0.1",
            "application/vnd.dev.sigstore.bundle+json;version=0.2",
            "application/vnd.dev.sigstore.bundle.v0.4+json", "application/vnd.dev.sigstore.bundle+json;version=99.9",
            "application/vnd.dev.sigstore.bundle.v0.3+json ", "APPLICATION/vnd.dev.sigstore.bundle.v0.3+json", "",
        ] {
            expectRefusal(.bundleVersion, type) { _ = try DetachedSignature(file: tools.bundle(mediaType: type)) }
        }
    }

    @Test("missing, unknown and mistyped members are refused")
    func members() throws {
        let valid = String(decoding: try tools.bundle(), as: UTF8.self)
        let (media, digest) = (
            #""mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","#, base64(tools.fixture.digest)
        )
        for (what, from, to) in [
            ("no mediaType", media, ""), ("mediaType is a number", media, #""mediaType":3,"#),
            ("no material", #""verificationMaterial":"#, #""dsseEnvelope":"#),
            ("no public key", #""publicKey":"#, #""tlogEntries":"#),
            ("an unknown key outside", "{\"mediaType", #"{"x":1,"mediaType"#),
            ("an unknown key in the material", #""publicKey":{"#, #""y":1,"publicKey":{"#),
            ("an unknown key in publicKey", #"{"hint""#, #"{"z":1,"hint""#),
            ("snake case", "messageSignature", "message_signature"),
            ("a DSSE envelope", #"}},"messageSignature":"#, #"}},"dsseEnvelope":{},"messageSignature":"#),
            ("only a DSSE envelope", #""messageSignature":"#, #""dsseEnvelope":"#),
            ("hint is a number", #""hint":""#, #""hint":1,"x":""#),
            ("publicKey is a list", #"{"publicKey":{"#, #"{"publicKey":[],"tlogEntries":{"#),
            ("publicKey is null", #"{"publicKey":{"#, #"{"publicKey":null,"tlogEntries":{"#),
            ("no digest", #""messageDigest":"#, #""x":"#), ("no signature", #""signature":"#, #""x":"#),
            ("another algorithm", "SHA2_256", "SHA2_512"), ("algorithm in lower case", "SHA2_256", "sha2_256"),
            ("a short digest", digest, "AAAA"),
        ] {
            let broken = valid.replacing(from, with: to)
            #expect(broken != valid, "\(what)")
            expectRefusal(.badBundle, what) { _ = try DetachedSignature(file: Array(broken.utf8)) }
        }
        for signature in [
            "INVALID!!!BASE64!!!ENCODING====", "", base64(tools.ecdsa) + #"\n"#, " " + base64(tools.ecdsa),
        ] {
            expectRefusal(.notBase64, signature) {
                _ = try DetachedSignature(file: tools.bundle(signature: signature))
            }
        }
        expectRefusal(.notDER) {
            _ = try tools.fixture.verify(tools.bundle(signature: base64(tools.edwards)), tools.p256)
        }
    }

    @Test("JSON that two readers could read differently is refused")
    func json() throws {
        let valid = String(decoding: try tools.bundle(), as: UTF8.self)
        let deep = String(repeating: "[", count: 5000) + String(repeating: "]", count: 5000)
        func logged(_ value: String) throws -> [UInt8] {
            try tools.bundle(material: #"{"publicKey":{},"tlogEntries":\#(value)}"#)
        }
        for good in [
            "[]", "[1,-0.5e+10,true,false,null,\"\\u00e9\\ud83d\\ude00\\/\"]",
            String(repeating: "[", count: 14) + String(repeating: "]", count: 14),
        ] {
            #expect(throws: Never.self, "\(good)") { _ = try DetachedSignature(file: logged(good)) }
        }
        for bad in [
            deep, String(repeating: "[", count: 15) + String(repeating: "]", count: 15), #"{"a":1,"a":2}"#,
            #"{"a":1,"\u0061":2}"#, "[1,]", "[,1]", #"{"a":1,}"#, #"{a:1}"#, "{'a':1}", "[01]", "[+1]", "[.5]", "[1.]",
            "[1e]", "[-]", "[NaN]", "[Infinity]", "[tru]", "[nul]", #"["\x"]"#, #"["\u12"]"#, #"["\ud800"]"#,
            #"["\udc00"]"#, #"["\ud800\ud800"]"#, #"["\ud800x"]"#, "[\"\u{1}\"]", "[\"\n\"]", "[1] // x", "[1 2]",
            #"{"a" 1}"#, "[", "{", #"["#, #"["a"#, #"{"a":"#, "",
        ] {
            expectRefusal(.notJSON, String(bad.prefix(40))) { _ = try DetachedSignature(file: logged(bad)) }
        }
        for text in [valid + "x", valid + valid, valid + "\u{0}", String(valid.dropLast()), "{"] {
            expectRefusal(.notJSON) { _ = try DetachedSignature(file: Array(text.utf8)) }
        }
        for text in ["[]", "\"\"", "\u{feff}" + valid] {
            #expect(throws: SignatureError.self) { _ = try DetachedSignature(file: Array(text.utf8)) }
        }
        var notUTF8 = try logged("[\"?\"]")
        let index = try #require(notUTF8.firstIndex(of: UInt8(ascii: "?")))
        for byte: UInt8 in [0xff, 0xc0, 0xed] {
            notUTF8[index] = byte
            expectRefusal(.notJSON) { _ = try DetachedSignature(file: notUTF8) }
        }
        // A length of 64 bytes would be a raw signature.
        for cut in stride(from: 2, to: valid.utf8.count, by: 7) {
            #expect(throws: SignatureError.self) { _ = try DetachedSignature(file: Array(valid.utf8.prefix(cut))) }
        }
    }
}

/// The managed-key cases of sigstore-conformance, an independent source of bundles.
@Suite(
    "Sigstore conformance vectors",
    .enabled(if: SharedVectors.areThere, "the vectors of sigstore-conformance are not here; set TRSTCTL_VECTORS"))
struct SigstoreConformanceTests {
    private func path(_ name: String) -> String { SharedVectors.conformance + "/" + name }

    private func key() throws -> SignatureKey {
        try SignatureKey(text: bytes(of: path("managed-key-happy-path/key.pub")))
    }

    private func artifact() throws -> SealedFixture { try SealedFixture(bytes(of: path("a.txt"))) }

    @Test(
        "bundles that real tools made with a managed key verify",
        arguments: [
            "managed-key-happy-path", "managed-key-and-trusted-root",
        ])
    func happyPath(_ name: String) throws {
        let key = try SignatureKey(text: bytes(of: path(name + "/key.pub")))
        let verified = try artifact().verify(bytes(of: path(name + "/bundle.sigstore.json")), key)
        #expect(verified.form == .sigstoreBundle)
        #expect(verified.keyID == key.keyID)
        #expect(verified.notes.count == 1)
    }

    @Test("every case that must fail is refused for its reason")
    func failures() throws {
        let expected: [String: SignatureRefusal.Code] = [
            "bundle-invalid-base64-signature_fail": .signature(.bundleVersion),
            "bundle-malformed-json_fail": .signature(.notJSON),
            "bundle-unknown-version_fail": .signature(.bundleVersion),
            "managed-key-no-key_fail": .noKeys,
            "message-digest-mismatch_fail": .signature(.keyless),
            "signature-mismatch_fail": .signature(.bundleVersion),
            "wrong-material_fail": .signature(.bundleVersion),
        ]
        let cases = try FileManager.default.contentsOfDirectory(atPath: SharedVectors.conformance)
            .filter { $0.hasSuffix("_fail") }
        #expect(cases.count >= 8)
        for name in cases where name != "managed-key-wrong-key_fail" {
            let own = path(name + "/artifact")
            let isOwn = FileManager.default.fileExists(atPath: own)
            let artifact = try isOwn ? SealedFixture(bytes(of: own)) : self.artifact()
            let keys = name == "managed-key-no-key_fail" ? [] : [TrustedKey(name: "k", key: try key(), scope: .all)]
            let file = try bytes(of: path(name + "/bundle.sigstore.json"))
            let outcome = SignaturePolicy(mode: .ifPresent, keys: keys).evaluate(
                try artifact.content, connector: "nginx", digest: artifact.digest, now: 0,
                signature: SignatureFinding(reading: { file }))
            guard case .refused(let refusal) = outcome else {
                Issue.record("\(name): \(outcome)")
                continue
            }
            #expect(refusal.code == expected[name], "\(name): \(refusal)")
            #expect(!refusal.reason.isEmpty)
        }
    }

    @Test("the key of the wrong-key case is refused before it verifies anything")
    func wrongKey() throws {
        let text = try bytes(of: path("managed-key-wrong-key_fail/key.pub"))
        #expect(throws: SignatureKeyError.self) { _ = try SignatureKey(text: text) }
    }

    @Test("the defects of the keyless cases are refused in a managed-key bundle as well")
    func managedDefects() throws {
        let (artifact, key) = (try artifact(), try key())
        let text = String(decoding: try bytes(of: path("managed-key-happy-path/bundle.sigstore.json")), as: UTF8.self)
        let mark = #""signature":""#
        let start = try #require(text.range(of: mark)).upperBound
        let end = try #require(text[start...].firstIndex(of: "\""))
        let signature = Array(try #require(Data(base64Encoded: String(text[start..<end]))))
        func with(_ signature: String) -> [UInt8] { Array((text[..<start] + signature + text[end...]).utf8) }
        #expect(throws: Never.self) { _ = try artifact.verify(with(base64(signature)), key) }
        expectRefusal(.notBase64) { _ = try artifact.verify(with("INVALID!!!BASE64!!!ENCODING===="), key) }
        expectRefusal(.mismatch) {
            _ = try artifact.verify(with(base64(signature.replacingByte(20, signature[20] ^ 1))), key)
        }
        let digest = base64(artifact.digest)
        expectRefusal(.wrongDigest) {
            let other = text.replacing(digest, with: base64(try sha256([])))
            _ = try artifact.verify(Array(other.utf8), key)
        }
        expectRefusal(.wrongDigest) {
            let other = try SealedFixture(bytes(of: path("wrong-material_fail/artifact")) + [0x0a])
            _ = try other.verify(Array(text.utf8), key)
        }
        expectRefusal(.notJSON) { _ = try artifact.verify(Array(text.utf8.prefix(text.utf8.count / 2)), key) }
    }
}
