import Glibc
import Synchronization
import Testing
import TrstctlSystem
import TrstctlWire

@testable import TrstctlBroker
@testable import TrstctlPolicy

@Suite("Scopes")
struct ScopeTests {
    let directory: TestDirectory
    let secrets = SecretSource([
        (name: "key", bytes: Bytes(Array("-----BEGIN PRIVATE KEY-----K3Y".utf8), isSecret: true))
    ])

    init() throws {
        directory = try TestDirectory()
    }

    private func open(_ rights: ScopeRights = .mutating, limits: ScopeLimits = ScopeLimits()) throws -> BrokerScope {
        try scope(
            rights, below: [directory.path], exec: [["/bin/true"], ["/usr/bin/touch", directory["touched"]]],
            secrets: secrets,
            planned: PlannedServing(certificates: [Wire.ServedCertificate(fingerprint: "planned")]), limits: limits)
    }

    // MARK: Undo

    @Test("Revert restores contents, modes and owners, brings back removed files and removes new ones")
    func reverts() throws {
        try directory.file("a", "old a", mode: 0o640)
        try directory.file("b", "old b", mode: 0o604)
        try directory.file("c", "old c")
        if geteuid() == 0 { try #require(chown(directory["a"], 12, 34) == 0) }
        let owner = try directory.status("a")
        let scope = try open()
        #expect(
            scope.write(directory["a"], "new", mode: 0o600, owner: Wire.FileOwner(uid: geteuid(), gid: getegid())).code
                == .ok)
        #expect(scope.write(directory["a"], "newer", mode: 0o666).code == .ok)
        #expect(scope.remove(directory["b"]).code == .ok)
        #expect(scope.write(directory["d"], [.secret("key")]).code == .ok)
        let untouched = try directory.status("c")
        #expect(scope.revert().reverted == 3)
        #expect(directory.content("a") == "old a" && directory.content("b") == "old b" && directory.content("d") == nil)
        #expect(try directory.mode("a") == 0o640 && directory.mode("b") == 0o604)
        let restored = try directory.status("a")
        #expect(restored.st_uid == owner.st_uid && restored.st_gid == owner.st_gid)
        #expect(try directory.status("c").st_ino == untouched.st_ino)
        #expect(try directory.names() == ["a", "b", "c"])
        #expect(scope.changes.isEmpty)
        #expect(scope.revert().reverted == 0)
    }

    @Test("Some files can be put back alone; paths that were not changed are as they were already")
    func revertsSome() throws {
        try directory.file("a", "old a")
        let scope = try open()
        _ = scope.write(directory["a"], "new")
        _ = scope.write(directory["b"], "new")
        #expect(scope.revert([directory["b"], directory["c"]]).reverted == 1)
        #expect(directory.content("a") == "new" && directory.content("b") == nil)
        #expect(scope.revert([directory["a"]]).reverted == 1)
        #expect(directory.content("a") == "old a")
        #expect(scope.revert([directory["a"] + "/.."]).code == .invalidArgument)
        #expect(scope.revert(Array(repeating: directory["a"], count: 257)).code == .invalidArgument)
    }

    @Test("A file that is as it was is not written again")
    func revertsNothing() throws {
        try directory.file("a", "old", mode: 0o600)
        let scope = try open()
        _ = scope.write(directory["a"], "old")
        let before = try directory.status("a")
        #expect(scope.revert().reverted == 0)
        #expect(try directory.status("a").st_ino == before.st_ino)
    }

    @Test("A file that cannot be put back is named, the others are put back, and it can be tried again")
    func revertFails() throws {
        try directory.directory("d")
        try directory.file("a", "old a")
        try directory.file("d/b", "old b")
        let scope = try open()
        _ = scope.write(directory["a"], "new")
        _ = scope.write(directory["d/b"], "new")
        try #require(rename(directory["d"], directory["e"]) == 0)
        let reply = scope.revert()
        #expect(reply.code == .failedPrecondition)
        #expect(reply.message.contains(directory["d/b"]))
        #expect(directory.content("a") == "old a")
        try #require(rename(directory["e"], directory["d"]) == 0)
        #expect(scope.revertAll().restored.map(\.description) == [directory["d/b"]])
        #expect(directory.content("d/b") == "old b")
    }

    @Test("Closing without commit puts everything back, the latest first; closing with commit keeps it")
    func closes() throws {
        try directory.file("a", "old a")
        let abandoned = try open()
        _ = abandoned.write(directory["a"], "new")
        _ = abandoned.write(directory["b"], "new")
        let report = abandoned.close(commit: false)
        #expect(report.restored.map(\.description) == [directory["b"], directory["a"]])
        #expect(report.isComplete)
        #expect(directory.content("a") == "old a" && directory.content("b") == nil)

        let committed = try open()
        _ = committed.write(directory["a"], "new")
        #expect(committed.close(commit: true) == RevertReport())
        #expect(committed.close(commit: false) == RevertReport())
        #expect(directory.content("a") == "new")
        #expect(committed.changes.count == 1)
        for reply in [
            committed.read(directory["a"]), committed.write(directory["a"], "x"), committed.revert(),
            committed.exec(["/bin/true"]),
        ] {
            #expect(reply.code == .failedPrecondition)
            #expect(reply.message.contains("scope is over"))
        }
        #expect(directory.content("a") == "new")
    }

    @Test("A file that is too large to be put back is not changed")
    func notRestorable() throws {
        var limits = ScopeLimits()
        limits.restorableFile = 10
        limits.restorable = 15
        let scope = try open(limits: limits)
        try directory.file("large", "12345678901")
        try directory.file("a", "1234567890")
        try directory.file("b", "1234567890")
        #expect(scope.write(directory["large"], "x").code == .resourceExhausted)
        #expect(scope.remove(directory["large"]).code == .resourceExhausted)
        #expect(scope.write(directory["a"], "x").code == .ok)
        #expect(scope.write(directory["b"], "x").code == .resourceExhausted)
        #expect(directory.content("large") == "12345678901" && directory.content("b") == "1234567890")
    }

    @Test(
        "Bytes and files of a deployment are bounded, whatever is put back in between, and the answer names the limit")
    func bounded() throws {
        var limits = ScopeLimits()
        limits.bytesWritten = 10
        limits.files = 2
        let scope = try open(limits: limits)
        #expect(scope.write(directory["a"], "12345").code == .ok)
        let bytes = scope.write(directory["a"], "123456")
        #expect(bytes.code == .resourceExhausted && bytes.message.contains("at most 10 bytes"), "\(bytes.message)")
        #expect(scope.remove(directory["none"]).code == .notFound)
        #expect(scope.write(directory["b"], "12345").code == .ok)
        let files = scope.write(directory["c"], "")
        #expect(files.code == .resourceExhausted && files.message.contains("at most 2 files"), "\(files.message)")
        #expect(try directory.names() == ["a", "b"])
        // Putting back frees nothing: the journal has written it all down.
        #expect(scope.perform(.revert(Wire.RevertRequest())).code == .ok)
        #expect(scope.write(directory["a"], "").code == .resourceExhausted)
        // Each deployment begins anew.
        #expect(try open(limits: limits).write(directory["a"], "12345").code == .ok)
        // So it is with what is kept to be put back.
        limits.restorable = 15
        limits.bytesWritten = 1_000
        limits.files = 100
        let kept = try open(limits: limits)
        try directory.file("old", "1234567890")
        #expect(kept.write(directory["old"], "x").code == .ok)
        #expect(kept.perform(.revert(Wire.RevertRequest())).code == .ok && directory.content("old") == "1234567890")
        #expect(kept.write(directory["old"], "x").code == .resourceExhausted)
    }

    @Test("Calls from several threads are all undone")
    func concurrent() throws {
        try directory.file("a0", "old")
        let scope = try open()
        let path = directory.path
        let threads = try (0..<4).map { number in
            try TestThread {
                for count in 0..<20 { _ = scope.write("\(path)/a\((number + count) % 6)", "\(number)") }
            }
        }
        for thread in threads { thread.join() }
        #expect(scope.records.count == 80)
        #expect(scope.changes.count == 6)
        #expect(scope.close(commit: false).restored.count == 6)
        #expect(try directory.names() == ["a0"])
        #expect(directory.content("a0") == "old")
    }

    // MARK: Rights

    @Test("A read-only scope reads and refuses everything that could change something")
    func readOnly() throws {
        try directory.file("a", "old")
        let scope = try open(.readOnly)
        let before = try directory.picture()
        #expect(scope.read(directory["a"]).content == "old")
        for reply in [
            scope.write(directory["a"], "x"), scope.remove(directory["a"]), scope.revert(),
            scope.exec(["/usr/bin/touch", directory["touched"]]),
        ] {
            #expect(reply.code == .permissionDenied)
            #expect(reply.status?.fix == "")
        }
        #expect(try directory.picture() == before)
        #expect(scope.denials == 4)
    }

    @Test("Methods that this host does not perform are UNIMPLEMENTED")
    func unimplemented() throws {
        let scope = try open()
        #expect(scope.perform(nil).code == .unimplemented)
        #expect(scope.perform(.log(Wire.LogRequest())).code == .unimplemented)
        #expect(scope.perform(.ping(Wire.PingRequest())).code == .unimplemented)
    }

    // MARK: Records

    @Test("Every call is recorded with its object, rule and outcome")
    func records() throws {
        let scope = try open()
        _ = scope.write(directory["a"], "12345")
        _ = scope.read("/etc/shadow")
        _ = scope.remove(directory["none"])
        _ = scope.exec(["/bin/true"])
        #expect(scope.records.map(\.operation) == ["WriteFile", "ReadFile", "RemoveFile", "Exec"])
        #expect(scope.records.map(\.outcome) == [.allowed, .denied, .failed, .allowed])
        #expect(scope.records.map(\.object) == [directory["a"], "/etc/shadow", directory["none"], "[/bin/true]"])
        #expect(scope.records.map(\.grant) == [directory.path + "/", nil, directory.path + "/", "[/bin/true]"])
        #expect(scope.records.map(\.bytes) == [5, 0, 0, 0])
        #expect(scope.records.last?.reason == "exit status 0")
        #expect(scope.denials == 1)
    }

    @Test("Records are bounded, and what is left out is counted; so are their texts")
    func recordsBounded() throws {
        var limits = ScopeLimits()
        limits.records = 3
        let scope = try open(limits: limits)
        let long = "/" + Array(repeating: String(repeating: "\u{1}", count: 200), count: 20).joined(separator: "/")
        for _ in 0..<5 {
            let status = scope.read(long).status
            #expect(status?.message.utf8.count ?? 0 <= 4_096 && status?.fix.utf8.count ?? 0 <= 4_096)
        }
        #expect(scope.records.count == 3 && scope.recordsDropped == 2 && scope.denials == 5)
        #expect(scope.records.allSatisfy { $0.object.utf8.count <= 1_024 && $0.reason?.utf8.count ?? 0 <= 1_024 })
    }

    @Test("No secret, and no digest of one, occurs in records, changes, replies and errors")
    func secretsStay() throws {
        let texts = SecretSource([("key", Bytes(Array("S3CRET-PRIVATE KEY-----".utf8), isSecret: true))])
        try directory.directory("dir")
        for rights in [ScopeRights.mutating, .recording, .readOnly] {
            let scope = try scope(rights, below: [directory.path], exec: [["/bin/true"]], secrets: texts)
            let key = [Wire.Segment.secret("key")]
            let replies = [
                scope.write(directory["a"], key), scope.write(directory["a"], key + [.text("x")], mode: 0o640),
                scope.write(directory["dir"], key), scope.write(directory["none/a"], key), scope.write("/etc/x", key),
                scope.write(directory["a"], [.secret("key", .der)]), scope.stat(directory["a"], compareTo: key),
                scope.exec(["/bin/true"], stdin: key), scope.write(directory["b"], [.secret("key", .base64)]),
            ]
            let digest = SecretDigest.prefix(of: "S3CRET-PRIVATE KEY-----")
            for text in ["\(replies)", "\(scope.records)", "\(scope.changes)"] {
                #expect(!text.contains("S3CRET") && !text.contains("UzNDUkVU") && !text.contains(digest))
            }
            if rights != .readOnly {
                #expect(scope.changes.map(\.after).filter { !$0.isEmpty && !$0.hasPrefix("secret") } == [])
            }
            _ = scope.close(commit: false)
        }
    }

    @Test("What somebody else changed meanwhile stays when a deployment is undone, and is named")
    func foreign() throws {
        try directory.file("a", "old")
        try directory.file("b", "old")
        let scope = try open(.mutating)
        #expect(scope.write(directory["a"], "new").code == .ok)
        #expect(scope.write(directory["b"], "new").code == .ok)
        try directory.file("a", "by hand")
        let report = scope.close(commit: false)
        #expect(directory.content("a") == "by hand" && directory.content("b") == "old")
        #expect(report.foreign.count == 1 && report.foreign.first?.hasPrefix(directory["a"]) == true)
        #expect(report.restored.map(\.description) == [directory["b"]])
        #expect(report.isComplete && report.overwritten == [])
    }

    @Test("What a write has put there that failed in the end is not somebody else's")
    func failedAfterRename() throws {
        let scope = try open(.mutating)
        let isBroken = Atomic<Bool>(true)
        // The one for which there is no room is made durable at once.
        scope.files.withLock {
            $0.unsynced = UnsyncedDirectories(
                SharedSynchronisation { _ in
                    guard isBroken.exchange(false, ordering: .relaxed) else { return 0 }
                    errno = EIO
                    return -1
                })
        }
        for number in 0...UnsyncedDirectories.limit {
            try directory.directory("\(number)")
            try directory.file("\(number)/a", "old")
            let isLast = number == UnsyncedDirectories.limit
            #expect((scope.write(directory["\(number)/a"], "new").code == .ok) != isLast)
        }
        let last = "\(UnsyncedDirectories.limit)/a"
        #expect(directory.content(last) == "new")
        // Nor is it after another write, which failed earlier on its way.
        #expect(rename(directory[last], directory["aside"]) == 0)
        try directory.directory(last)
        #expect(scope.write(directory[last], "newer").code != .ok)
        #expect(rmdir(directory[last]) == 0 && rename(directory["aside"], directory[last]) == 0)
        let report = scope.close(commit: false)
        #expect(directory.content(last) == "old")
        #expect(report.foreign == [] && report.failures == [] && report.restored.count == 17)
    }

    @Test("What somebody made too large to be looked at stays as well; after a command it is put back, and named")
    func foreignAndLarge() throws {
        let large = String(repeating: "x", count: 17 << 20)
        for hasRun in [false, true] {
            try directory.file("a", "old")
            let scope = try TrstctlBrokerTests.scope(.mutating, below: [directory.path], exec: [["/bin/true"]])
            #expect(scope.write(directory["a"], "new").code == .ok)
            if hasRun { #expect(scope.exec(["/bin/true"]).code == .ok) }
            try directory.file("a", large)
            let report = scope.close(commit: false)
            #expect(directory.content("a") == (hasRun ? "old" : large))
            #expect(report.failures.map(\.code) == (hasRun ? [] : [.tooLarge]))
            #expect(report.overwritten.count == (hasRun ? 1 : 0))
        }
    }

    @Test("What a command of the deployment may have changed is put back, and named")
    func changedByCommand() throws {
        try directory.file("a", "old")
        let scope = try TrstctlBrokerTests.scope(.mutating, below: [directory.path], exec: [["/bin/true"]])
        #expect(scope.write(directory["a"], "new").code == .ok)
        #expect(scope.exec(["/bin/true"]).code == .ok)
        try directory.file("a", "by a command")
        let report = scope.close(commit: false)
        #expect(directory.content("a") == "old")
        #expect(report.overwritten.count == 1 && report.foreign == [])
    }

    @Test(
        "A command is named as it was run, not as the rule with its holes",
        arguments: [ScopeRights.recording, .mutating])
    func commandWithHole(_ rights: ScopeRights) throws {
        let grants = try GrantSet.parse(exec: [["/bin/echo", "n={int:1..9}"]])
        let scope = BrokerScope(rights: rights, grants: grants)
        #expect(scope.exec(["/bin/echo", "n=7"]).code == .ok)
        #expect(scope.changes.map(\.object) == ["[/bin/echo, \"n=7\"]"])
        #expect(scope.records.map(\.object) == scope.changes.map(\.object))
    }
}
