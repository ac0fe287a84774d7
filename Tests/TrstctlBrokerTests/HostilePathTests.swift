import Glibc
import Testing
import TrstctlSystem
import TrstctlWire

@testable import TrstctlBroker
@testable import TrstctlPolicy

/// What a connector asks for to reach something else than it was granted, by the ids of the hostile suite.
@Suite("Hostile paths", .timeLimit(.minutes(2)))
struct HostilePathTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let id: String
        /// Below the test's directory, in which `t/nginx` is granted.
        let path: String
        let code: Wire.Status.Code
        let reason: String
        var isAbsolute = false
        var prepare: @Sendable (TestDirectory) throws -> Void = { _ in }

        var testDescription: String { "\(id) \(path.prefix(40))" }
    }

    let directory: TestDirectory

    init() throws {
        directory = try TestDirectory()
        for name in ["t", "t/nginx", "t/nginx/a", "t/nginx-evil", "out"] { try directory.directory(name) }
        try directory.file("t/nginx/healthy", "old")
        try directory.file("t/shadow", "canary", mode: 0o600)
        try directory.file("out/canary", "canary", mode: 0o600)
        try directory.file("t/nginx-evil/x", "canary")
    }

    private static let denied = Wire.Status.Code.permissionDenied
    private static let invalid = Wire.Status.Code.invalidArgument

    static let rows: [Row] = [
        Row(id: "P02", path: "t/nginx/../shadow", code: invalid, reason: "invalid-path"),
        Row(id: "P02", path: "t/nginx/../../out/canary", code: invalid, reason: "invalid-path"),
        Row(id: "P03", path: "t/nginx-evil/x", code: denied, reason: "not-granted"),
        Row(id: "P03", path: "t/nginx", code: denied, reason: "not-granted"),
        Row(id: "P05", path: "t/nginx/", code: invalid, reason: "invalid-path"),
        Row(id: "P05", path: "t/nginx/a/", code: invalid, reason: "invalid-path"),
        Row(id: "P06", path: "t//nginx/a.pem", code: invalid, reason: "invalid-path"),
        Row(id: "P06", path: "t/./nginx/a.pem", code: invalid, reason: "invalid-path"),
        Row(id: "P06", path: "//etc/passwd", code: invalid, reason: "invalid-path", isAbsolute: true),
        Row(id: "P07", path: "a.pem", code: invalid, reason: "invalid-path", isAbsolute: true),
        Row(id: "P07", path: "", code: invalid, reason: "invalid-path", isAbsolute: true),
        Row(id: "P07", path: ".", code: invalid, reason: "invalid-path", isAbsolute: true),
        Row(id: "P07", path: "~/x", code: invalid, reason: "invalid-path", isAbsolute: true),
        Row(id: "P07", path: "$HOME/x", code: invalid, reason: "invalid-path", isAbsolute: true),
        Row(id: "P07", path: "file:///etc/passwd", code: invalid, reason: "invalid-path", isAbsolute: true),
        Row(id: "P10", path: "t/nginx/../\u{338}x", code: invalid, reason: "invalid-path"),
        Row(id: "P13", path: "t/nginx/" + String(repeating: "a", count: 256), code: invalid, reason: "invalid-path"),
        Row(
            id: "P13", path: "t/nginx" + String(repeating: "/aaaaaaa", count: 512), code: invalid,
            reason: "invalid-path"),
        Row(id: "P14", path: "t/nginx/l", code: denied, reason: "symbolic-link") {
            try $0.link("t/nginx/l", to: $0["out/canary"])
        },
        Row(id: "P14", path: "t/nginx/l", code: denied, reason: "symbolic-link") {
            try $0.link("t/nginx/l", to: "../../out/canary")
        },
        Row(id: "P15", path: "t/nginx/dl/x", code: denied, reason: "symbolic-link") {
            try $0.link("t/nginx/dl", to: $0["out"])
        },
        Row(id: "P15", path: "t/nginx/dl/", code: invalid, reason: "invalid-path") {
            try $0.link("t/nginx/dl", to: $0["out"])
        },
        Row(id: "P15", path: "t/nginx/dl/.", code: invalid, reason: "invalid-path") {
            try $0.link("t/nginx/dl", to: $0["out"])
        },
        Row(id: "P17", path: "t/nginx/loop/x", code: denied, reason: "symbolic-link") {
            try $0.link("t/nginx/loop", to: "loop")
        },
        Row(id: "P18", path: "t/nginx/root/etc/trstctl-canary", code: denied, reason: "symbolic-link") {
            try $0.link("t/nginx/root", to: "/proc/self/root")
        },
        Row(id: "P21", path: "t/nginx/fifo", code: denied, reason: "not-regular") {
            try #require(mkfifo($0["t/nginx/fifo"], 0o644) == 0)
        },
        Row(id: "P22", path: "t/nginx/a", code: denied, reason: "not-regular"),
        Row(id: "P22", path: "/dev/null", code: denied, reason: "not-regular", isAbsolute: true),
        Row(id: "P22", path: "t/nginx/healthy/x", code: denied, reason: "not-regular"),
        Row(id: "P25", path: "t/nginx/none/x", code: .failedPrecondition, reason: "no-parent"),
        Row(id: "hard link", path: "t/nginx/hard", code: denied, reason: "hard-link") {
            try #require(link($0["out/canary"], $0["t/nginx/hard"]) == 0)
        },
    ]

    private func open(_ rights: ScopeRights = .mutating) throws -> BrokerScope {
        let granted = [directory["t/nginx"] + "/", "/dev/"]
        return BrokerScope(rights: rights, grants: try GrantSet.parse(read: granted, write: granted))
    }

    @Test("Refused with its reason, nothing changed, recorded, and the next call is served", arguments: rows)
    func refused(_ row: Row) throws {
        try row.prepare(directory)
        let path = row.isAbsolute ? row.path : directory[row.path]
        let before = try directory.picture()
        for rights in [ScopeRights.mutating, .recording] {
            let scope = try open(rights)
            var calls = ["WriteFile": scope.write(path, "evil"), "RemoveFile": scope.remove(path)]
            calls["ReadFile"] = scope.read(path)
            for (name, reply) in calls.sorted(by: { $0.key < $1.key }) {
                let record = try #require(scope.records.first { $0.operation == name })
                // What is not there cannot be removed or read; a link itself is not followed either way.
                if row.reason == "no-parent", name != "WriteFile" {
                    #expect(reply.code == .notFound, "\(name): \(reply.message)")
                    continue
                }
                #expect(reply.code == row.code, "\(name): \(reply.message)")
                #expect(record.reason?.hasPrefix(row.reason + ": ") == true, "\(name): \(record)")
                #expect(record.outcome == (row.reason == "no-parent" ? .failed : .denied))
                #expect(reply.message.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F })
            }
            #expect(scope.denials == (row.reason == "no-parent" ? 0 : 3))
            #expect(try directory.picture() == before)
            #expect(scope.read(directory["t/nginx/healthy"]).content == "old")
            #expect(scope.changes.isEmpty)
        }
    }

    @Test("P09, P11, P13: bytes that are no text, another spelling and long names are what they are")
    func exactNames() throws {
        let composed = try directory.directory("caf\u{E9}")
        let scope = BrokerScope(
            rights: .mutating, grants: try GrantSet.parse(write: [composed + "/", directory["t/nginx"] + "/"]))
        let decomposed = directory["cafe\u{301}"]
        try #require(mkdir(decomposed, 0o755) == 0)
        #expect(scope.write(decomposed + "/x", "evil").code == .permissionDenied)
        #expect(scope.write(composed + "/x", "new").code == .ok)
        #expect(try directory.names(in: "cafe\u{301}") == [])
        let raw = Bytes(Array(directory["t/nginx/"].utf8) + [0xFF, 0xFE])
        let reply = scope.perform(
            .writeFile(Wire.WriteFileRequest(path: raw, content: [.text("raw")])))
        #expect(reply.code == .ok)
        #expect(access(Array(raw.array.map { CChar(bitPattern: $0) }) + [0], F_OK) == 0)
        #expect(access(directory["t/nginx/\u{FFFD}\u{FFFD}"], F_OK) != 0)
        _ = unlink(Array(raw.array.map { CChar(bitPattern: $0) }) + [0])
        #expect(scope.write(directory["t/nginx/" + String(repeating: "a", count: 255)], "x").code == .ok)
    }

    @Test("P29, P30: sizes up to the limit and not beyond, modes up to 0777 and not beyond")
    func sizesAndModes() throws {
        let scope = try open()
        let path = directory["t/nginx/new"]
        let before = try directory.picture()
        #expect(scope.write(path, String(repeating: "x", count: (3 << 20) + 1)).code == .resourceExhausted)
        #expect(scope.write(path, "x", mode: 0o4755).code == .invalidArgument)
        #expect(scope.write(path, "x", mode: 0o2755).code == .invalidArgument)
        #expect(scope.write(path, "x", mode: 0o1777).code == .invalidArgument)
        #expect(try directory.picture() == before)
        #expect(scope.write(path, "").code == .ok)
        #expect(scope.write(path, "x", mode: 0o640).code == .ok)
        #expect(try directory.mode("t/nginx/new") == 0o640)
    }
}
