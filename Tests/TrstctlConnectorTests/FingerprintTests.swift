import Testing
import TrstctlCrypto

@testable import TrstctlConnector

@Suite("Fingerprints")
struct FingerprintTests {
    private static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// FIPS 180-4's examples, as NIST publishes them ("SHA256.pdf" of the examples with intermediate values), and the
    /// empty message.
    @Test(
        "SHA-256 gives the published digests",
        arguments: [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
            (
                String(repeating: "a", count: 1_000_000),
                "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
            ),
        ])
    func digests(input: String, digest: String) {
        #expect(Self.hex(SHA256Digest.of(Array(input.utf8))) == digest)
    }

    @Test("SHA-256 agrees with OpenSSL for every length around the block boundaries")
    func lengths() throws {
        for length in 0..<300 {
            let input = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ length) }
            let expected = input.withUnsafeBytes { SHA256.digest($0) }
            #expect(SHA256Digest.of(input) == expected)
        }
    }

    private static let der: [UInt8] = (0..<100).map { UInt8($0) }
    private static let body =
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4v\n"
        + "MDEyMzQ1Njc4OTo7PD0+P0BBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWltcXV5f\nYGFiYw==\n"

    private static func pem(_ body: String, label: String = "CERTIFICATE") -> String {
        "-----BEGIN \(label)-----\n\(body)-----END \(label)-----\n"
    }

    @Test(
        "The leaf is the first certificate, whatever stands around it",
        arguments: [
            pem(body), "subject=CN = x\n" + pem(body), pem("AAAA\n", label: "PRIVATE KEY") + pem(body),
            pem(body) + pem("AAAA\n"), pem(body).split(separator: "\n").joined(separator: "\r\n"),
            "-----BEGIN CERTIFICATE-----  \n \(body)\n\n-----END CERTIFICATE-----",
        ])
    func leaf(text: String) {
        #expect(Fingerprint.ofLeaf(inPEM: Array(text.utf8)) == Fingerprint(ofDER: Self.der))
    }

    @Test(
        "Where there is no whole certificate there is no fingerprint",
        arguments: [
            "", "garbage", "-----BEGIN CERTIFICATE-----\n" + body, pem("AA=A\n"), pem("AAAA=\n"), pem("AAA\n"),
            pem("A\n"), pem("AB==\n"), pem("AAB=\n"), pem("A===\n"), pem("AA$A\n"), pem("====\n"),
            pem("AAAA\n", label: "PRIVATE KEY"), "-----BEGIN CERTIFICATE-----AAAA-----END CERTIFICATE-----",
        ])
    func noLeaf(text: String) {
        #expect(Fingerprint.ofLeaf(inPEM: Array(text.utf8)) == nil)
    }

    @Test("A fingerprint is 64 lower-case hex digits and nothing else")
    func syntax() {
        let right = String(repeating: "0a", count: 32)
        #expect(Fingerprint(hexadecimal: right)?.hexadecimal == right)
        for wrong in ["", "0a", String(right.dropLast()), right + "0", right.uppercased(), right.dropLast() + "g"] {
            #expect(Fingerprint(hexadecimal: String(wrong)) == nil)
        }
    }
}

@Suite("Texts of a connector")
struct TextTests {
    @Test("Cutting keeps whole characters' bytes and never more than asked")
    func cutting() {
        for text in ["hello", "äöü", "a\u{301}b", "👍🏽 ok", ""] {
            for bytes in 0..<20 {
                let cut = text.cut(to: bytes)
                #expect(cut.utf8.count <= bytes)
                #expect(Array(text.utf8).starts(with: Array(cut.utf8)))
                #expect(text.utf8.count <= bytes ? cut == text : cut.utf8.count > bytes - 4)
            }
        }
    }
}
