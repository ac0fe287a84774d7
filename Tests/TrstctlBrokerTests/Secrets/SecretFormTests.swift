import Foundation
import Glibc
import Testing
import TrstctlCrypto
import TrstctlPolicy
import TrstctlSystem
import TrstctlTestSupport
import TrstctlWire

@testable import TrstctlBroker

/// Every form of a secret, read by the openssl command: a reader that shares no code with the writer's choices.
@Suite("Forms of secrets")
struct SecretFormTests {
    private struct Unreadable: Error { let words: [String] }

    private let pki: TestPKI
    private let directory: TestDirectory

    init() throws {
        pki = try TestPKI()
        directory = try TestDirectory()
    }

    private func source(
        _ credential: TestCredential, key: Bytes? = nil, password: String? = nil,
        fields: [(name: String, bytes: Bytes)] = []
    ) throws -> SecretSource {
        var fields = fields
        if let password { fields.append((name: "password", bytes: Bytes(Array(password.utf8), isSecret: true))) }
        return SecretSource(
            [
                (name: "key", bytes: try key ?? credential.identity.keyPEM(.pkcs8)),
                (name: "certificate", bytes: credential.leaf.pem), (name: "chain", bytes: pki.pem(credential.chain)),
                (name: "fullchain", bytes: pki.pem([credential.leaf] + credential.chain)),
            ], fields: fields)
    }

    private func content(_ source: SecretSource, _ reference: Wire.SecretReference) throws -> Bytes {
        try source.assemble([Wire.Segment(kind: .secret(reference))], limit: 3 << 20, field: "content")
    }

    /// Runs a command on the bytes as a file; its standard output.
    @discardableResult
    private func run(_ words: [String], on bytes: Bytes = Bytes()) throws -> String {
        let path = directory["input"]
        try Data(bytes.array).write(to: URL(fileURLWithPath: path))
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = words.map { $0 == "FILE" ? path : $0 }
        let output = Pipe()
        process.standardOutput = output
        process.standardError = Pipe()
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Unreadable(words: words) }
        return String(decoding: data, as: UTF8.self)
    }

    private func publicKey(_ credential: TestCredential) throws -> String {
        try run(["openssl", "x509", "-in", "FILE", "-noout", "-pubkey"], on: credential.leaf.pem)
    }

    @Test(
        "A key in each PEM form is the same key to openssl, whatever form its file has",
        arguments: [
            (TestPKI.Algorithm.ecdsaP256, Wire.SecretReference.Encoding.pemSec1, "EC PRIVATE KEY"),
            (.ecdsaP256, .pemPkcs8, "PRIVATE KEY"), (.rsa2048, .pemPkcs1, "RSA PRIVATE KEY"),
            (.rsa2048, .pemPkcs8, "PRIVATE KEY"),
        ])
    func pem(_ algorithm: TestPKI.Algorithm, _ form: Wire.SecretReference.Encoding, _ label: String) throws {
        let credential = try pki.issue("www.example.com", algorithm: algorithm)
        for stored in [TestPKI.KeyFormat.pkcs8, .traditional] {
            let source = try source(credential, key: credential.identity.keyPEM(stored))
            let bytes = try content(source, Wire.SecretReference(name: "key", encoding: form))
            #expect(bytes.isSecret)
            #expect(bytes.text?.hasPrefix("-----BEGIN \(label)-----\n") == true)
            #expect(bytes.text?.hasSuffix("-----END \(label)-----\n") == true)
            #expect(
                try run(["openssl", "pkey", "-in", "FILE", "-pubout"], on: bytes) == publicKey(credential))
        }
    }

    @Test("DER is PKCS#8 for a key and X.509 for a certificate", arguments: [TestPKI.Algorithm.ecdsaP256, .rsa2048])
    func der(_ algorithm: TestPKI.Algorithm) throws {
        let credential = try pki.issue("www.example.com", algorithm: algorithm)
        let source = try source(credential, key: credential.identity.keyPEM(.traditional))
        let key = try content(source, Wire.SecretReference(name: "key", encoding: .der))
        #expect(key.isSecret)
        #expect(
            try run(["openssl", "pkcs8", "-inform", "DER", "-in", "FILE", "-nocrypt"], on: key)
                .hasPrefix("-----BEGIN PRIVATE KEY-----"))
        #expect(
            try run(["openssl", "pkey", "-inform", "DER", "-in", "FILE", "-pubout"], on: key) == publicKey(credential))
        let certificate = try content(source, Wire.SecretReference(name: "certificate", encoding: .der))
        #expect(certificate == credential.leaf.der && !certificate.isSecret)
        // A chain of one certificate is one certificate.
        #expect(
            try content(source, Wire.SecretReference(name: "chain", encoding: .der)) == credential.chain.first?.der)
    }

    @Test(
        "A form that the secret does not have is INVALID_ARGUMENT, and the error says what it has",
        arguments: [
            ("rsa", Wire.SecretReference.Encoding.pemSec1, "SEC1 is no form of RSA keys"),
            ("ec", .pemPkcs1, "PKCS#1 is no form of EC keys"),
        ])
    func wrongKind(_ kind: String, _ form: Wire.SecretReference.Encoding, _ text: String) throws {
        let credential = try pki.issue("www.example.com", algorithm: kind == "rsa" ? .rsa2048 : .ecdsaP256)
        let source = try source(credential)
        let error = #expect(throws: EffectError.self) {
            try content(source, Wire.SecretReference(name: "key", encoding: form))
        }
        #expect(error?.status.code == .invalidArgument && error?.message.contains(text) == true, "\(error as Any)")
    }

    @Test("A chain is no DER, a certificate no key, a word no key, and nothing but the key makes a PKCS#12 file")
    func wrongSecret() throws {
        let credential = try pki.issue("www.example.com")
        let source = try source(credential, password: "correct horse")
        let references = [
            Wire.SecretReference(name: "fullchain", encoding: .der),
            Wire.SecretReference(name: "certificate", encoding: .pemPkcs8),
            Wire.SecretReference(name: "password", encoding: .pemPkcs8),
            Wire.SecretReference(name: "password", encoding: .der),
            Wire.SecretReference(name: "certificate", encoding: .pkcs12),
            Wire.SecretReference(name: "key", encoding: .pkcs12, passwordName: "passwort"),
            Wire.SecretReference(name: "key", encoding: .pkcs12, passwordName: "certificate"),
            Wire.SecretReference(name: "key", encoding: .pkcs12, pkcs12Profile: .unrecognized(7)),
            Wire.SecretReference(name: "key", encoding: .pemPkcs8, passwordName: "password"),
            Wire.SecretReference(name: "key", encoding: .raw, wrapping: .unrecognized(9)),
        ]
        for reference in references {
            let error = #expect(throws: EffectError.self, "\(reference)") { try content(source, reference) }
            #expect(error?.status.code == .invalidArgument, "\(error as Any)")
            #expect(error?.description.contains("correct horse") == false)
        }
    }

    @Test("A key of a secret field has the forms of a key too")
    func fieldWithKey() throws {
        let credential = try pki.issue("www.example.com")
        let client = try pki.issue("client.example.com")
        let source = try source(credential, fields: [(name: "client_key", bytes: client.identity.keyPEM(.traditional))])
        let bytes = try content(source, Wire.SecretReference(name: "client_key", encoding: .pemPkcs8))
        #expect(try run(["openssl", "pkey", "-in", "FILE", "-pubout"], on: bytes) == publicKey(client))
    }

    @Test(
        "A PKCS#12 file opens with openssl and its password, and holds key, leaf and chain",
        arguments: [Wire.SecretReference.Pkcs12Profile.modern, .legacy3des], [nil, "", "correct horse", "pässwörd"])
    func pkcs12(_ profile: Wire.SecretReference.Pkcs12Profile, _ password: String?) throws {
        for algorithm in [TestPKI.Algorithm.ecdsaP256, .rsa2048] {
            let credential = try pki.issue("www.example.com", algorithm: algorithm)
            let source = try source(credential, password: password)
            let reference = Wire.SecretReference(
                name: "key", encoding: .pkcs12, pkcs12Profile: profile, passwordName: password == nil ? "" : "password")
            let file = try content(source, reference)
            #expect(file.isSecret)
            let pass = "pass:\(password ?? "")"
            let open = ["openssl", "pkcs12", "-in", "FILE", "-passin", pass]
            #expect(
                try run(
                    [
                        "sh", "-c",
                        "openssl pkcs12 -in '\(directory["input"])' -passin 'pass:\(password ?? "")' -nocerts -nodes | openssl pkey -pubout",
                    ], on: file)
                    == publicKey(credential))
            let certificates = try run(open + ["-nokeys"], on: file)
            #expect(certificates.components(separatedBy: "BEGIN CERTIFICATE").count == 3)
            #expect(try run(open + ["-nokeys", "-clcerts"], on: file).contains("www.example.com"))
            #expect(throws: (any Error).self) {
                try run(["openssl", "pkcs12", "-in", "FILE", "-passin", "pass:wrong", "-noout"], on: file)
            }
            let info = try run(
                [
                    "sh", "-c",
                    "openssl pkcs12 -in '\(directory["input"])' -passin 'pass:\(password ?? "")' -info -noout 2>&1",
                ], on: file)
            let expected =
                profile == .modern
                ? ["MAC: sha256, Iteration 10000", "PBES2, PBKDF2, AES-256-CBC, Iteration 10000, PRF hmacWithSHA256"]
                : ["MAC: sha1, Iteration 2048", "pbeWithSHA1And3-KeyTripleDES-CBC, Iteration 2048"]
            for text in expected { #expect(info.contains(text), "\(info)") }
        }
    }

    @Test(
        "Java opens a PKCS#12 file too",
        .enabled(if: Tool.isExpected("keytool"), "needs keytool, which is Java's"),
        arguments: [Wire.SecretReference.Pkcs12Profile.modern, .legacy3des])
    func java(_ profile: Wire.SecretReference.Pkcs12Profile) throws {
        let source = try source(try pki.issue("www.example.com"), password: "correct horse")
        let reference = Wire.SecretReference(
            name: "key", encoding: .pkcs12, pkcs12Profile: profile, passwordName: "password")
        let words = ["keytool", "-list", "-v", "-keystore", "FILE", "-storetype", "PKCS12", "-storepass"]
        let listing = try run(words + ["correct horse"], on: try content(source, reference))
        #expect(listing.contains("PrivateKeyEntry") && listing.contains("chain length: 2"), "\(listing)")
    }

    @Test("The same credential gives the same file, another password or profile another one")
    func stable() throws {
        let credential = try pki.issue("www.example.com")
        let renewed = try pki.issue("www.example.com")
        var files: Set<Bytes> = []
        for profile in [Wire.SecretReference.Pkcs12Profile.modern, .legacy3des] {
            for (credential, password) in [(credential, "one"), (credential, "two"), (renewed, "one")] {
                let source = try source(credential, password: password)
                let reference = Wire.SecretReference(
                    name: "key", encoding: .pkcs12, pkcs12Profile: profile, passwordName: "password")
                let file = try content(source, reference)
                #expect(try content(source, reference) == file)
                files.insert(file)
            }
        }
        #expect(files.count == 6)
    }

    @Test("Stat recognises a PKCS#12 file that was written before")
    func idempotent() throws {
        let credential = try pki.issue("www.example.com")
        let scope = try scope(.mutating, below: [directory.path], secrets: source(credential, password: "one"))
        let segment = Wire.Segment(
            kind: .secret(Wire.SecretReference(name: "key", encoding: .pkcs12, passwordName: "password")))
        #expect(scope.write(directory["a.pfx"], [segment], mode: 0o644).code == .invalidArgument)
        #expect(scope.write(directory["a.pfx"], [segment]).code == .ok)
        #expect(scope.stat(directory["a.pfx"], compareTo: [segment]).statResponse?.contentEqual == true)
    }

    @Test("A password that PKCS#12 cannot hold is refused", arguments: ["a\0b", String(repeating: "x", count: 1_025)])
    func badPassword(_ password: String) throws {
        let source = try source(try pki.issue("www.example.com"), password: password)
        #expect(throws: EffectError.self) {
            try content(source, Wire.SecretReference(name: "key", encoding: .pkcs12, passwordName: "password"))
        }
    }

    @Test("A JSON string comes back from a JSON reader as it was, also around another form")
    func json() throws {
        let odd = "a\"b\\c\u{1}\u{8}\t\n\u{c}\r\u{1f}é/\u{7f}😀"
        let credential = try pki.issue("www.example.com")
        let source = try source(
            credential, password: odd, fields: [(name: "binary", bytes: Bytes([0xFF, 0xFE], isSecret: true))])
        func read(_ reference: Wire.SecretReference) throws -> String {
            let body = try content(source, reference)
            #expect(body.isSecret)
            let document = Data([UInt8(ascii: "\"")] + body.array + [UInt8(ascii: "\"")])
            return try #require(JSONSerialization.jsonObject(with: document, options: .fragmentsAllowed) as? String)
        }
        #expect(try read(Wire.SecretReference(name: "password", encoding: .jsonString)) == odd)
        let plain = try content(source, Wire.SecretReference(name: "key", encoding: .pemPkcs8))
        #expect(
            try read(Wire.SecretReference(name: "key", encoding: .pemPkcs8, wrapping: .wrappingJsonString))
                == plain.text)
        let file = try content(source, Wire.SecretReference(name: "key", encoding: .pkcs12))
        let wrapped = try content(
            source, Wire.SecretReference(name: "key", encoding: .pkcs12, wrapping: .wrappingBase64))
        #expect(Data(base64Encoded: Data(wrapped.array)) == Data(file.array))
        #expect(throws: EffectError.self) {
            try content(source, Wire.SecretReference(name: "binary", encoding: .jsonString))
        }
    }

    @Test("The limit holds for what is encoded, before it is")
    func limit() throws {
        let source = SecretSource(
            [], fields: [(name: "a", bytes: Bytes([UInt8](repeating: 1, count: 30), isSecret: true))])
        for (form, fits) in [(Wire.SecretReference.Encoding.jsonString, 180), (.base64, 40)] {
            let segment = Wire.Segment(kind: .secret(Wire.SecretReference(name: "a", encoding: form)))
            #expect(try source.assemble([segment], limit: fits, field: "content").count == fits)
            let error = #expect(throws: EffectError.self) {
                try source.assemble([segment], limit: fits - 1, field: "content")
            }
            #expect(error?.status.code == .resourceExhausted)
        }
    }
}
