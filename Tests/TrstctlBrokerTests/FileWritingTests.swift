import Glibc
import Synchronization
import Testing
import TrstctlSystem
import TrstctlTestSupport
import TrstctlWire

@testable import TrstctlBroker
@testable import TrstctlPolicy

@Suite("Writing files")
struct FileWritingTests {
    let directory: TestDirectory
    let scope: BrokerScope

    init() throws {
        directory = try TestDirectory()
        try directory.directory("in")
        try directory.directory("out")
        scope = try TrstctlBrokerTests.scope(below: [directory["in"]])
    }

    @Test("A new file gets the content and mode 0600, whatever the umask")
    func creates() throws {
        let reply = scope.write(directory["in/a"], "hello")
        #expect(reply.code == .ok)
        #expect(reply.writeResponse?.replaced == false)
        #expect(directory.content("in/a") == "hello")
        #expect(try directory.mode("in/a") == 0o600)
        #expect(try directory.names(in: "in") == ["a"])
    }

    @Test("An existing file keeps its mode and owner when nothing else is asked")
    func keeps() throws {
        try directory.file("in/a", "old", mode: 0o640)
        if geteuid() == 0 { try #require(chown(directory["in/a"], 12, 34) == 0) }
        let before = try directory.status("in/a")
        let reply = scope.write(directory["in/a"], "new")
        #expect(reply.writeResponse?.replaced == true)
        #expect(directory.content("in/a") == "new")
        let after = try directory.status("in/a")
        #expect(after.st_mode == before.st_mode)
        #expect(after.st_uid == before.st_uid && after.st_gid == before.st_gid)
        #expect(after.st_ino != before.st_ino)
    }

    @Test("Mode and owner are set as asked")
    func sets() throws {
        let owner = geteuid() == 0 ? Wire.FileOwner(uid: 12, gid: 34) : Wire.FileOwner(uid: geteuid(), gid: getegid())
        #expect(scope.write(directory["in/a"], "x", mode: 0o754, owner: owner).code == .ok)
        let status = try directory.status("in/a")
        #expect(status.st_mode & 0o7777 == 0o754)
        #expect(status.st_uid == owner.uid && status.st_gid == owner.gid)
    }

    @Test("Set-user-id bits are never set, and files that have them are not touched")
    func privileged() throws {
        #expect(scope.write(directory["in/a"], "x", mode: 0o4755).code == .invalidArgument)
        try directory.file("in/b", "old", mode: 0o4755)
        #expect(scope.write(directory["in/b"], "x").code == .permissionDenied)
        #expect(directory.content("in/b") == "old")
        #expect(try directory.names(in: "in") == ["b"])
    }

    @Test("The owner that chown(2) takes as no change is refused")
    func wildOwner() {
        let reply = scope.write(directory["in/a"], "x", owner: Wire.FileOwner(uid: .max, gid: 0))
        #expect(reply.code == .invalidArgument)
    }

    @Test(
        "What is not a regular file with one name is neither replaced nor removed",
        arguments: [
            "in/link", "in/dangling", "in/dir", "in/pipe", "in/hard", "in/linked/a",
        ])
    func refuses(name: String) throws {
        try directory.file("out/a", "outside")
        try directory.link("in/link", to: directory["out/a"])
        try directory.link("in/dangling", to: directory["out/new"])
        try directory.directory("in/dir")
        try #require(mkfifo(directory["in/pipe"], 0o644) == 0)
        try #require(link(directory["out/a"], directory["in/hard"]) == 0)
        try directory.link("in/linked", to: directory["out"])
        let before = try directory.picture()
        #expect(scope.write(directory[name], "evil").code == .permissionDenied)
        #expect(scope.remove(directory[name]).code == .permissionDenied)
        #expect(try directory.picture() == before)
        #expect(scope.denials == 2)
    }

    @Test("A missing directory is not made; the error says which and how")
    func noParent() throws {
        let reply = scope.write(directory["in/none/a"], "x")
        #expect(reply.code == .failedPrecondition)
        #expect(reply.status?.fix == "mkdir -p \(directory["in/none"])")
        #expect(try directory.names(in: "in") == [])
    }

    @Test("A file is removed; a missing one is NOT_FOUND")
    func removes() throws {
        let path = try directory.file("in/a", "old")
        #expect(scope.remove(path).code == .ok)
        #expect(try directory.names(in: "in") == [])
        #expect(scope.remove(path).code == .notFound)
    }

    @Test("Content of nothing, of the limit, and of one byte more")
    func sizes() throws {
        #expect(scope.write(directory["in/a"], []).code == .ok)
        #expect(try directory.status("in/a").st_size == 0)
        let limit = String(repeating: "x", count: 3 << 20)
        #expect(scope.write(directory["in/a"], limit).code == .ok)
        #expect(try directory.status("in/a").st_size == 3 << 20)
        #expect(scope.write(directory["in/b"], [.text(limit), .text("x")]).code == .resourceExhausted)
        #expect(try directory.names(in: "in") == ["a"])
    }

    @Test(
        "Until it is complete the file is private and beside its target; a failure at any step leaves nothing",
        arguments: WriteStep.allCases)
    func stops(at stop: WriteStep) throws {
        try directory.file("in/a", "old", mode: 0o644)
        let ticket = try ticket(.writeFile(try AbsolutePath(directory["in/a"])), below: directory["in"])
        var seen: [WriteStep: mode_t] = [:]
        let failure = EffectError(.noSpace, object: "x", "injected")
        #expect(throws: failure) {
            try FileWriting.write(ticket, "new") { step, descriptor throws(EffectError) in
                var status = stat()
                fstat(descriptor, &status)
                seen[step] = status.st_mode & 0o7777
                if step == stop { throw failure }
            }
        }
        #expect(seen[.created] == 0o600)
        if stop != .created { #expect(seen[.written] == 0o600) }
        if let mode = seen[.permitted] { #expect(mode == 0o644) }
        #expect(try directory.names(in: "in") == ["a"])
        #expect(directory.content("in/a") == (stop == .renamed ? "new" : "old"))
    }

    @Test("Nothing has a name before what was announced is durable; when that fails, nothing has changed")
    func namesLate() throws {
        try directory.file("in/a", "old", mode: 0o644)
        let ticket = try ticket(.writeFile(try AbsolutePath(directory["in/a"])), below: directory["in"])
        var steps: Set<WriteStep> = []
        var seen: [Set<WriteStep>] = []
        let failure = EffectError(.noSpace, object: "x", "injected")
        for isDurable in [false, true] {
            steps = []
            let write = { () throws(EffectError) in
                try FileWriting.write(
                    ticket, "new",
                    observer: { step, _ throws(EffectError) in
                        #expect(step != .named || isDurable)
                        steps.insert(step)
                    },
                    once: { () throws(EffectError) in
                        #expect((try? directory.names(in: "in")) == ["a"])
                        seen.append(steps)
                        if !isDurable { throw failure }
                    })
            }
            if isDurable { try write() } else { #expect(throws: failure) { try write() } }
            #expect(directory.content("in/a") == (isDurable ? "new" : "old"))
            #expect(try directory.names(in: "in") == ["a"])
        }
        // In a file without a name the content is there by then, so that the disk can have begun with it.
        #expect(seen == [[.created, .written, .owned, .permitted], [.created, .written, .owned, .permitted]])
    }

    @Test("What has the temporary file's name is removed, and neither opened nor followed")
    func namedAlready() throws {
        try directory.file("canary", "canary")
        let path = try AbsolutePath(directory["in/a"])
        let name = try TemporaryFile.name(for: path)
        let obstructed = "in/" + String(decoding: name.array, as: UTF8.self)
        let ticket = try ticket(.writeFile(path), below: directory["in"])
        for obstacle in ["link", "file"] {
            if obstacle == "link" { try directory.link(obstructed, to: directory["canary"]) }
            if obstacle == "file" { try directory.file(obstructed, "x") }
            try FileWriting.write(ticket, Bytes(obstacle), through: name)
            #expect(directory.content("in/a") == obstacle)
            #expect(try directory.names(in: "in") == ["a"])
            #expect(directory.content("canary") == "canary")
        }
    }

    @Test("A target that turns into a directory during the write is not followed, and nothing is left")
    func turnsIntoDirectory() throws {
        let ticket = try ticket(.writeFile(try AbsolutePath(directory["in/a"])), below: directory["in"])
        #expect(throws: EffectError.self) {
            try FileWriting.write(ticket, "new") { step, _ throws(EffectError) in
                if step == .written { mkdir(directory["in/a"], 0o755) }
            }
        }
        #expect(try directory.names(in: "in") == ["a"])
    }

    @Test("A full disk is an error that says so; the old content stays", .enabled(if: geteuid() == 0, "needs root"))
    func full() throws {
        try directory.directory("small")
        guard mount("none", directory["small"], "tmpfs", 0, "size=64k") == 0 else { return }
        defer { umount(directory["small"]) }
        try directory.file("small/a", "old")
        let scope = try TrstctlBrokerTests.scope(below: [directory["small"]])
        let reply = scope.write(directory["small/a"], String(repeating: "x", count: 100_000))
        #expect(reply.code == .resourceExhausted)
        #expect(reply.status?.fix.contains("df -h") == true)
        #expect(directory.content("small/a") == "old")
        #expect(try directory.names(in: "small") == ["a"])
        // MS_REMOUNT | MS_RDONLY
        try #require(mount("none", directory["small"], "tmpfs", 33, nil) == 0)
        let refused = scope.write(directory["small/a"], "new")
        #expect(refused.code == .failedPrecondition)
        #expect(refused.message.contains("read-only"))
        let plan = try TrstctlBrokerTests.scope(.recording, below: [directory["small"]])
        #expect(plan.write(directory["small/a"], "new").code == .failedPrecondition)
    }

    /// `TRSTCTL_SOAK_PATHS` makes it longer.
    ///
    /// In memory: what the kernel resolves is the same there, and 100,000
    /// writes need not wait for a disk.
    @Test("P19: a directory that is swapped for a link in a loop never lets one of 100,000 writes out")
    func swapped() throws {
        let count = soakCount("PATHS", short: 100_000)
        let directory = try TestDirectory(in: access("/dev/shm", W_OK) == 0 ? "/dev/shm" : nil)
        try directory.directory("in")
        try directory.directory("out")
        try directory.directory("in/d")
        let stop = Atomic(false)
        let names = [directory["in/d"], directory["in/aside"], directory["out"]]
        let thread = try TestThread {
            while !stop.load(ordering: .relaxed) {
                rename(names[0], names[1])
                symlink(names[2], names[0])
                unlink(names[0])
                rename(names[1], names[0])
            }
        }
        var limits = ScopeLimits()
        limits.records = 10
        limits.bytesWritten = .max
        var scope = try TrstctlBrokerTests.scope(below: [directory["in"]], limits: limits)
        var written = 0
        for number in 0..<count {
            // Now and then a new one, so that what was kept to be undone is read again.
            if number % 100 == 99 { scope = try TrstctlBrokerTests.scope(below: [directory["in"]], limits: limits) }
            let path = directory["in/d/f\(number % 8)"]
            let reply = number % 16 == 15 ? scope.remove(path) : scope.write(path, "x")
            if reply.code == .ok { written += 1 }
        }
        stop.store(true, ordering: .relaxed)
        thread.join()
        #expect(try directory.names(in: "out") == [])
        // Both: some found the directory, and some the link or nothing.
        #expect(written > count / 100 && written < count)
    }
}
