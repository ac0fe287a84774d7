import Foundation
import Testing
import TrstctlCrypto

/// S13, S15: minisign, against the real tool.
@Suite("minisign signatures")
struct MinisignTests {
    private let tools: SignatureTools

    init() throws { tools = try SignatureTools() }

    private var lines: [String] {
        String(decoding: tools.minisignFile, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    private func file(_ lines: [String]) -> [UInt8] { Array((lines.joined(separator: "\n") + "\n").utf8) }

    private func decoded(_ line: String) throws -> [UInt8] { Array(try #require(Data(base64Encoded: line))) }

    /// The file with one line decoded, changed, and encoded again.
    private func changing(_ line: Int, _ change: (inout [UInt8]) -> Void) throws -> [UInt8] {
        var lines = lines
        var bytes = try decoded(lines[line])
        change(&bytes)
        lines[line] = base64(bytes)
        return file(lines)
    }

    @Test("a file of the real tool verifies, and gives its trusted comment")
    func valid() throws {
        for end in [0, 1] {
            let verified = try tools.fixture.verify(tools.minisignFile.dropLast(end), tools.minisign)
            #expect(verified.form == .minisign)
            #expect(verified.algorithm == .ed25519)
            #expect(verified.keyID == tools.minisign.keyID)
            let comment = try #require(verified.trustedComment)
            #expect(comment.bytes == Array(SignatureTools.comment.utf8))
            #expect(comment.text == "name:nginx version:1.4.0 made by hand")
            #expect(comment.claim("name") == .value(Array("nginx".utf8)))
            #expect(comment.claim("version") == .value(Array("1.4.0".utf8)))
            #expect(comment.claim("platform") == .absent)
        }
    }

    @Test("the untrusted comment may say anything, and is not shown")
    func untrustedComment() throws {
        var changed = lines
        changed[0] = "untrusted comment: signed by somebody else"
        #expect(throws: Never.self) { _ = try tools.fixture.verify(file(changed), tools.minisign) }
        #expect(try DetachedSignature(file: file(changed)) == DetachedSignature(file: tools.minisignFile))
    }

    @Test("a legacy signature of the real tool is refused by name")
    func legacy() throws {
        let content = tools.directory.file("content")
        try runTool(
            "minisign",
            ["-S", "-l", "-s", tools.directory.file("minisign.key"), "-m", content, "-x", content + ".legacy"],
            package: "minisign")
        expectRefusal(.legacyMinisign) { _ = try DetachedSignature(file: bytes(of: content + ".legacy")) }
    }

    @Test("the algorithm cannot be confused: Ed for ED, ED for Ed, or another")
    func algorithm() throws {
        expectRefusal(.legacyMinisign) { _ = try DetachedSignature(file: changing(1) { $0[1] = UInt8(ascii: "d") }) }
        expectRefusal(.notMinisign) { _ = try DetachedSignature(file: changing(1) { $0[0] = UInt8(ascii: "e") }) }
        // A pure Ed25519 signature over the file is none over its hash.
        let ed = tools.ed25519.subjectPublicKeyInfo.suffix(32)
        let id = [UInt8](repeating: 9, count: 8)
        let key = try SignatureKey(text: Array(base64(Array("Ed".utf8) + id + ed).utf8))
        let pure = try changing(1) { $0 = Array("ED".utf8) + id + tools.edwards }
        expectRefusal(.mismatch) { _ = try tools.fixture.verify(pure, key) }
    }

    @Test("another key id is refused, whether or not the key is another")
    func keyID() throws {
        expectRefusal(.wrongKey) {
            _ = try tools.fixture.verify(changing(1) { $0[5] ^= 1 }, tools.minisign)
        }
        let other = try SignatureTools()
        expectRefusal(.wrongKey) { _ = try tools.fixture.verify(tools.minisignFile, other.minisign) }
        // The right id on another key.
        let id = try #require(tools.minisign.minisignKeyID)
        let posing = Array("Ed".utf8) + id + other.minisign.subjectPublicKeyInfo.suffix(32)
        let key = try SignatureKey(text: Array(base64(posing).utf8))
        expectRefusal(.mismatch) { _ = try tools.fixture.verify(tools.minisignFile, key) }
        // The same key without an id.
        let bare = try SignatureKey(text: Array(tools.minisign.pem.utf8))
        expectRefusal(.wrongKey) { _ = try tools.fixture.verify(tools.minisignFile, bare) }
    }

    @Test("other bytes and a changed signature do not verify")
    func changed() throws {
        let other = try SealedFixture(tools.fixture.bytes + [0])
        expectRefusal(.mismatch) { _ = try other.verify(tools.minisignFile, tools.minisign) }
        expectRefusal(.mismatch) {
            _ = try tools.fixture.verify(changing(1) { $0[40] ^= 1 }, tools.minisign)
        }
    }

    @Test("a changed trusted comment or global signature is refused")
    func trustedComment() throws {
        for comment in ["name:haproxy", SignatureTools.comment + " ", ""] {
            var changed = lines
            changed[2] = "trusted comment: \(comment)"
            expectRefusal(.globalMismatch, comment) { _ = try tools.fixture.verify(file(changed), tools.minisign) }
        }
        expectRefusal(.globalMismatch) {
            _ = try tools.fixture.verify(changing(3) { $0[0] ^= 1 }, tools.minisign)
        }
        expectRefusal(.globalMismatch) {
            _ = try tools.fixture.verify(changing(3) { $0 = [UInt8](repeating: 0, count: 64) }, tools.minisign)
        }
    }

    @Test("without the global signature there is no signature")
    func noGlobal() throws {
        for count in 2...3 {
            expectRefusal(.noGlobalSignature) { _ = try DetachedSignature(file: file(Array(lines.prefix(count)))) }
        }
        var untrusted = lines
        untrusted[2] = "untrusted comment: name:nginx"
        expectRefusal(.noGlobalSignature) { _ = try DetachedSignature(file: file(untrusted)) }
    }

    @Test("files that are cut, joined or written otherwise are refused")
    func malformed() throws {
        let text = String(decoding: tools.minisignFile, as: UTF8.self)
        let all = lines
        for (what, broken): (String, [UInt8]) in [
            ("one line", file([all[0]])), ("five lines", file(all + ["more"])), ("an empty line", file(all) + [0x0a]),
            ("a carriage return in the untrusted comment", file([all[0] + "\r"] + all.dropFirst())),
            ("carriage returns", Array(text.replacing("\n", with: "\r\n").utf8)),
            ("a space", file([all[0], all[1] + " ", all[2], all[3]])),
            ("a short signature", try changing(1) { $0.removeLast() }),
            ("a long signature", try changing(1) { $0.append(0) }),
            ("a short global signature", try changing(3) { $0.removeLast() }),
            ("no base64", file([all[0], "!", all[2], all[3]])),
            ("an empty signature", file([all[0], "", all[2], all[3]])),
        ] {
            expectRefusal(.notMinisign, what) { _ = try DetachedSignature(file: broken) }
        }
    }

    @Test("a trusted comment with control characters, or a huge one, is refused")
    func commentCharacters() throws {
        for comment in ["a\u{1b}[2Jb", "a\u{0}b", "a\u{7f}b", String(repeating: "x", count: 8193)] {
            var changed = lines
            changed[2] = "trusted comment: \(comment)"
            expectRefusal(.badTrustedComment) { _ = try DetachedSignature(file: file(changed)) }
        }
    }

    @Test("a word that stands twice in the trusted comment is relied on by nobody")
    func claims() throws {
        let secret = tools.directory.file("minisign.key")
        let content = tools.directory.file("content")
        func comment(_ text: String) throws -> TrustedComment {
            try runTool(
                "minisign", ["-S", "-s", secret, "-m", content, "-t", text, "-x", content + ".x"], package: "minisign")
            let verified = try tools.fixture.verify(bytes(of: content + ".x"), tools.minisign)
            return try #require(verified.trustedComment)
        }
        let twice = try comment("name:nginx name:haproxy")
        #expect(twice.claim("name") == .repeated)
        #expect(!twice.allows("name", "nginx") && !twice.allows("name", "haproxy"))
        let inside = try comment("filename:nginx xname:nginx name: é:name:x")
        #expect(inside.claim("name") == .value([]))
        #expect(!inside.allows("name", "nginx"))
        #expect(inside.text == "filename:nginx xname:nginx name: ??:name:x")
    }
}
