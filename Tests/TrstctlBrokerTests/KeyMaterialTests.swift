import Glibc
import Testing
import TrstctlSystem
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
