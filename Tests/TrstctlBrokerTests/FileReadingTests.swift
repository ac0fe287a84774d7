import Glibc
import Testing
import TrstctlSystem
import TrstctlWire

@testable import TrstctlBroker
@testable import TrstctlPolicy

@Suite("Reading files")
struct FileReadingTests {
    let directory: TestDirectory
    let scope: BrokerScope

    init() throws {
        directory = try TestDirectory()
        try directory.directory("in")
        try directory.directory("out")
        scope = try TrstctlBrokerTests.scope(below: [directory["in"]])
    }

    @Test("A granted regular file is read, with its attributes")
    func readsFile() throws {
        let path = try directory.file("in/a", "hello", mode: 0o640)
        let reply = scope.read(path)
        #expect(reply.code == .ok)
        #expect(reply.content == "hello")
        guard case .readFile(let response) = reply.result else { return }
        #expect(response.info?.mode == 0o640)
        #expect(response.info?.size == 5)
        #expect(response.info?.uid == geteuid())
        #expect(response.content.isSecret)
    }

    @Test("A missing file, and one in a missing directory, is NOT_FOUND")
    func missing() {
        #expect(scope.read(directory["in/none"]).code == .notFound)
        #expect(scope.read(directory["in/none/a"]).code == .notFound)
        #expect(scope.stat(directory["in/none"]).code == .notFound)
        #expect(scope.stat(directory["in/none/a"]).code == .notFound)
    }

    @Test(
        "A path that is not canonical is INVALID_ARGUMENT and counts as a denial",
        arguments: [
            "/../out/a", "/./a", "//a", "/a/", "/a/..", "/../\u{338}x",
        ])
    func traversal(suffix: String) throws {
        try directory.file("out/a", "outside")
        let reply = scope.read(directory["in"] + suffix)
        #expect(reply.code == .invalidArgument)
        #expect(scope.denials == 1)
        #expect(scope.records.first?.outcome == .denied)
    }

    @Test("A path beside the grant is PERMISSION_DENIED with the line that would allow it")
    func beside() throws {
        let path = try directory.file("in-evil", "outside")
        let reply = scope.read(path)
        #expect(reply.code == .permissionDenied)
        #expect(reply.status?.fix.contains("fs.read: [\(path)]") == true)
        #expect(scope.records.first?.grant == nil)
    }

    @Test(
        "A symbolic link below the grant is refused, wherever it stands and leads",
        arguments: [
            "in/link", "in/relative", "in/dir/a", "in/inner", "in/proc/etc/passwd",
        ])
    func links(name: String) throws {
        try directory.file("out/a", "outside")
        try directory.file("in/a", "inside")
        try directory.link("in/link", to: directory["out/a"])
        try directory.link("in/relative", to: "../out/a")
        try directory.link("in/dir", to: directory["out"])
        try directory.link("in/inner", to: "a")
        try directory.link("in/proc", to: "/proc/self/root")
        for reply in [
            scope.read(directory[name]), scope.stat(directory[name]),
            scope.stat(directory[name], compareTo: [.text("x")]),
        ] {
            #expect(reply.code == .permissionDenied)
            #expect(reply.message.contains("symbolic link"))
            #expect(reply.result == nil)
        }
        #expect(scope.denials == 3)
    }

    @Test("A symbolic link in the operator's own grant is followed")
    func operatorsLink() throws {
        try directory.file("in/a", "inside")
        try directory.link("alias", to: directory["in"])
        let scope = try TrstctlBrokerTests.scope(below: [directory["alias"]])
        #expect(scope.read(directory["alias/a"]).content == "inside")
    }

    @Test("A hard link is refused")
    func hardLink() throws {
        try directory.file("out/a", "outside")
        try #require(link(directory["out/a"], directory["in/a"]) == 0)
        #expect(scope.read(directory["in/a"]).code == .permissionDenied)
        #expect(scope.read(directory["in/a"]).message.contains("hard links"))
    }

    @Test("A named pipe without a writer is refused without waiting")
    func pipe() throws {
        try #require(mkfifo(directory["in/pipe"], 0o644) == 0)
        #expect(scope.read(directory["in/pipe"]).code == .permissionDenied)
        #expect(scope.read(directory["in/pipe"]).message.contains("named pipe"))
    }

    @Test("A directory and a device are refused")
    func notRegular() throws {
        try directory.directory("in/dir")
        #expect(scope.read(directory["in/dir"]).message.contains("a directory"))
        let devices = try TrstctlBrokerTests.scope(below: ["/dev"])
        #expect(devices.read("/dev/null").code == .permissionDenied)
        #expect(devices.read("/dev/null").message.contains("character device"))
    }

    @Test("Another mount below the grant is refused")
    func mount() throws {
        let devices = try TrstctlBrokerTests.scope(below: ["/dev"])
        let reply = devices.read("/dev/shm/none")
        #expect(reply.code == .permissionDenied)
        #expect(reply.message.contains("mount"))
    }

    @Test("A file of exactly the limit is read, one byte more is RESOURCE_EXHAUSTED")
    func limit() throws {
        let path = try directory.file("in/a", String(repeating: "x", count: 1_000))
        #expect(scope.read(path, maxBytes: 1_000).content?.utf8.count == 1_000)
        #expect(scope.read(path, maxBytes: 999).code == .resourceExhausted)
        #expect(scope.read(path, maxBytes: 3 << 20).code == .ok)
        #expect(scope.read(path, maxBytes: 3 << 20 + 1).code == .invalidArgument)
    }

    @Test("A file that claims to be empty is read up to the limit")
    func endless() throws {
        let kernel = try TrstctlBrokerTests.scope(below: ["/proc"])
        #expect(kernel.read("/proc/kallsyms", maxBytes: 10_000).code == .resourceExhausted)
        #expect(kernel.read("/proc/version").content?.isEmpty == false)
    }

    @Test("A sparse file of a tebibyte is refused without reading it")
    func sparse() throws {
        let path = try directory.file("in/a")
        guard truncate(path, 1 << 40) == 0 else { return }
        #expect(scope.read(path).code == .resourceExhausted)
        #expect(scope.stat(path, compareTo: [.text("x")]).statResponse?.contentEqual == false)
    }

    @Test(
        "Stat compares content with segments, and says only whether they are equal",
        arguments: [0, 1, 65_535, 65_536, 65_537, 200_000])
    func compare(size: Int) throws {
        let text = String(repeating: "k", count: size)
        let secrets = SecretSource([("key", Bytes(Array(text.utf8), isSecret: true))])
        let scope = try TrstctlBrokerTests.scope(below: [directory["in"]], secrets: secrets)
        let path = try directory.file("in/a", text + "end")
        #expect(scope.stat(path, compareTo: [.secret("key"), .text("end")]).statResponse?.contentEqual == true)
        #expect(scope.stat(path, compareTo: [.secret("key"), .text("enD")]).statResponse?.contentEqual == false)
        #expect(
            scope.stat(path, compareTo: [.text("X"), .text(String((text + "end").dropFirst()))]).statResponse?
                .contentEqual == false)
        #expect(scope.stat(path, compareTo: [.secret("key")]).statResponse?.contentEqual == false)
        #expect(scope.stat(path).statResponse?.contentEqual == false)
        #expect(scope.stat(path).statResponse?.info?.size == UInt64(size + 3))
    }

    @Test("A file that only fs.write covers can be looked at but not read")
    func writeOnly() throws {
        let path = try directory.file("in/a", "key")
        let grants = try GrantSet.parse(write: [path])
        let scope = BrokerScope(rights: .mutating, grants: grants)
        #expect(scope.stat(path, compareTo: [.text("key")]).statResponse?.contentEqual == true)
        #expect(scope.read(path).code == .permissionDenied)
    }

    @Test("A ticket for one effect opens no other")
    func tickets() throws {
        let path = try AbsolutePath(try directory.file("in/a", "key"))
        let looking = try ticket(.stat(path), below: directory["in"])
        let writing = try ticket(.writeFile(path), below: directory["in"])
        #expect(throws: EffectError.self) { try FileReading.read(looking, limit: 10) }
        #expect(throws: EffectError.self) { try FileReading.read(writing, limit: 10) }
        #expect(throws: EffectError.self) { try FileWriting.remove(looking) }
        #expect(throws: EffectError.self) { try FileWriting.write(looking, "x") }
        #expect(directory.content("in/a") == "key")
    }
}
