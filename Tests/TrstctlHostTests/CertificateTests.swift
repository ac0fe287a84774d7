import Synchronization
import Testing
import TrstctlCrypto
import TrstctlSystem
import TrstctlTestSupport

/// Counts calls.
final class Counter: Sendable {
    private let count = Mutex(0)
    /// The number of earlier calls.
    func next() -> Int {
        count.withLock {
            $0 += 1; return $0 - 1
        }
    }
    var value: Int { count.withLock { $0 } }
}

/// X.509 extension numbers of OpenSSL's obj_mac.h, which these tests do not import.
let keyUsage: Int32 = 83
let subjectAltName: Int32 = 85

/// Certificates, keys and PEM as the host reads them.
@Suite struct CertificateTests {
    let pki: TestPKI

    init() throws { pki = try TestPKI() }

    @Test func `Names are shown in RFC 2253 form without control characters`() throws {
        let odd = try pki.identity(
            CertificateRequest(subject: "a,b\u{1b}[31m\u{e9}", names: ["x.example"], isAuthority: false), by: pki.root)
        #expect(odd.certificate.subject == "CN=a\\,b\\1B[31m\\C3\\A9")
        #expect(odd.certificate.issuer == "CN=Test Root CA")
        #expect(odd.certificate.dnsNames == ["x.example"])
    }

    @Test func `A control character in a DNS name cannot make it another name`() throws {
        let odd = try pki.identity(
            CertificateRequest(
                subject: "odd", isAuthority: false,
                extensions: [(nid: subjectAltName, value: "DER:30:09:82:07:61:2e:62:00:2e:63:64")]), by: pki.root)
        #expect(odd.certificate.dnsNames == ["a.b?.cd"])
    }

    @Test func `Bytes around or inside a certificate that do not belong are refused`() throws {
        let der = pki.root.certificate.der.array
        func code(_ bytes: [UInt8]) -> CertificateError.Code? {
            do throws(CertificateError) {
                _ = try Certificate(der: Bytes(bytes))
                return nil
            } catch {
                return error.code
            }
        }
        #expect(code(der) == nil)
        #expect(code(der + [0]) == .trailingBytes)
        #expect(code([]) == .malformed)
        #expect(code(Array(der.dropLast())) == .malformed)
        // The same certificate with a length that DER would write in fewer bytes (BER allows it).
        #expect(der[1] == 0x82)
        #expect(code([0x30, 0x83, 0] + der[2...]) == .notDER)
        for cut in stride(from: 0, to: der.count, by: 7) {
            #expect(code(Array(der.prefix(cut))) != nil)
            var flipped = der
            flipped[cut] ^= 0xff
            _ = code(flipped)
        }
    }

    @Test func `An issuer is recognised by name and signature`() throws {
        let made = try pki.issue("www")
        let twin = try TestPKI()
        #expect(made.leaf.isIssued(by: pki.intermediate.certificate))
        #expect(!made.leaf.isIssued(by: pki.root.certificate))
        #expect(!made.leaf.isIssued(by: twin.intermediate.certificate))
        #expect(pki.root.certificate.isSelfSigned)
        #expect(!made.leaf.isSelfIssued)
        // The right key under the wrong name.
        let renamed = try TestIdentity(
            CertificateRequest(subject: "Another CA", isAuthority: true), algorithm: .ecdsaP256, issuer: pki.root,
            sharing: pki.intermediate)
        #expect(renamed.certificate.hasSamePublicKey(as: pki.intermediate.certificate))
        #expect(!made.leaf.isIssued(by: renamed.certificate))
        // The right name, no key identifiers, the wrong key: only the signature tells.
        let plain = CertificateRequest(subject: "CA", isAuthority: true, extensions: [(nid: 82, value: "")])
        let first = try pki.identity(plain, by: nil)
        let second = try pki.identity(plain, by: nil)
        let leaf = try pki.identity(
            CertificateRequest(subject: "www", isAuthority: false, extensions: [(nid: 90, value: "")]), by: first)
        #expect(leaf.certificate.isIssued(by: first.certificate))
        #expect(!leaf.certificate.isIssued(by: second.certificate))
        #expect(!first.certificate.hasSamePublicKey(as: second.certificate))
    }

    @Test func `A key whose halves do not belong together does not match`() throws {
        let mine = try pki.issue("mine")
        let blocks = try PEM.blocks(in: mine.identity.keyPEM(.traditional))
        let other = try PEM.blocks(in: try pki.issue("other").identity.keyPEM(.traditional))
        var bytes = try #require(blocks.first).contents.array
        // RFC 5915: SEQUENCE, version, OCTET STRING of 32 bytes at offset 7, then the public half.
        #expect(bytes[5] == 4 && bytes[6] == 32)
        bytes.replaceSubrange(7..<39, with: try #require(other.first).contents.array[7..<39])
        let forged = try PrivateKey(
            blocks: PEM.blocks(in: PEM.encode(label: "EC PRIVATE KEY", contents: Bytes(bytes, isSecret: true))))
        #expect(try PrivateKey(blocks: blocks).matches(mine.leaf))
        #expect(!forged.matches(mine.leaf))
    }

    @Test func `An encrypted key under a plain label never leads to a prompt`() throws {
        let encrypted = try PEM.blocks(in: try pki.issue("www").identity.keyPEM(.encryptedPKCS8))
        let contents = try #require(encrypted.first).contents
        let disguised = try PEM.blocks(in: PEM.encode(label: "PRIVATE KEY", contents: contents))
        #expect(throws: PrivateKeyError.self) { try PrivateKey(blocks: disguised) }
    }

    @Test(arguments: [TestPKI.Algorithm.ecdsaP256, .rsa2048])
    func `A traditional key is converted to PKCS#8`(algorithm: TestPKI.Algorithm) throws {
        let made = try pki.issue("www", algorithm: algorithm)
        let key = try PrivateKey(blocks: PEM.blocks(in: made.identity.keyPEM(.traditional)))
        #expect(key.kind == (algorithm == .ecdsaP256 ? .sec1 : .pkcs1))
        #expect(key.pem.isSecret)
        let converted = try key.encoded(as: .pkcs8)
        #expect(converted.isSecret)
        #expect(converted == (try made.identity.keyPEM(.pkcs8)))
    }

    @Test func `A PEM file is bounded, and a block that servers would skip is refused`() throws {
        let pem = pki.root.certificate.pem
        let text = try #require(pem.text)
        func code(_ bytes: Bytes) -> PEMError.Code? {
            do throws(PEMError) {
                _ = try PEM.blocks(in: bytes)
                return nil
            } catch {
                return error.code
            }
        }
        #expect(try PEM.blocks(in: Bytes("note\n\(text)\nnote\n\(text)")).map(\.text) == [pem, pem])
        #expect(try PEM.blocks(in: Bytes()).isEmpty)
        #expect(code(Bytes("\u{feff}\(text)")) == .malformed)
        #expect(code(Bytes(" \(text)")) == .malformed)
        #expect(code(Bytes(text.replacing("-----END", with: "----END"))) == .malformed)
        #expect(code(Bytes(text.replacing("MII", with: "M!I"))) == .malformed)
        #expect(code(Bytes([UInt8](repeating: 10, count: PEM.byteLimit + 1))) == .tooBig)
        #expect(code(Bytes([UInt8](repeating: 10, count: PEM.byteLimit))) == nil)
        let many = Array(repeating: "-----BEGIN X-----\nAAAA\n-----END X-----\n", count: PEM.blockLimit)
        #expect(code(Bytes(many.joined())) == nil)
        #expect(code(Bytes(many.joined() + many[0])) == .tooManyBlocks)
    }
}
