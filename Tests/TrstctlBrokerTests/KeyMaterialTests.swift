import Foundation
import Glibc
import Testing
import TrstctlCrypto
import TrstctlSystem
import TrstctlTestSupport
import TrstctlWire

@testable import TrstctlBroker
@testable import TrstctlPolicy

/// A connector names a key and never sees one: not the deployment's, and not one that lies in a file.
@Suite("Keys stay with the host")
struct KeyMaterialTests {
    private static let key = "-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----\n"
    let directory: TestDirectory
    let secrets = SecretSource([(name: "key", bytes: Bytes(Array(Self.key.utf8), isSecret: true))])

    init() throws {
        directory = try TestDirectory()
    }

    private func open(_ rights: ScopeRights, exec: [[String]] = []) throws -> BrokerScope {
        try scope(rights, below: [directory.path], exec: exec, secrets: secrets)
    }

    @Test("A key that was written by reference cannot be read back", arguments: [ScopeRights.mutating, .recording])
    func readBack(_ rights: ScopeRights) throws {
        let scope = try open(rights)
        #expect(scope.write(directory["a"], [.text("x"), .secret("key")]).code == .ok)
        let reply = scope.read(directory["a"])
        #expect(reply.code == .permissionDenied && reply.result == nil)
        #expect(scope.denials == 1)
        // What it may know is whether it is the right one.
        #expect(
            scope.stat(directory["a"], compareTo: [.text("x"), .secret("key")]).statResponse?.contentEqual == true)
    }

    @Test("A key without its PEM frame is recognised too, and so is another's key in a file")
    func otherForms() throws {
        let raw = SecretSource([(name: "key", bytes: Bytes([1, 2, 3, 4, 5, 6, 7, 8], isSecret: true))])
        let scope = try scope(.readOnly, below: [directory.path], secrets: raw)
        try directory.file("raw", "a\u{1}\u{2}\u{3}\u{4}\u{5}\u{6}\u{7}\u{8}b")
        try directory.file("old", "-----BEGIN EC PRIVATE KEY-----\nMHc\n-----END EC PRIVATE KEY-----\n")
        try directory.file("public", "-----BEGIN CERTIFICATE-----\n")
        #expect(scope.read(directory["raw"]).code == .permissionDenied)
        #expect(scope.read(directory["old"]).code == .permissionDenied)
        #expect(scope.read(directory["public"]).code == .ok)
    }

    @Test("A key without its PEM frame, and without its line breaks, is recognised")
    func withoutFrame() throws {
        let credential = try TestPKI().issue("www.example.com")
        let key = try credential.identity.keyPEM(.pkcs8)
        let scope = try scope(
            .mutating, below: [directory.path], exec: [["/bin/cat"]], secrets: SecretSource([(name: "key", bytes: key)])
        )
        let lines = (key.text ?? "").split(separator: "\n").filter { !$0.hasPrefix("-") }
        let body = lines.joined()
        try directory.file("oneline", "key=\(body)\n")
        #expect(scope.read(directory["oneline"]).code == .permissionDenied)
        let der = Array(try #require(Data(base64Encoded: body)))
        #expect(scope.exec(["/bin/cat"], stdin: [Wire.Segment(kind: .literal(Bytes(der)))]).code == .permissionDenied)
        #expect(scope.exec(["/bin/cat"], stdin: [.text(String(body.dropLast(8)))]).code == .permissionDenied)
        #expect(scope.exec(["/bin/cat"], stdin: [.text(String(body.suffix(80)))]).code == .ok)
    }

    @Test(
        "Every form in which the host writes a key is recognised, also in a later run",
        arguments: [TestPKI.Algorithm.ecdsaP256, .rsa2048])
    func writtenForms(_ algorithm: TestPKI.Algorithm) throws {
        let pki = try TestPKI()
        let credential = try pki.issue("www.example.com", algorithm: algorithm)
        // As ACME clients write it, so that the host's own forms are others than the file's.
        let key = try credential.identity.keyPEM(.traditional)
        let source = SecretSource([
            (name: "key", bytes: key), (name: "certificate", bytes: credential.leaf.pem),
            (name: "chain", bytes: pki.pem(credential.chain)),
        ])
        let encodings: [Wire.SecretReference.Encoding] = [
            .raw, .base64, .jsonString, .pemPkcs8, .pemSec1, .pemPkcs1, .der, .pkcs12,
        ]
        let wrappings: [Wire.SecretReference.Wrapping] = [.wrappingNone, .wrappingBase64, .wrappingJsonString]
        let profiles: [Wire.SecretReference.Pkcs12Profile] = [.modern, .legacy3des]
        var count = 0
        for encoding in encodings {
            for wrapping in wrappings {
                for profile in encoding == .pkcs12 ? profiles : [.modern] {
                    let reference = Wire.SecretReference(
                        name: "key", encoding: encoding, pkcs12Profile: profile, wrapping: wrapping)
                    let segment = Wire.Segment(kind: .secret(reference))
                    guard let form = try? source.assemble([segment], limit: 1 << 20, field: "f") else { continue }
                    count += 1
                    try Data([7, 7] + form.array + [7]).write(to: URL(fileURLWithPath: directory["form"]))
                    let later = try scope(.readOnly, below: [directory.path], secrets: source)
                    #expect(later.read(directory["form"]).code == .permissionDenied, "\(encoding) \(wrapping)")
                }
            }
        }
        #expect(count >= 17)
        // What is public is not taken for it.
        try Data(credential.leaf.pem.array).write(to: URL(fileURLWithPath: directory["public"]))
        try Data(credential.leaf.der.array).write(to: URL(fileURLWithPath: directory["der"]))
        let later = try scope(.readOnly, below: [directory.path], secrets: source)
        #expect(later.read(directory["public"]).code == .ok && later.read(directory["der"]).code == .ok)
    }

    @Test(
        "What a connector had a secret written into it does not read back, in whatever form",
        arguments: [ScopeRights.mutating, .recording])
    func provenance(_ rights: ScopeRights) throws {
        let credential = try TestPKI().issue("www.example.com")
        let source = SecretSource(
            [
                (name: "key", bytes: try credential.identity.keyPEM(.pkcs8)),
                (name: "certificate", bytes: credential.leaf.pem), (name: "chain", bytes: Bytes()),
            ], fields: [(name: "password", bytes: Bytes(Array("a password".utf8), isSecret: true))])
        let scope = try scope(rights, below: [directory.path], secrets: source)
        let protected = Wire.SecretReference(name: "key", encoding: .pkcs12, passwordName: "password")
        #expect(scope.write(directory["a"], [Wire.Segment(kind: .secret(protected))]).code == .ok)
        #expect(scope.read(directory["a"]).code == .permissionDenied)
        #expect(scope.write(directory["b"], [.secret("password", .base64)]).code == .ok)
        #expect(scope.read(directory["b"]).code == .permissionDenied)
        #expect(scope.write(directory["c"], [.secret("certificate")]).code == .ok)
        #expect(scope.read(directory["c"]).code == .ok)
    }

    @Test("A secret field's value in base64 is masked in what commands print")
    func maskedForms() throws {
        let value = Bytes(Array("s3cr3t-t0ken".utf8), isSecret: true)
        let source = SecretSource([], fields: [(name: "token", bytes: value)])
        let scope = try scope(.mutating, below: [directory.path], exec: [["/bin/cat"]], secrets: source)
        let shown = scope.exec(["/bin/cat"], stdin: [.text("a "), .secret("token", .base64)])
        #expect(shown.execResponse?.stdout.text == "a \(String(repeating: "*", count: 16))")
        try directory.file("earlier", "x\(Data(value.array).base64EncodedString())y")
        #expect(scope.read(directory["earlier"]).code == .permissionDenied)
    }

    @Test("A secret field's value: a file that holds it is refused, a command's output shows asterisks")
    func fields() throws {
        let secrets = SecretSource(
            [],
            fields: [
                (name: "token", bytes: Bytes(Array("s3cr3t-t0ken".utf8), isSecret: true)),
                (name: "pin", bytes: Bytes(Array("1234567".utf8), isSecret: true)),
            ])
        let scope = try scope(
            .mutating, below: [directory.path], exec: [["/bin/cat"], ["/bin/sh", "-c", "cat >&2; exit 3"]],
            secrets: secrets)
        try directory.file("a", "token=s3cr3t-t0ken\n")
        try directory.file("b", "pin=1234567\n")
        let refused = scope.read(directory["a"])
        #expect(refused.code == .permissionDenied && refused.result == nil)
        #expect(refused.message.contains("token") && !refused.message.contains("s3cr3t"))
        // Too short to tell from chance.
        #expect(scope.read(directory["b"]).content == "pin=1234567\n")
        let shown = scope.exec(["/bin/cat"], stdin: [.text("a s3cr3t-t0kens3cr3t-t0ken b s3cr3t.")])
        #expect(shown.execResponse?.stdout.text == "a \(String(repeating: "*", count: 24)) b s3cr3t.")
        let failed = scope.exec(["/bin/sh", "-c", "cat >&2; exit 3"], stdin: [.secret("token")])
        #expect(failed.execResponse?.stderr.text == "************" && failed.execResponse?.status == 3)
    }

    @Test("A command that prints the key it was given gives it to nobody")
    func commandOutput() throws {
        let scope = try open(.mutating, exec: [["/bin/cat"]])
        let reply = scope.exec(["/bin/cat"], stdin: [.secret("key")])
        #expect(reply.code == .permissionDenied && reply.result == nil)
        #expect(scope.exec(["/bin/cat"], stdin: [.text("hello")]).execResponse?.stdout.text == "hello")
    }

    @Test(
        "A file that holds a key is readable by its owner and group at most, and written by its owner only",
        arguments: [(0o600, true), (0o640, true), (0o644, false), (0o660, false), (0o602, false), (0o666, false)])
    func modes(_ mode: Int, _ isAllowed: Bool) throws {
        for rights in [ScopeRights.recording, .mutating] {
            let reply = try open(rights).write(directory["k"], [.secret("key")], mode: UInt32(mode))
            #expect(reply.code == (isAllowed ? .ok : .invalidArgument), "\(rights)")
        }
        #expect((directory.content("k") != nil) == isAllowed)
    }

    @Test("A key does not inherit the wide mode of the file that it replaces")
    func inheritedMode() throws {
        try directory.file("k", "old", mode: 0o644)
        #expect(try open(.mutating).write(directory["k"], [.secret("key")]).code == .invalidArgument)
        #expect(directory.content("k") == "old")
    }

    @Test("A command ends when its own call is given up, and the next one runs")
    func interruption() throws {
        let scope = try open(.mutating, exec: [["/bin/sleep", "600"], ["/bin/true"]])
        let interruption = Interruption()
        interruption.raise()
        let call = Wire.ExecRequest(arguments: ["/bin/sleep", "600"])
        #expect(scope.perform(.exec(call), interruption: interruption).code == .failedPrecondition)
        #expect(scope.exec(["/bin/true"]).code == .ok)
    }
}
