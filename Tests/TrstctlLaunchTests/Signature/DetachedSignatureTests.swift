import Foundation
import Testing
import TrstctlCrypto

/// S01, S09, S10: signatures without a container, as openssl and cosign write them.
@Suite("Detached signatures")
struct DetachedSignatureTests {
    private let tools: SignatureTools

    init() throws { tools = try SignatureTools() }

    @Test("base64 of what openssl signed with P-256 verifies, with and without a line feed at the end")
    func ecdsa() throws {
        for end in ["", "\n"] {
            let verified = try tools.fixture.verify(tools.base64ECDSA + Array(end.utf8), tools.p256)
            #expect(verified.form == .base64)
            #expect(verified.algorithm == .p256)
            #expect(verified.keyID == tools.p256.keyID)
            #expect(verified.trustedComment == nil && verified.notes.isEmpty)
        }
    }

    @Test("what openssl signed with Ed25519 verifies, as 64 bytes and as base64")
    func edwards() throws {
        #expect(try tools.fixture.verify(tools.edwards, tools.ed25519).form == .raw)
        let verified = try tools.fixture.verify(Array("\(base64(tools.edwards))\n".utf8), tools.ed25519)
        #expect(verified.form == .base64)
        #expect(verified.algorithm == .ed25519)
    }

    @Test("other bytes, one bit more or less, do not verify")
    func otherContent() throws {
        var changed = tools.fixture.bytes
        changed[300_000] ^= 1
        for content in [changed, tools.fixture.bytes.dropLast(), tools.fixture.bytes + [0], []] {
            let other = try SealedFixture(content)
            expectRefusal(.mismatch) { _ = try other.verify(tools.base64ECDSA, tools.p256) }
            expectRefusal(.mismatch) { _ = try other.verify(tools.edwards, tools.ed25519) }
        }
    }

    @Test("another key of the same kind does not verify")
    func otherKey() throws {
        let other = try SignatureTools()
        expectRefusal(.mismatch) { _ = try tools.fixture.verify(tools.base64ECDSA, other.p256) }
        expectRefusal(.mismatch) { _ = try tools.fixture.verify(tools.edwards, other.ed25519) }
    }

    @Test("a key of the other kind is refused by name")
    func otherKind() throws {
        expectRefusal(.wrongLength) { _ = try tools.fixture.verify(tools.base64ECDSA, tools.ed25519) }
        expectRefusal(.wrongKeyType) { _ = try tools.fixture.verify(tools.edwards, tools.p256) }
        expectRefusal(.notDER) { _ = try tools.fixture.verify(Array(base64(tools.edwards).utf8), tools.p256) }
        expectRefusal(.wrongKeyType) { _ = try tools.fixture.verify(tools.bundle(), tools.ed25519) }
        expectRefusal(.wrongKeyType) { _ = try tools.fixture.verify(tools.minisignFile, tools.p256) }
    }

    @Test("base64 is taken in its one canonical spelling only")
    func base64Spellings() throws {
        // A signature whose base64 has padding, `+` and `/`, so that every rule has something to refuse.
        let signature = try signature { $0.contains("=") && $0.contains("+") && $0.contains("/") }
        #expect(throws: Never.self) { _ = try tools.fixture.verify(Array(signature.utf8), tools.p256) }
        let lastDigit = try #require(signature.lastIndex { $0 != "=" })
        var bits = signature
        bits.replaceSubrange(lastDigit...lastDigit, with: surplusBit(signature[lastDigit]))
        for (what, text) in [
            ("two line feeds", signature + "\n\n"), ("CRLF", signature + "\r\n"), ("CR", signature + "\r"),
            ("URL alphabet", signature.replacing("+", with: "-").replacing("/", with: "_")),
            ("no padding", signature.replacing("=", with: "")), ("more padding", signature + "===="),
            ("a space inside", String(signature.prefix(40)) + " " + signature.dropFirst(40)),
            ("a space before", " " + signature), ("a line feed before", "\n" + signature),
            ("wrapped", String(signature.prefix(64)) + "\n" + signature.dropFirst(64)),
            ("padding inside", "AA==" + signature), ("bits after the last byte", bits),
            ("two signatures", signature + "\n" + signature), ("a comment", signature + "\n# by me\n"),
            ("only padding", "===="), ("only a line feed", "\n"),
        ] {
            expectRefusal(.notBase64, what) { _ = try DetachedSignature(file: Array(text.utf8)) }
        }
        expectRefusal(.unrecognised) { _ = try DetachedSignature(file: Array(signature.utf8) + [0]) }
        expectRefusal(.unrecognised) { _ = try DetachedSignature(file: [0xef, 0xbb, 0xbf] + Array(signature.utf8)) }
    }

    @Test("binary DER is refused with the command that makes base64 of it")
    func binaryDER() throws {
        let error = #expect(throws: SignatureError.self) { _ = try DetachedSignature(file: tools.ecdsa) }
        #expect(error?.code == .unrecognised)
        #expect(error?.nextStep.contains("base64 -w0") == true)
    }

    @Test("DER that is not minimal, cut, or followed by something is refused")
    func malformedDER() throws {
        let (r, s) = try integers(tools.ecdsa)
        func der(_ r: [UInt8], _ s: [UInt8], more: [UInt8] = [], after: [UInt8] = []) -> [UInt8] {
            let body = [0x02, UInt8(r.count)] + r + [0x02, UInt8(s.count)] + s + more
            return [0x30, UInt8(body.count)] + body + after
        }
        func verify(_ der: [UInt8]) throws { _ = try tools.fixture.verify(Array(base64(der).utf8), tools.p256) }
        #expect(throws: Never.self) { try verify(der(r, s)) }
        let long = [0x30, 0x81] + Array(der(r, s).dropFirst())
        var negative = r.count == 33 ? Array(r.dropFirst()) : r
        negative[0] |= 0x80
        for (what, broken): (String, [UInt8]) in [
            ("trailing byte", der(r, s, after: [0])), ("length in long form", long),
            ("r with a zero more", der([0] + r, s)),
            ("s with a zero more", der(r, [0, 0] + s)), ("negative r", der(negative, s)), ("no r", der([], s)),
            ("r is zero", der([0], s)), ("s is zero", der(r, [0])), ("cut", Array(tools.ecdsa.dropLast())),
            ("huge r", der([UInt8](repeating: 1, count: 34), s)),
            ("an integer inside of s", der(r, s + [0x02, 0x01, 0x01])),
            ("a third integer", der([1], [1], more: [0x02, 0x01, 0x01])),
            ("a length that is too small", der(r, s).replacingByte(1, UInt8(r.count + s.count + 3))),
            ("a set", [0x31] + Array(tools.ecdsa.dropFirst())), ("an octet string", der(r, s).replacingByte(2, 0x04)),
            ("r longer than all", der(r, s).replacingByte(3, 0x21 &+ 0x40)), ("nothing inside", [0x30, 0, 0]),
            ("very long", [0x30, 0x82, 0xff, 0xff] + [UInt8](repeating: 0x30, count: 3000)),
        ] {
            expectRefusal(.notDER, what) { try verify(broken) }
        }
    }

    @Test("r and s outside of 1 to n - 1 do not verify")
    func range() throws {
        let (r, s) = try integers(tools.ecdsa)
        func verify(_ r: [UInt8], _ s: [UInt8]) throws {
            let body = [0x02, UInt8(r.count)] + r + [0x02, UInt8(s.count)] + s
            _ = try tools.fixture.verify(Array(base64([0x30, UInt8(body.count)] + body).utf8), tools.p256)
        }
        for bad in [[0] + order, [0] + [UInt8](repeating: 0xff, count: 32)] {
            expectRefusal(.mismatch) { try verify(bad, s) }
            expectRefusal(.mismatch) { try verify(r, bad) }
        }
        expectRefusal(.mismatch) { try verify([1], [1]) }
    }

    @Test("the other signature (r, n - s) verifies as well, and the result is the same: it identifies nothing")
    func malleated() throws {
        let (r, s) = try integers(tools.ecdsa)
        let other = subtract(s, from: order)
        let body = [0x02, UInt8(r.count)] + r + [0x02, UInt8(other.count)] + other
        let malleated = Array(base64([0x30, UInt8(body.count)] + body).utf8)
        #expect(malleated != tools.base64ECDSA)
        let verified = try tools.fixture.verify(malleated, tools.p256)
        #expect(verified == (try tools.fixture.verify(tools.base64ECDSA, tools.p256)))
    }

    @Test("an empty file, one that is too large, and noise are refused")
    func noise() throws {
        expectRefusal(.empty) { _ = try DetachedSignature(file: []) }
        let limit = DetachedSignature.byteLimit
        expectRefusal(.tooLarge) { _ = try DetachedSignature(file: [UInt8](repeating: 0x41, count: limit + 1)) }
        #expect(throws: Never.self) { _ = try DetachedSignature(file: [UInt8](repeating: 0x41, count: limit)) }
        expectRefusal(.unrecognised) { _ = try DetachedSignature(file: [0, 1, 2]) }
        expectRefusal(.notBase64) { _ = try DetachedSignature(file: Array("-----BEGIN PGP SIGNATURE-----\n".utf8)) }
    }

    @Test("an empty file can be signed: nothing special happens")
    func emptyContent() throws {
        let empty = try SealedFixture([])
        let file = try tools.directory.write([], to: "empty")
        let output = tools.directory.file("empty.sig")
        try runTool(
            "openssl", ["dgst", "-sha256", "-sign", tools.directory.file("ec.pem"), "-out", output, file],
            package: "openssl")
        let signature = try bytes(of: output)
        #expect(throws: Never.self) { _ = try empty.verify(Array(base64(signature).utf8), tools.p256) }
    }

    // MARK: - Numbers

    /// n of P-256 (SEC 2, 2.4.2).
    private let order: [UInt8] = [
        0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ]

    private func signature(where isWanted: (String) -> Bool) throws -> String {
        let (key, output) = (tools.directory.file("ec.pem"), tools.directory.file("again.sig"))
        for _ in 0..<200 {
            try runTool(
                "openssl", ["dgst", "-sha256", "-sign", key, "-out", output, tools.directory.file("content")],
                package: "openssl")
            let text = base64(try bytes(of: output))
            if isWanted(text) { return text }
        }
        throw SignatureError(.cryptography, "no suitable signature in 200 tries")
    }

    /// The same digit with its lowest bit, which stands for no byte, set.
    private func surplusBit(_ digit: Character) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        return alphabet.firstIndex(of: digit).map { String(alphabet[$0 | 1]) } ?? "?"
    }

    private func integers(_ der: [UInt8]) throws -> (r: [UInt8], s: [UInt8]) {
        let r = Array(der[4..<4 + Int(der[3])])
        let s = Array(der[(6 + r.count)...])
        try #require(s.count == Int(der[5 + r.count]))
        return (r, s)
    }

    /// The minimal DER content of n - s.
    private func subtract(_ s: [UInt8], from n: [UInt8]) -> [UInt8] {
        let padded = [UInt8](repeating: 0, count: max(0, 32 - s.count)) + s.suffix(32)
        var result: [UInt8] = []
        var borrow = 0
        for (a, b) in zip(n.reversed(), padded.reversed()) {
            var digit = Int(a) - Int(b) - borrow
            borrow = digit < 0 ? 1 : 0
            if digit < 0 { digit += 256 }
            result.insert(UInt8(digit), at: 0)
        }
        while result.count > 1, result[0] == 0, result[1] < 0x80 { result.removeFirst() }
        return result[0] >= 0x80 ? [0] + result : result
    }
}

extension [UInt8] {
    func replacingByte(_ index: Int, _ value: UInt8) -> [UInt8] {
        var copy = self
        copy[index] = value
        return copy
    }
}
