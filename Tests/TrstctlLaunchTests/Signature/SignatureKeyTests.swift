import Foundation
import Testing
import TrstctlCrypto

/// S07: which public keys are accepted.
@Suite("Keys that signatures are verified with")
struct SignatureKeyTests {
    private let tools: SignatureTools

    init() throws { tools = try SignatureTools() }

    private func openssl(_ arguments: String...) throws -> [UInt8] {
        try runTool("openssl", arguments, package: "openssl")
    }

    /// A PEM public key of another kind.
    private func other(_ arguments: String...) throws -> [UInt8] {
        let file = tools.directory.file("other.pem")
        try runTool("openssl", ["genpkey"] + arguments + ["-out", file], package: "openssl")
        return try openssl("pkey", "-in", file, "-pubout")
    }

    private func der(_ key: String) throws -> [UInt8] {
        try openssl("pkey", "-in", tools.directory.file(key), "-pubout", "-outform", "DER")
    }

    private func pem(_ der: [UInt8]) -> [UInt8] {
        Array("-----BEGIN PUBLIC KEY-----\n\(base64(der))\n-----END PUBLIC KEY-----\n".utf8)
    }

    @Test("P-256 and Ed25519 keys are named by the SHA-256 of their SubjectPublicKeyInfo")
    func accepted() throws {
        for (name, key, kind) in [
            ("ec.pem", tools.p256, SignatureKey.Kind.p256), ("ed.pem", tools.ed25519, .ed25519),
        ] {
            let der = try der(name)
            #expect(key.kind == kind)
            #expect(key.subjectPublicKeyInfo == der)
            #expect(key.keyID == Hexadecimal.lower(try sha256(der)))
            #expect(key.minisignKeyID == nil)
            #expect(Array(key.pem.utf8) == (try bytes(of: tools.directory.file(name + ".pub"))))
            #expect(try SignatureKey(text: Array(key.pem.dropLast().utf8)) == key)
            #expect(try SignatureKey(subjectPublicKeyInfo: der) == key)
        }
    }

    @Test("a minisign key is read with and without its comment, and is the same key as its SubjectPublicKeyInfo")
    func minisign() throws {
        let file = try bytes(of: tools.directory.file("minisign.pub"))
        let line = Array(try #require(file.split(separator: 0x0a).last))
        let key = try SignatureKey(text: file)
        #expect(key.kind == .ed25519)
        #expect(key.minisignKeyID?.count == 8)
        #expect(try SignatureKey(text: line) == key)
        #expect(try SignatureKey(text: line + [0x0a]).minisignKeyID == key.minisignKeyID)
        #expect(try SignatureKey(text: Array(key.pem.utf8)).keyID == key.keyID)
    }

    @Test("other kinds of keys are refused by name")
    func otherKinds() throws {
        let others: [(String, [UInt8])] = [
            ("RSA", try other("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")),
            ("P-384", try other("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384")),
            ("P-521", try other("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521")),
            ("secp256k1", try other("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1")),
            ("Ed448", try other("-algorithm", "ed448")),
            ("X25519", try other("-algorithm", "x25519")),
        ]
        for (name, text) in others {
            let error = #expect(throws: SignatureKeyError.self) { _ = try SignatureKey(text: text) }
            #expect(error?.code == .unsupported)
            #expect(error?.reason.contains(name) == true, "\(error?.reason ?? "")")
        }
    }

    @Test("a compressed point and explicit curve parameters are refused, so that one key has one name")
    func spellings() throws {
        let ec = tools.directory.file("ec.pem")
        expectKeyRefusal(.compressedPoint) {
            _ = try SignatureKey(text: openssl("ec", "-in", ec, "-pubout", "-conv_form", "compressed"))
        }
        expectKeyRefusal(.malformed) {
            _ = try SignatureKey(text: openssl("ec", "-in", ec, "-pubout", "-conv_form", "hybrid"))
        }
        expectKeyRefusal(.unsupported) {
            _ = try SignatureKey(text: openssl("ec", "-in", ec, "-pubout", "-param_enc", "explicit"))
        }
    }

    @Test("a P-256 point that is not on the curve is refused")
    func offCurve() throws {
        var key = try der("ec.pem")
        key[90] ^= 1
        expectKeyRefusal(.invalidPoint) { _ = try SignatureKey(text: pem(key)) }
        // x = y = 0 and coordinates that are not below p.
        let prefix = Array(key.prefix(27))
        for value: UInt8 in [0x00, 0xff] {
            expectKeyRefusal(.invalidPoint) {
                _ = try SignatureKey(subjectPublicKeyInfo: prefix + [UInt8](repeating: value, count: 64))
            }
        }
    }

    @Test("an Ed25519 point that is not on the curve, of small order, or not canonical is refused")
    func badEdwards() throws {
        let prefix = Array(try der("ed.pem").prefix(12))
        func isRefused(_ point: [UInt8]) -> Bool {
            do {
                _ = try SignatureKey(subjectPublicKeyInfo: prefix + point)
                return false
            } catch { return error.code == .invalidPoint }
        }
        func little(_ first: UInt8, _ middle: UInt8, _ last: UInt8) -> [UInt8] {
            [first] + [UInt8](repeating: middle, count: 30) + [last]
        }
        // RFC 8032: y = 2 has no x. y = 3 has one, with either sign, and so has the base point, y = 4/5.
        #expect(isRefused(little(2, 0, 0)))
        #expect(!isRefused(little(3, 0, 0)) && !isRefused(little(3, 0, 0x80)))
        #expect(!isRefused(little(0x58, 0x66, 0x66)))
        for (first, middle, last): (UInt8, UInt8, UInt8) in [
            (0, 0, 0), (1, 0, 0), (0xec, 0xff, 0x7f),  // orders 4, 1, 2
            (0xed, 0xff, 0x7f), (0xee, 0xff, 0x7f), (0xf0, 0xff, 0x7f), (0xff, 0xff, 0x7f),  // y >= p
        ] {
            #expect(isRefused(little(first, middle, last)), "\(first)")
            #expect(isRefused(little(first, middle, last | 0x80)), "\(first), with the sign")
        }
        for order8 in [
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        ] {
            let digits = Array(order8)
            let point = stride(from: 0, to: 64, by: 2).compactMap { UInt8(String(digits[$0...$0 + 1]), radix: 16) }
            #expect(isRefused(point))
            #expect(isRefused(point.dropLast() + [point[31] | 0x80]))
        }
    }

    @Test("nothing may stand before or after the key")
    func trailing() throws {
        let key = Array(tools.p256.pem.utf8)
        let der = tools.p256.subjectPublicKeyInfo
        let minisign = try bytes(of: tools.directory.file("minisign.pub"))
        for (what, text): (String, [UInt8]) in [
            ("text", key + Array("more\n".utf8)), ("a second block", key + key), ("an empty line", key + [0x0a]),
            ("DER", pem(der + [0])), ("minisign", minisign + Array("more\n".utf8)),
        ] {
            expectKeyRefusal(.trailingData, what) { _ = try SignatureKey(text: text) }
        }
        expectKeyRefusal(.unrecognised) { _ = try SignatureKey(text: Array("# my key\n".utf8) + key) }
        expectKeyRefusal(.unrecognised) { _ = try SignatureKey(text: [0xef, 0xbb, 0xbf] + key) }
        expectKeyRefusal(.unrecognised) { _ = try SignatureKey(text: [0x20] + key) }
    }

    @Test("other files that are mistaken for a public key are refused, a private key with a warning")
    func mistaken() throws {
        expectKeyRefusal(.privateKey) { _ = try SignatureKey(text: bytes(of: tools.directory.file("ec.pem"))) }
        expectKeyRefusal(.privateKey) {
            _ = try SignatureKey(text: bytes(of: tools.directory.file("minisign.key")))
        }
        expectKeyRefusal(.unsupported) {
            _ = try SignatureKey(text: Array("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".utf8))
        }
        expectKeyRefusal(.empty) { _ = try SignatureKey(text: []) }
        expectKeyRefusal(.tooLarge) {
            _ = try SignatureKey(text: [UInt8](repeating: 0x41, count: SignatureKey.textLimit + 1))
        }
        expectKeyRefusal(.unrecognised) { _ = try SignatureKey(text: Array("hello\n".utf8)) }
    }

    @Test("a PEM block that is cut, padded or written otherwise is refused")
    func malformedPEM() throws {
        let text = tools.p256.pem
        let base64Lines = text.split(separator: "\n").dropFirst().dropLast()
        for (what, broken) in [
            ("no END", text.replacing("-----END PUBLIC KEY-----\n", with: "")),
            ("carriage returns", text.replacing("\n", with: "\r\n")),
            ("a space", text.replacing("\nM", with: "\n M")),
            ("no body", "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"),
            ("an empty line", text.replacing("KEY-----\nM", with: "KEY-----\n\nM")),
            ("a header", text.replacing("KEY-----\nM", with: "KEY-----\nProc-Type: 4\n\nM")),
            ("no padding", text.replacing("=", with: "")),
            ("half", "-----BEGIN PUBLIC KEY-----\n\(base64Lines.first ?? "")\n-----END PUBLIC KEY-----\n"),
        ] {
            expectKeyRefusal(.malformed, what) { _ = try SignatureKey(text: Array(broken.utf8)) }
        }
    }

    @Test("a minisign key of another algorithm or length is refused")
    func malformedMinisign() throws {
        let id = [UInt8](repeating: 7, count: 8)
        let point = Array(tools.ed25519.subjectPublicKeyInfo.suffix(32))
        func key(_ bytes: [UInt8]) -> [UInt8] { Array("untrusted comment: x\n\(base64(bytes))\n".utf8) }
        #expect(try SignatureKey(text: key(Array("Ed".utf8) + id + point)).minisignKeyID == id)
        expectKeyRefusal(.malformed) { _ = try SignatureKey(text: key(Array("ED".utf8) + id + point)) }
        expectKeyRefusal(.malformed) { _ = try SignatureKey(text: key(Array("Ed".utf8) + id + point.dropLast())) }
        expectKeyRefusal(.invalidPoint) {
            _ = try SignatureKey(text: key(Array("Ed".utf8) + id + [UInt8](repeating: 0, count: 32)))
        }
        expectKeyRefusal(.unrecognised) { _ = try SignatureKey(text: Array("untrusted comment: x\n".utf8)) }
    }

    @Test("20,000 changed keys are read or refused without a crash")
    func mutations() throws {
        var random = SeededGenerator(1)
        let originals = [Array(tools.p256.pem.utf8), try bytes(of: tools.directory.file("minisign.pub"))]
        for _ in 0..<20_000 {
            var text = originals[Int.random(in: 0...1, using: &random)]
            for _ in 0..<Int.random(in: 1...4, using: &random) { mutate(&text, using: &random) }
            guard let key = try? SignatureKey(text: text) else { continue }
            #expect(key.subjectPublicKeyInfo.count == (key.kind == .p256 ? 91 : 44))
        }
    }
}
