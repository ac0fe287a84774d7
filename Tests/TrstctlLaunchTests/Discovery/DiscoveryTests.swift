import Foundation
import Glibc
import Testing
import TrstctlLaunch
import TrstctlPolicy
import TrstctlSystem

@Suite("Finding connectors")
struct DiscoveryTests {
    private let first: TemporaryDirectory
    private let second: TemporaryDirectory
    private let name: ConnectorName

    init() throws {
        first = try TemporaryDirectory()
        second = try TemporaryDirectory()
        name = try #require(ConnectorName("ok"))
    }

    private var discovery: Discovery {
        Discovery(SearchPath(explicit: [Bytes(first.path), Bytes(second.path)], variable: nil, home: nil))
    }

    private static let file = "trstctl-connector-ok"

    /// The reason why the file in the first directory was not taken.
    private func reason() -> Rejection.Reason? {
        let lookup = discovery.find(name)
        #expect(lookup.candidate == nil)
        return lookup.rejections.first?.reason
    }

    @Test("the search path has its order, skips empty entries and repeats nothing")
    func order() {
        let path = SearchPath(explicit: ["x"], variable: "/a::b:/a:", home: "/home/u")
        #expect(
            path.directories.map(\.path)
                == ["x", "/a", "b", "/home/u/.trstctl/plugins", "/usr/local/share/trstctl/plugins"])
        #expect(SearchPath(explicit: [], variable: nil, home: "relative").directories.count == 1)
        // A variable that is not set must not become the working directory.
        #expect(SearchPath.current(explicit: [""]).directories.first?.path == "")
        #expect(SearchPath.current(explicit: ["."]).directories.first?.path.array.first == UInt8(ascii: "/"))
        #expect(SearchPath(explicit: [], variable: nil, home: nil).directories.map(\.origin) == [.standard])
    }

    @Test("an executable of mine is found, open, with its size")
    func found() throws {
        let path = try first.write(Array("content".utf8), to: DiscoveryTests.file)
        let candidate = try discovery.candidate(name)
        #expect(candidate.path == Bytes(path))
        #expect(candidate.resolvedPath == nil)
        #expect(candidate.size == 7)
        #expect(fcntl(candidate.descriptor.raw, F_GETFD) & FD_CLOEXEC != 0)
    }

    @Test("the first directory wins, and the shadowed copy is reported")
    func shadowing() throws {
        let winner = try first.write([1], to: DiscoveryTests.file)
        let loser = try second.write([1], to: DiscoveryTests.file)
        let lookup = discovery.find(name)
        #expect(lookup.candidate?.path == Bytes(winner))
        #expect(lookup.shadowed == [Bytes(loser)])
        #expect(lookup.rejections == [])
    }

    @Test("a rejected file does not hide a good one, and is reported")
    func rejectedFirst() throws {
        try first.write([1], to: DiscoveryTests.file, mode: 0o777)
        let good = try second.write([1], to: DiscoveryTests.file)
        let lookup = discovery.find(name)
        #expect(lookup.candidate?.path == Bytes(good))
        #expect(lookup.rejections.map(\.reason) == [.writable(mode: 0o100777)])
    }

    @Test("a name that is nowhere says where it was looked for")
    func missing() throws {
        let error = #expect(throws: NotFound.self) { try discovery.candidate(name) }
        let text = try #require(error).description
        #expect(text.contains("trstctl-connector-ok"))
        #expect(text.contains("searched: " + first.path))
        #expect(text.contains("searched: " + second.path))
        #expect(text.contains("--plugin-dir"))
        #expect(try #require(error).rejections == [])
    }

    @Test("neither the group nor others may write to the file", arguments: [mode_t(0o775), 0o757, 0o777])
    func writableFile(mode: mode_t) throws {
        try first.write([1], to: DiscoveryTests.file, mode: mode)
        #expect(reason() == .writable(mode: 0o100000 | mode))
    }

    @Test("neither the group nor others may write to the directory", arguments: [mode_t(0o770), 0o707, 0o1777])
    func writableDirectory(mode: mode_t) throws {
        try first.write([1], to: DiscoveryTests.file)
        try #require(chmod(first.path, mode) == 0)
        #expect(reason() == .directoryWritable(mode: 0o040000 | mode))
    }

    @Test(
        "the file must be executable, and not set-id",
        arguments: [(mode_t(0o644), false), (0o4755, true), (0o2755, true)])
    func modes(mode: mode_t, isPrivileged: Bool) throws {
        try first.write([1], to: DiscoveryTests.file, mode: mode)
        #expect(reason() == (isPrivileged ? .privileged : .notExecutable(mode: 0o100000 | mode)))
    }

    @Test("an empty file is rejected")
    func empty() throws {
        try first.write([], to: DiscoveryTests.file)
        #expect(reason() == .empty)
    }

    @Test("files and directories of somebody else are rejected", .enabled(if: geteuid() == 0, "needs root for chown"))
    func owners() throws {
        let path = try first.write([1], to: DiscoveryTests.file)
        try #require(chown(path, 61_000, 61_000) == 0)
        #expect(reason() == .owner(uid: 61_000))
        try #require(chown(path, 0, 0) == 0)
        try #require(chown(first.path, 61_000, 61_000) == 0)
        #expect(reason() == .directoryOwner(uid: 61_000))
    }

    @Test(
        "what is not a regular file is rejected without being opened",
        arguments: ["fifo", "directory", "socket", "device"])
    func notRegular(kind: String) throws {
        let path = first.file(DiscoveryTests.file)
        switch kind {
        case "fifo": try #require(mkfifo(path, 0o755) == 0)
        case "directory": try #require(mkdir(path, 0o755) == 0)
        case "socket": try #require(mknod(path, S_IFSOCK | 0o755, 0) == 0)
        default: try #require(symlink("/dev/zero", path) == 0)
        }
        #expect(reason() == .notRegular)
    }

    @Test("a symbolic link is followed to a file that passes the same checks")
    func link() throws {
        let target = try second.write([1], to: "elsewhere")
        try #require(symlink(target, first.file(DiscoveryTests.file)) == 0)
        let candidate = try discovery.candidate(name)
        #expect(candidate.path == Bytes(first.file(DiscoveryTests.file)))
        #expect(candidate.resolvedPath == Bytes(target))

        try #require(chmod(target, 0o777) == 0)
        #expect(reason() == .writable(mode: 0o100777))
        try #require(chmod(target, 0o755) == 0)
        try #require(chmod(second.path, 0o777) == 0)
        #expect(reason() == .directoryWritable(mode: 0o040777))
        try #require(chmod(second.path, 0o700) == 0)
        try #require(unlink(target) == 0)
        #expect(reason() == .danglingLink)
        try #require(unlink(first.file(DiscoveryTests.file)) == 0)
        try #require(symlink(DiscoveryTests.file, first.file(DiscoveryTests.file)) == 0)
        guard case .unreadable(let loop) = reason() else {
            Issue.record("a link to itself was not rejected")
            return
        }
        #expect(loop.errno == ELOOP)
    }

    @Test("the file that was checked stays the candidate, whatever is put in its place")
    func opened() throws {
        let path = try first.write(Array("good".utf8), to: DiscoveryTests.file)
        let candidate = try discovery.candidate(name)
        let evil = try first.write(Array("evil".utf8), to: "evil")
        try #require(rename(evil, path) == 0)
        var content = [UInt8](repeating: 0, count: 4)
        #expect(pread(candidate.descriptor.raw, &content, 4, 0) == 4)
        #expect(content == Array("good".utf8))
    }

    @Test("directories that cannot be searched are reported, except absent standard ones")
    func directories() throws {
        let file = try first.write([1], to: "file")
        let path = SearchPath(
            explicit: [Bytes(first.file("none")), Bytes(file)], variable: "relative/plugins", home: Bytes(first.path))
        let lookup = Discovery(path).find(name)
        #expect(lookup.rejections.map(\.reason) == [.missingDirectory, .notADirectory, .relativeDirectory])
        #expect(Discovery(path).list().rejections.map(\.reason).prefix(3) == lookup.rejections.map(\.reason)[...])
    }

    @Test("every rejection says what is wrong and what to do, and never prints raw bytes")
    func texts() {
        let reasons: [Rejection.Reason] = [
            .relativeDirectory, .missingDirectory, .notADirectory, .directoryWritable(mode: 0o40777),
            .directoryOwner(uid: 7), .tooManyEntries(limit: 9), .badName, .notRegular, .danglingLink,
            .notExecutable(mode: 0o100644), .empty, .writable(mode: 0o100777), .owner(uid: 7), .privileged,
            .unreadable(SystemError(stage: "open", errno: EACCES)),
        ]
        for reason in reasons {
            let rejection = Rejection(path: Bytes(Array("/p/\u{1b}[2J\n".utf8)), target: "/t", reason: reason)
            #expect(!rejection.text.isEmpty && !rejection.fix.isEmpty)
            #expect(rejection.description.utf8.allSatisfy { (0x20...0x7e).contains($0) })
        }
        #expect(
            Rejection(path: "/p/x", reason: .writable(mode: 0o100775)).description
                == "/p/x may be written to by others (mode 0775); chmod go-w '/p/x'")
    }

    @Test("a listing names every connector once, with bad names and shadowed copies")
    func listing() throws {
        try first.write([1], to: "trstctl-connector-b")
        try first.write([1], to: "trstctl-connector-a")
        try second.write([1], to: "trstctl-connector-a")
        for bad in ["trstctl-connector-", "trstctl-connector-UP", "trstctl-connector-é", "trstctl-connector-\u{1b}"] {
            try first.write([1], to: bad)
        }
        try first.write([1], to: "README")
        // Signatures belong there.
        for suffix in [".sig", ".sigstore.json", ".minisig"] {
            try first.write([1], to: "trstctl-connector-a\(suffix)")
        }
        let inventory = discovery.list()
        #expect(inventory.lookups.map(\.name.text) == ["a", "b"])
        #expect(inventory.lookups.map(\.lookup.shadowed.count) == [1, 0])
        #expect(inventory.rejections.map(\.reason) == [.badName, .badName, .badName, .badName])
    }

    @Test("a listing looks at a bounded number of entries, a lookup at one")
    func bound() throws {
        for index in 0..<20 { close(creat(first.file("f\(index)"), 0o600)) }
        try first.write([1], to: DiscoveryTests.file)
        #expect(discovery.list(maximumEntries: 20).rejections.map(\.reason) == [.tooManyEntries(limit: 20)])
        #expect(discovery.list(maximumEntries: 40).rejections == [])
        #expect(discovery.find(name).candidate != nil)
    }
}
