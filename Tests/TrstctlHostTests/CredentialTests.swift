import Glibc
import Testing
import TrstctlCrypto
import TrstctlHost
import TrstctlSystem
import TrstctlTestSupport

/// What a credential is refused for, and what it says when it is fine.
@Suite struct CredentialTests {
    let pki: TestPKI
    let now = Int64(time(nil))

    init() throws { pki = try TestPKI() }

    func load(_ certificate: String, _ key: String, chain: String? = nil) throws(CredentialError) -> Credential {
        try CredentialLoader.load(certificatePath: certificate, keyPath: key, chainPath: chain, now: now)
    }

    /// The error of a load that must fail.
    func refusal(_ certificate: String, _ key: String, chain: String? = nil) -> CredentialError? {
        do throws(CredentialError) {
            _ = try load(certificate, key, chain: chain)
            return nil
        } catch {
            return error
        }
    }

    func code(_ certificate: String, _ key: String, chain: String? = nil) -> CredentialError.Code? {
        refusal(certificate, key, chain: chain)?.code
    }

    @Test(arguments: [TestPKI.Algorithm.ecdsaP256, .rsa2048], [TestPKI.KeyFormat.pkcs8, .traditional])
    func `A chain with its key is loaded, and written back leaf first`(
        algorithm: TestPKI.Algorithm, format: TestPKI.KeyFormat
    ) throws {
        let made = try pki.issue(
            "www.example.org", names: ["www.example.org", "*.example.org", "192.0.2.1", "2001:db8::1"],
            algorithm: algorithm, keyFormat: format)
        let credential = try load(made.fullchainPath, made.keyPath)
        #expect(credential.leaf == made.leaf)
        #expect(credential.chain == [pki.intermediate.certificate])
        #expect(credential.fingerprint == made.fingerprint)
        #expect(credential.names == ["www.example.org", "*.example.org", "192.0.2.1", "2001:db8::1"])
        #expect(credential.fullchainPEM == pki.pem([made.leaf, pki.intermediate.certificate]))
        #expect(credential.certificatePEM == made.leaf.pem)
        #expect(credential.chainPEM == pki.intermediate.certificate.pem)
        #expect(credential.keyPEM == (try made.identity.keyPEM(format)))
        #expect(credential.keyPEM.isSecret)
        #expect(credential.notBefore <= now && credential.notAfter > now)
        #expect(credential.warnings.isEmpty)
    }

    @Test func `Leaf and chain may be two files, and one file may hold everything`() throws {
        let made = try pki.issue("www")
        let split = try load(made.certificatePath, made.keyPath, chain: made.chainPath)
        #expect(split.chain == made.chain)
        let all = pki.pem([made.leaf] + made.chain).array + (try made.identity.keyPEM(.traditional)).array
        let combined = try pki.write("combined.pem", Bytes(all), mode: 0o600)
        #expect(try load(combined, combined).fullchainPEM == split.fullchainPEM)
    }

    @Test func `Line ends and comments of the source do not reach the chain that is deployed`() throws {
        let made = try pki.issue("www")
        let text = try #require(pki.pem([made.leaf] + made.chain).text)
        let windows = "subject=CN = www\r\n" + text.split(separator: "\n").joined(separator: "\r\n") + "\r\n"
        let path = try pki.write("crlf.crt", Bytes(windows))
        #expect(try load(path, made.keyPath).fullchainPEM == pki.pem([made.leaf] + made.chain))
    }

    @Test func `Symbolic links of certbot's kind are followed`() throws {
        let made = try pki.issue("www")
        #expect(symlink("www.fullchain.crt", "\(pki.directory)/live.pem") == 0)
        #expect(try load("\(pki.directory)/live.pem", made.keyPath).fingerprint == made.fingerprint)
    }

    @Test func `Files that are no credential files are refused by what they are`() throws {
        let made = try pki.issue("www")
        let empty = try pki.write("empty", Bytes())
        let big = try pki.write("big", Bytes([UInt8](repeating: 10, count: CredentialFile.limit + 1)))
        let binary = try pki.write("www.der", made.leaf.der)
        let text = try pki.write("text", "hello\n")
        let fifo = "\(pki.directory)/fifo"
        #expect(mkfifo(fifo, 0o600) == 0)
        #expect(code("\(pki.directory)/absent", made.keyPath) == .missing)
        #expect(code("\(made.certificatePath)\0x", made.keyPath) == .missing)
        #expect(code(pki.directory, made.keyPath) == .notRegular)
        #expect(code(fifo, made.keyPath) == .notRegular)
        #expect(code(empty, made.keyPath) == .empty)
        // A regular file that holds more than its size says, as one that grows does.
        #expect(code("/proc/self/status", made.keyPath) == .changing)
        #expect(code(big, made.keyPath) == .tooBig)
        #expect(code(binary, made.keyPath) == .notPEM)
        #expect(refusal(binary, made.keyPath)?.next.contains("openssl x509 -inform DER") == true)
        #expect(code(text, made.keyPath) == .notPEM)
        #expect(code(made.keyPath, made.keyPath) == .noCertificate)
        #expect(code(made.certificatePath, made.keyPath, chain: made.keyPath) == .noCertificate)
        let trusted = try #require(made.leaf.pem.text).replacing(" CERTIFICATE", with: " TRUSTED CERTIFICATE")
        #expect(code(try pki.write("trusted.crt", Bytes(trusted)), made.keyPath) == .malformed)
        #expect(code(made.certificatePath, made.certificatePath) == .noKey)
    }

    @Test(.enabled(if: geteuid() != 0, "root reads everything"))
    func `A file without read permission is refused as unreadable`() throws {
        let made = try pki.issue("www")
        #expect(chmod(made.keyPath, 0) == 0)
        #expect(code(made.fullchainPath, made.keyPath) == .unreadable)
    }

    @Test(arguments: [TestPKI.KeyFormat.encryptedPKCS8, .encryptedTraditional])
    func `An encrypted key is refused without asking for its passphrase`(format: TestPKI.KeyFormat) throws {
        let made = try pki.issue("www", keyFormat: format)
        let error = try #require(refusal(made.fullchainPath, made.keyPath))
        #expect(error.code == .keyEncrypted)
        #expect(error.next.contains("openssl pkey -in \(made.keyPath)"))
    }

    @Test func `Two keys, a foreign kind of key and a damaged key are refused`() throws {
        let made = try pki.issue("www")
        let key = try made.identity.keyPEM(.pkcs8)
        let text = try #require(key.text)
        let two = try pki.write("two.key", Bytes(key.array + key.array))
        let ssh = try pki.write("ssh.key", Bytes(text.replacing(" PRIVATE", with: " OPENSSH PRIVATE")))
        let cut = try pki.write("cut.key", Bytes(Array(key.array.prefix(80))))
        let damaged = try pki.write(
            "damaged.key", PEM.encode(label: "PRIVATE KEY", contents: Bytes([0x30, 3, 2, 1, 0])))
        #expect(code(made.fullchainPath, two) == .severalKeys)
        #expect(code(made.fullchainPath, ssh) == .keyUnsupported)
        #expect(code(made.fullchainPath, cut) == .malformed)
        #expect(code(made.fullchainPath, damaged) == .malformed)
    }

    @Test func `Another certificate's key is refused`() throws {
        let made = try pki.issue("www")
        let other = try pki.issue("other")
        let rsa = try pki.issue("rsa", algorithm: .rsa2048)
        #expect(code(made.fullchainPath, other.keyPath) == .keyMismatch)
        #expect(code(made.fullchainPath, rsa.keyPath) == .keyMismatch)
    }

    @Test func `A key that belongs to a later certificate is told apart, with the right order`() throws {
        let made = try pki.issue("www")
        let path = try pki.write("reversed.crt", pki.pem(made.chain + [made.leaf]))
        let error = try #require(refusal(path, made.keyPath))
        #expect(error.code == .leafNotFirst)
        #expect(error.found.contains("certificate 2 (CN=www)"))
        #expect(
            error.next == "Write the certificates in this order: certificate 2 (CN=www), "
                + "then certificate 1 (CN=Test Intermediate CA).")
    }

    @Test func `No order is advised when there are two`() throws {
        // A root and its renewal with the same key issued each other, and both issued the leaf.
        let authority = CertificateRequest(subject: "Root", isAuthority: true)
        let first = try pki.identity(authority, by: nil)
        let second = try TestIdentity(authority, algorithm: .ecdsaP256, issuer: nil, sharing: first)
        let leaf = try pki.identity(CertificateRequest(subject: "www", isAuthority: false), by: first)
        let path = try pki.write("two.crt", pki.pem([first, second, leaf].map(\.certificate)))
        let key = try pki.write("two.key", leaf.keyPEM(.pkcs8), mode: 0o600)
        let error = try #require(refusal(path, key))
        #expect(error.code == .leafNotFirst)
        #expect(error.next == "Put the key's certificate first, then each issuer.")
    }

    @Test func `A misordered chain is refused with the right order, not repaired`() throws {
        let made = try pki.issue("www")
        let root = pki.root.certificate
        let path = try pki.write("mixed.crt", pki.pem([made.leaf, root] + made.chain))
        let error = try #require(refusal(path, made.keyPath))
        #expect(error.code == .chainMisordered)
        #expect(
            error.next.hasSuffix("then certificate 3 (CN=Test Intermediate CA), then certificate 2 (CN=Test Root CA)."))
    }

    @Test func `A chain with a certificate that did not issue its predecessor is refused`() throws {
        let made = try pki.issue("www")
        let stranger = try TestPKI()
        let sameNames = try pki.write("foreign.crt", stranger.pem([made.leaf, stranger.intermediate.certificate]))
        let gap = try pki.write("gap.crt", pki.pem([made.leaf, pki.root.certificate]))
        #expect(code(sameNames, made.keyPath) == .chainBroken)
        #expect(code(gap, made.keyPath) == .chainBroken)
    }

    @Test func `A chain through a certificate that is no authority is refused`() throws {
        let fake = try pki.identity(
            CertificateRequest(
                subject: "not a CA", isAuthority: false, extensions: [(nid: keyUsage, value: "keyCertSign")]),
            by: pki.root)
        let leaf = try pki.identity(CertificateRequest(subject: "www", isAuthority: false), by: fake)
        let path = try pki.write("fake.crt", pki.pem([leaf.certificate, fake.certificate]))
        let key = try pki.write("fake.key", leaf.keyPEM(.pkcs8), mode: 0o600)
        let error = try #require(refusal(path, key))
        #expect(error.code == .chainBroken)
        #expect(error.found.contains("may not issue"))
    }

    @Test func `A certificate that occurs twice is refused, also across two files`() throws {
        let made = try pki.issue("www")
        let twice = try pki.write("twice.crt", pki.pem([made.leaf, made.leaf]))
        #expect(code(twice, made.keyPath) == .duplicateCertificate)
        let error = try #require(refusal(made.fullchainPath, made.keyPath, chain: made.fullchainPath))
        #expect(error.code == .duplicateCertificate)
        #expect(error.next.contains("Remove `chain:`"))
    }

    @Test func `An expired certificate is refused, wherever it stands in the chain`() throws {
        let expired = try pki.issue("old", startsAt: -7200, lasts: 3600)
        #expect(code(expired.fullchainPath, expired.keyPath) == .expired)
        let old = try pki.identity(
            CertificateRequest(subject: "Old CA", startsAt: -7200, lasts: 3600, isAuthority: true), by: pki.root)
        let leaf = try pki.identity(CertificateRequest(subject: "www", isAuthority: false), by: old)
        let path = try pki.write("oldca.crt", pki.pem([leaf.certificate, old.certificate]))
        let key = try pki.write("oldca.key", leaf.keyPEM(.pkcs8), mode: 0o600)
        #expect(refusal(path, key)?.found.hasPrefix("certificate 2 (CN=Old CA) expired at 2") == true)
    }

    @Test func `The last second counts as valid, and five minutes of clock difference are allowed`() throws {
        let made = try pki.issue("www")
        let loader = CredentialLoader(certificatePath: made.fullchainPath, keyPath: made.keyPath)
        func code(at moment: Int64) -> CredentialError.Code? {
            do throws(CredentialError) {
                _ = try loader.load(now: moment)
                return nil
            } catch {
                return error.code
            }
        }
        let start = max(made.leaf.notBefore, pki.intermediate.certificate.notBefore)
        #expect(code(at: made.leaf.notAfter) == nil)
        #expect(code(at: made.leaf.notAfter + 1) == .expired)
        #expect(code(at: start - 300) == nil)
        #expect(code(at: start - 301) == .notYetValid)
        #expect(code(at: .max) == .expired)
        #expect(code(at: .min) == .notYetValid)
    }

    @Test func `A root at the end stays with a warning, and goes when asked`() throws {
        let made = try pki.issue("www")
        let path = try pki.write("rooted.crt", pki.pem([made.leaf] + made.chain + [pki.root.certificate]))
        var loader = CredentialLoader(certificatePath: path, keyPath: made.keyPath)
        let kept = try loader.load(now: now)
        #expect(kept.chain.count == 2)
        #expect(kept.warnings.map(\.code) == [.rootInChain])
        loader.dropsRoot = true
        let dropped = try loader.load(now: now)
        #expect(dropped.chain == made.chain)
        #expect(dropped.warnings.isEmpty)
    }

    @Test func `An expired root at the end is a warning only`() throws {
        let root = try pki.identity(
            CertificateRequest(subject: "Old Root", startsAt: -7200, lasts: 3600, isAuthority: true), by: nil)
        let leaf = try pki.identity(CertificateRequest(subject: "www", isAuthority: false), by: root)
        let path = try pki.write("r.crt", pki.pem([leaf.certificate, root.certificate]))
        let key = try pki.write("r.key", leaf.keyPEM(.pkcs8), mode: 0o600)
        #expect(try load(path, key).warnings.map(\.code) == [.rootNotValid, .rootInChain])
    }

    @Test func `A self-signed leaf alone is fine`() throws {
        let made = try pki.issue("lab", by: .itself)
        let credential = try load(made.fullchainPath, made.keyPath)
        #expect(credential.chain.isEmpty)
        #expect(credential.warnings.isEmpty)
    }

    @Test func `A key file that others may read gives a warning`() throws {
        let made = try pki.issue("www")
        #expect(chmod(made.keyPath, 0o640) == 0)
        let warnings = try load(made.fullchainPath, made.keyPath).warnings
        #expect(warnings.map(\.code) == [.keyFilePermissions])
        #expect(warnings.first?.description.contains("0640") == true)
    }

    @Test func `More certificates than a chain has are refused`() throws {
        let made = try pki.issue("www")
        let path = try pki.write("many.crt", pki.pem(Array(repeating: made.leaf, count: PEM.certificateLimit + 1)))
        #expect(code(path, made.keyPath) == .tooManyCertificates)
    }

    @Test func `A renewal between the two reads is met by reading again, once`() throws {
        let old = try pki.issue("old")
        let new = try pki.issue("new")
        let reads = Counter()
        // The certificate is replaced after it was read for the first time.
        let loader = CredentialLoader(certificatePath: "cert", keyPath: "key") { path throws(CredentialError) in
            if path == "key" { return try CredentialFile.read(new.keyPath) }
            return try CredentialFile.read(reads.next() == 0 ? old.fullchainPath : new.fullchainPath)
        }
        #expect(try loader.load(now: now).fingerprint == new.fingerprint)
        #expect(reads.value == 2)
        let never = CredentialLoader(certificatePath: "cert", keyPath: "key") { path throws(CredentialError) in
            try CredentialFile.read(path == "key" ? new.keyPath : (reads.next(), old.fullchainPath).1)
        }
        #expect(throws: CredentialError.self) { try never.load(now: now) }
        #expect(reads.value == 4)
    }

    @Test func `No error or warning holds a line of the key`() throws {
        let made = try pki.issue("www")
        let lines = try #require(try made.identity.keyPEM(.pkcs8).text).split(separator: "\n").dropFirst().dropLast()
        let cut = try pki.write("cut.key", Bytes(Array(try made.identity.keyPEM(.pkcs8).array.dropLast(40))))
        for path in [cut, made.certificatePath] {
            let error = try #require(refusal(made.fullchainPath, path))
            #expect(!lines.contains { error.description.contains($0) })
        }
    }
}
