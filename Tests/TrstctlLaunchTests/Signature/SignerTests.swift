import Foundation
import Testing
import TrstctlCrypto
import TrstctlSystem

/// `plugin sign`: what is written has to be accepted by other tools too.
@Suite("Signing")
struct SignerTests {
    private let tools: SignatureTools

    init() throws { tools = try SignatureTools() }

    private func signer(_ name: String) throws -> Signer {
        try Signer(privateKey: Bytes(bytes(of: tools.directory.file(name)), isSecret: true))
    }

    private func openssl(_ arguments: String...) throws { try runTool("openssl", arguments, package: "openssl") }

    @Test("a P-256 signature is one line that openssl verifies")
    func p256() throws {
        let signer = try signer("ec.pem")
        #expect(signer.publicKey == tools.p256)
        let file = try signer.sign(tools.fixture.content, as: .base64)
        #expect(file.last == 0x0a && file.count(where: { $0 == 0x0a }) == 1)
        let der = Array(try #require(Data(base64Encoded: String(decoding: file.dropLast(), as: UTF8.self))))
        let signature = try tools.directory.write(der, to: "ours.sig")
        try openssl(
            "dgst", "-sha256", "-verify", tools.directory.file("ec.pem.pub"), "-signature", signature,
            tools.directory.file("content"))
        #expect(try tools.fixture.verify(file, tools.p256).form == .base64)
    }

    @Test("an Ed25519 signature is one line that openssl verifies")
    func ed25519() throws {
        let signer = try signer("ed.pem")
        #expect(signer.publicKey == tools.ed25519)
        let file = try signer.sign(tools.fixture.content, as: .base64)
        // Ed25519 is deterministic: the same bytes as openssl's.
        #expect(file == Array("\(base64(tools.edwards))\n".utf8))
        #expect(try tools.fixture.verify(file, tools.ed25519).algorithm == .ed25519)
    }

    @Test("a bundle is the smallest one, with hint and digest, and verifies")
    func bundle() throws {
        let file = try signer("ec.pem").sign(tools.fixture.content, as: .sigstoreBundle)
        let json = try #require(try JSONSerialization.jsonObject(with: Data(file)) as? [String: Any])
        #expect(Set(json.keys) == ["mediaType", "verificationMaterial", "messageSignature"])
        #expect(json["mediaType"] as? String == "application/vnd.dev.sigstore.bundle.v0.3+json")
        let verified = try tools.fixture.verify(file, tools.p256)
        #expect(verified.form == .sigstoreBundle && verified.notes.isEmpty)
        let hint = base64(tools.p256.fingerprint)
        #expect(String(decoding: file, as: UTF8.self).contains(#""hint":"\#(hint)""#))
        let error = #expect(throws: SignatureError.self) {
            _ = try signer("ed.pem").sign(tools.fixture.content, as: .sigstoreBundle)
        }
        #expect(error?.code == .wrongKeyType)
        #expect(error?.reason.contains("needs a P-256 key") == true)
    }

    @Test("SEC1 keys, with the parameters that openssl puts before them and with a compressed point, sign")
    func sec1() throws {
        let sec1 = tools.directory.file("sec1.pem")
        try openssl("ecparam", "-name", "prime256v1", "-genkey", "-out", sec1)
        let compressed = tools.directory.file("compressed.pem")
        try openssl("ec", "-in", sec1, "-conv_form", "compressed", "-out", compressed)
        let key = try signer("sec1.pem").publicKey
        let file = try signer("compressed.pem").sign(tools.fixture.content, as: .base64)
        #expect(try tools.fixture.verify(file, key).keyID == key.keyID)
    }

    @Test("encrypted keys are refused without asking")
    func encrypted() throws {
        let (key, file) = (tools.directory.file("ec.pem"), tools.directory.file("encrypted.pem"))
        try openssl("pkcs8", "-topk8", "-in", key, "-passout", "pass:secret", "-out", file)
        expectKeyRefusal(.encrypted) { _ = try signer("encrypted.pem") }
        try openssl("ec", "-in", key, "-aes256", "-passout", "pass:secret", "-out", file)
        expectKeyRefusal(.encrypted) { _ = try signer("encrypted.pem") }
        for label in ["SIGSTORE", "COSIGN"] {
            let block =
                "-----BEGIN ENCRYPTED \(label) PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED \(label) PRIVATE KEY-----\n"
            expectKeyRefusal(.encrypted) { _ = try Signer(privateKey: Bytes(block)) }
        }
    }

    @Test("other keys and other files are refused")
    func others() throws {
        for (arguments, code): ([String], SignatureKeyError.Code) in [
            (["RSA", "-pkeyopt", "rsa_keygen_bits:2048"], .unsupported),
            (["EC", "-pkeyopt", "ec_paramgen_curve:P-384"], .unsupported),
            (["EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"], .unsupported), (["ed448"], .unsupported),
        ] {
            let file = tools.directory.file("other.pem")
            try runTool("openssl", ["genpkey", "-algorithm"] + arguments + ["-out", file], package: "openssl")
            expectKeyRefusal(code, arguments[0]) { _ = try signer("other.pem") }
        }
        let ec = try bytes(of: tools.directory.file("ec.pem"))
        expectKeyRefusal(.trailingData) { _ = try Signer(privateKey: Bytes(ec + ec)) }
        expectKeyRefusal(.unrecognised) { _ = try signer("ec.pem.pub") }
        expectKeyRefusal(.unrecognised) { _ = try signer("minisign.key") }
        expectKeyRefusal(.empty) { _ = try Signer(privateKey: Bytes()) }
        expectKeyRefusal(.malformed) {
            _ = try Signer(privateKey: Bytes("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))
        }
    }

    @Test("a key whose halves do not belong together gives no signature")
    func brokenKey() throws {
        let other = try SignatureTools()
        // A SEC1 key with another key's public half, which OpenSSL reads without a look at it.
        func der(_ name: String, _ tools: SignatureTools) throws -> [UInt8] {
            try runTool("openssl", ["ec", "-in", tools.directory.file(name), "-outform", "DER"], package: "openssl")
        }
        let mixed = try der("ec.pem", tools).dropLast(64) + der("ec.pem", other).suffix(64)
        let pem = "-----BEGIN EC PRIVATE KEY-----\n\(base64(Array(mixed)))\n-----END EC PRIVATE KEY-----\n"
        let signer = try Signer(privateKey: Bytes(pem))
        expectRefusal(.mismatch) { _ = try signer.sign(tools.fixture.content, as: .base64) }
    }
}
