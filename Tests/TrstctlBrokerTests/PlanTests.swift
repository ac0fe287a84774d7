import Glibc
import Testing
import TrstctlCrypto
import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

@testable import TrstctlBroker

enum SecretDigest {
    /// The first 12 digits of the SHA-256 of a text.
    static func prefix(of text: String) -> String {
        let digest = Bytes(text).withUnsafeBytes { SHA256.digest($0) } ?? []
        return String(SHA256Digest(bytes: digest)?.hex.prefix(12) ?? "")
    }
}

@Suite("Recording scopes")
struct PlanTests {
    let directory: TestDirectory
    let scope: BrokerScope

    init() throws {
        directory = try TestDirectory()
        scope = try TrstctlBrokerTests.scope(
            .recording, below: [directory.path], exec: [["/usr/bin/touch", directory["touched"]]],
            secrets: SecretSource([("key", Bytes(Array("K3Y".utf8), isSecret: true))]),
            planned: PlannedServing(certificates: [Wire.ServedCertificate(fingerprint: "planned")]))
    }

    private var owner: String { geteuid() == 0 ? "root:root" : "\(geteuid()):\(getegid())" }

    @Test("Nothing on disk changes, and later reads see what was recorded")
    func overlay() throws {
        try directory.file("a", "old", mode: 0o640)
        try directory.file("b", "old")
        let before = try directory.picture()
        let reply = scope.write(directory["a"], "new")
        #expect(reply.writeResponse == Wire.WriteFileResponse(replaced: true, planned: true))
        #expect(scope.read(directory["a"]).content == "new")
        #expect(scope.stat(directory["a"]).statResponse?.info?.mode == 0o640)
        #expect(scope.stat(directory["a"]).statResponse?.info?.size == 3)
        #expect(scope.stat(directory["a"], compareTo: [.text("new")]).statResponse?.contentEqual == true)
        #expect(scope.stat(directory["a"], compareTo: [.text("old")]).statResponse?.contentEqual == false)
        #expect(scope.stat(directory["a"]).statResponse?.contentEqual == false)
        #expect(scope.write(directory["e"], []).code == .ok)
        #expect(scope.stat(directory["e"], compareTo: [.text("")]).statResponse?.contentEqual == true)
        #expect(scope.read(directory["a"], maxBytes: 2).code == .resourceExhausted)

        #expect(scope.remove(directory["b"]).code == .ok)
        #expect(scope.read(directory["b"]).code == .notFound)
        #expect(scope.stat(directory["b"]).code == .notFound)
        #expect(scope.remove(directory["b"]).code == .notFound)
        #expect(scope.write(directory["b"], "again").writeResponse?.replaced == false)
        #expect(scope.stat(directory["b"]).statResponse?.info?.mode == 0o600)

        #expect(scope.write(directory["c"], [.secret("key")]).writeResponse?.replaced == false)
        #expect(scope.stat(directory["c"], compareTo: [.secret("key")]).statResponse?.contentEqual == true)
        #expect(
            scope.exec(["/usr/bin/touch", directory["touched"]]).execResponse
                == Wire.ExecResponse(outcome: .exited, planned: true))
        #expect(try directory.picture() == before)
        #expect(scope.records.filter { $0.outcome == .planned }.count == 6)
        #expect(scope.close(commit: false).isComplete)
        #expect(try directory.picture() == before)
    }

    @Test("The changes say what would be created, replaced, removed and run, in order")
    func changes() throws {
        try directory.file("a", "old", mode: 0o644)
        try directory.file("b", "old", mode: 0o644)
        _ = scope.write(directory["a"], "new", mode: 0o640)
        _ = scope.exec(["/usr/bin/touch", directory["touched"]])
        _ = scope.remove(directory["b"])
        _ = scope.write(directory["c"], "new")
        _ = scope.write(directory["k"], [.secret("key")])
        let old = "sha256:\(SecretDigest.prefix(of: "old")) 0644 \(owner)"
        let new = "sha256:\(SecretDigest.prefix(of: "new"))"
        #expect(
            scope.changes == [
                Wire.Change(kind: .replace, object: directory["a"], before: old, after: "\(new) 0640 \(owner)"),
                Wire.Change(kind: .run, object: "[/usr/bin/touch, \(directory["touched"])]"),
                Wire.Change(kind: .remove, object: directory["b"], before: old, after: ""),
                Wire.Change(kind: .create, object: directory["c"], after: "\(new) 0600 \(owner)"),
                Wire.Change(kind: .create, object: directory["k"], after: "secret 0600 \(owner)"),
            ])
    }

    @Test("Writing the same bytes with the same mode and owner is no change")
    func unchanged() throws {
        try directory.file("a", "same", mode: 0o640)
        _ = scope.write(directory["a"], "same")
        _ = scope.write(directory["a"], "same", mode: 0o640)
        #expect(scope.changes.isEmpty)
        _ = scope.write(directory["a"], "same", mode: 0o600)
        #expect(scope.changes.map(\.kind) == [.replace])
    }

    @Test("A file that is created and removed again is no change")
    func transient() throws {
        _ = scope.write(directory["a"], "x")
        #expect(scope.remove(directory["a"]).code == .ok)
        #expect(scope.changes.isEmpty)
    }

    @Test("A replaced key shows that it differs, not how")
    func replacedKey() throws {
        try directory.file("a", "-----BEGIN PRIVATE KEY-----\nold", mode: 0o600)
        _ = scope.write(directory["a"], [.secret("key")])
        #expect(scope.changes.map(\.before) == ["secret 0600 \(owner)"])
        #expect(scope.changes.map(\.after) == ["new secret 0600 \(owner)"])
    }

    @Test("Revert undoes what was recorded")
    func reverts() throws {
        try directory.file("a", "old")
        _ = scope.write(directory["a"], "new")
        _ = scope.write(directory["b"], "new")
        guard case .revert(let response) = scope.revert().result else { return #expect(Bool(false)) }
        #expect(response == Wire.RevertResponse(reverted: 2, planned: true))
        #expect(scope.read(directory["a"]).content == "old")
        #expect(scope.stat(directory["b"]).code == .notFound)
        #expect(scope.changes.isEmpty)
    }

    @Test("What could not be done is refused in the plan already")
    func refusals() throws {
        try directory.directory("dir")
        try directory.link("link", to: "/etc/passwd")
        #expect(scope.write(directory["link"], "x").code == .permissionDenied)
        #expect(scope.write(directory["dir"], "x").code == .permissionDenied)
        #expect(scope.write(directory["none/a"], "x").code == .failedPrecondition)
        #expect(scope.remove(directory["none"]).code == .notFound)
        #expect(scope.write("/etc/x", "x").code == .permissionDenied)
        #expect(scope.exec(["/usr/bin/touch", "/x"]).code == .permissionDenied)
        #expect(scope.changes.isEmpty)
    }

    @Test("A probe after a recorded change answers what would be served")
    func probes() throws {
        _ = scope.write(directory["a"], "new")
        let reply = scope.perform(.probeTls(Wire.ProbeTlsRequest(address: "127.0.0.1:1")))
        guard case .probeTls(let response) = reply.result else { return #expect(Bool(false), "\(reply)") }
        #expect(response.planned)
        #expect(response.certificates.map(\.fingerprint) == ["planned"])
        #expect(scope.perform(.probeTls(Wire.ProbeTlsRequest(address: "127.0.0.1:2"))).code == .permissionDenied)
    }
}
