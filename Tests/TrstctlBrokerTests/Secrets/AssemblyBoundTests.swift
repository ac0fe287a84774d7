import Glibc
import Testing
import TrstctlCrypto
import TrstctlPolicy
import TrstctlSystem
import TrstctlTestSupport
import TrstctlWire

@testable import TrstctlBroker

/// What a connector can make the host encode with one call, and to whom it can give what it has written.
@Suite("Content with secrets is bounded in work and in owners")
struct AssemblyBoundTests {
    let directory: TestDirectory
    let source: SecretSource

    init() throws {
        directory = try TestDirectory()
        let credential = try TestPKI().issue("www.example.com")
        source = SecretSource(
            [
                (name: "key", bytes: try credential.identity.keyPEM(.pkcs8)),
                (name: "certificate", bytes: credential.leaf.pem), (name: "chain", bytes: Bytes()),
            ],
            fields: (0..<20).map { (name: "p\($0)", bytes: Bytes(Array("password \($0)".utf8), isSecret: true)) })
    }

    private func archive(_ password: String = "") -> Wire.Segment {
        Wire.Segment(kind: .secret(Wire.SecretReference(name: "key", encoding: .pkcs12, passwordName: password)))
    }

    @Test("What is referred to often is encoded once, and at most sixteen archives are made for one content")
    func archives() throws {
        let one = try source.assemble([archive()], limit: 1 << 20, field: "f")
        let many = try source.assemble(
            [Wire.Segment](repeating: archive(), count: 900), limit: 3 << 20, field: "f")
        #expect(many.count == 900 * one.count)
        let all = (0..<17).map { archive("p\($0)") }
        #expect(try source.assemble(Array(all.dropLast()), limit: 3 << 20, field: "f").count > 15 * one.count)
        let error = #expect(throws: EffectError.self) { try source.assemble(all, limit: 3 << 20, field: "f") }
        #expect(error?.code == .limit && error?.message.contains("PKCS#12") == true)
        #expect(throws: EffectError.self) {
            try HTTPField(
                Wire.HttpHeader(
                    name: "X",
                    value: [
                        Wire.Segment(
                            kind: .secret(
                                Wire.SecretReference(name: "key", encoding: .pkcs12, wrapping: .wrappingBase64)))
                    ]), source, Patience(.never, Interruption()))
        }
    }

    @Test("Encoding ends when the call is given up, and at its deadline")
    func patience() throws {
        let interruption = Interruption()
        let scope = try scope(.mutating, below: [directory.path], secrets: source)
        let call = Wire.WriteFileRequest(path: Bytes(directory["a"]), content: [archive()], mode: 0o600)
        #expect(scope.perform(.writeFile(call), until: .after(milliseconds: -1)).code == .deadlineExceeded)
        interruption.raise()
        #expect(scope.perform(.writeFile(call), interruption: interruption).code == .failedPrecondition)
        #expect(directory.content("a") == nil)
        #expect(scope.perform(.writeFile(call)).code == .ok)
    }

    @Test(
        "A secret is not given to another user or group, also not by way of a file that was given away before",
        .enabled(if: geteuid() == 0), arguments: [ScopeRights.mutating, .recording])
    func owners(_ rights: ScopeRights) throws {
        func open() throws -> BrokerScope { try scope(rights, below: [directory.path], secrets: source) }
        func owner(_ uid: UInt32, _ gid: UInt32) -> Wire.FileOwner { Wire.FileOwner(uid: uid, gid: gid) }
        let first = try open()
        for other in [owner(65_534, 65_534), owner(0, 65_534), owner(65_534, 0)] {
            let reply = first.write(directory["a"], [.secret("key")], mode: 0o640, owner: other)
            #expect(reply.code == .permissionDenied && reply.message.contains("would hold a secret"))
            #expect(first.write(directory["public"], "x", owner: other).code == .ok)
        }
        #expect(directory.content("a") == nil)
        #expect(first.write(directory["a"], [.secret("key")], owner: owner(0, 0)).code == .ok)
        #expect(first.write(directory["b"], "x", mode: 0o640, owner: owner(65_534, 0)).code == .ok)
        #expect(first.write(directory["b"], [.secret("key")]).code == .permissionDenied)

        try directory.file("theirs", "old", mode: 0o640)
        try #require(chown(directory["theirs"], 12, 34) == 0)
        let second = try open()
        #expect(second.write(directory["theirs"], [.secret("key")]).code == .ok)
        #expect(second.write(directory["theirs"], [.secret("key")], owner: owner(12, 34)).code == .ok)
        #expect(second.write(directory["theirs"], [.secret("key")], owner: owner(12, 35)).code == .permissionDenied)
        #expect(second.remove(directory["theirs"]).code == .ok)
        #expect(second.write(directory["theirs"], [.secret("key")]).code == .ok)

        try directory.directory("shared")
        try #require(chown(directory["shared"], 0, 56) == 0)
        let third = try open()
        #expect(third.write(directory["shared/k"], [.secret("key")], mode: 0o640, owner: owner(0, 56)).code == .ok)
        #expect(third.write(directory["shared/l"], [.secret("key")], owner: owner(56, 56)).code == .permissionDenied)
    }
}
