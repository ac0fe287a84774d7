import Foundation
import Glibc
import Testing
import TrstctlPolicy
import TrstctlProcess
import TrstctlSystem
import TrstctlTestSupport
import TrstctlWire

@testable import TrstctlLaunch

@Suite("Starts under the whole confinement")
struct ConfinedStartTests {
    @Test(
        "200 of 200 starts succeed, for a static and for a dynamic C program",
        arguments: [ProbeBuild.isStatic, .isDynamic])
    func programs(build: ProbeBuild) throws {
        let probe = try Probe(build)
        for _ in 0..<200 {
            let result = try probe.run(only: "nothing")
            try #require(result.status == .exited(0))
            try #require(result.layers.missing.isEmpty)
        }
    }

    @Test("200 of 200 sessions with a static Swift connector start, answer and leave nothing behind")
    func sessions() async throws {
        let bench = try SessionBench()
        try BuiltProduct.link("echo", in: bench.plugins.path)
        let executable = try bench.executable("echo")
        for _ in 0..<200 {
            let (session, layers) = try await Session.start(executable, bench.request("echo"))
            try #require(layers.missing.isEmpty)
            try #require(try await session.ping() == "")
            await session.stop()
        }
        #expect(bench.runDirectories == [])
    }

    @Test("connectors that run at the same time have different users and socket owners")
    func users() async throws {
        let bench = try SessionBench()
        try BuiltProduct.link("echo", in: bench.plugins.path)
        let executable = try bench.executable("echo")
        var sessions: [Session] = []
        var users: Set<String> = []
        for _ in 0..<8 {
            let (session, layers) = try await Session.start(executable, bench.request("echo"))
            sessions.append(session)
            users.insert(try #require(layers.layers.first { $0.layer == .user }).detail)
        }
        #expect(users.count == 8)
        let owners = bench.runDirectories.map { name -> UInt32 in
            var status = stat()
            return lstat("\(bench.runtimeBase)/\(name)", &status) == 0 && status.st_mode & 0o777 == 0o700
                ? status.st_uid : 0
        }
        #expect(Set(owners.map { "\($0)" }) == users)
        for session in sessions { await session.stop() }
    }

    @Test("what a connector leaves running ends with it, also in a session of its own")
    func leftovers() throws {
        // Without the filters it may start processes; reading to the end of the pipe needs them to be gone.
        let result = try Probe(.isStatic).run(without: [.seccomp], only: "fork-and-leave")
        #expect(result.answers["fork-and-leave"] == "ok")
        #expect(result.status == .exited(0))
    }

    @Test("a running connector is in a group with its limits, which is gone once it is reaped")
    func group() throws {
        let probe = try Probe(.isStatic)
        let scratch = try ScratchDirectory()
        let null = try openNull()
        let directory = OwnedDescriptor(open(try scratch.makeDirectory("run"), O_RDONLY | O_DIRECTORY | O_CLOEXEC))
        var limits = ConfinementLimits()
        limits.processes = 7
        func start() throws -> ChildProcess {
            var confinement = try Confinement(
                try SandboxProfile(for: probe.executable.kind), limits: limits, runDirectory: directory)
            return try probe.executable.start(
                under: &confinement, environment: ["ONLY=wait"], standardOutput: null.raw, standardError: null.raw)
        }
        let child = try start()
        let groups = CgroupHierarchy.hierarchies(
            mounts: TextFile.lines("/proc/self/mountinfo"), groups: TextFile.lines("/proc/\(child.pid)/cgroup")
        ) { _ in ["pids", "memory"] }.map(\.own)
        let own = groups.filter { $0.contains("/trstctl-\(getpid())-") }
        #expect(own.count >= 2)
        #expect(own.contains { TextFile.text($0 + "/pids.max") == "7\n" })
        child.signal(SIGKILL)
        #expect(child.reap(until: .after(milliseconds: 20_000)) == .signalled(SIGKILL))
        #expect(own.allSatisfy { access($0, F_OK) == -1 })
    }

    @Test("a user id is reserved once, and free again afterwards")
    func reservation() throws {
        let scratch = try ScratchDirectory()
        let directory = scratch.file("users")
        var users: [ConnectorUser] = []
        for _ in ConnectorUser.range { users.append(try ConnectorUser(directory: directory)) }
        #expect(Set(users.map(\.uid)).count == ConnectorUser.range.count)
        #expect(throws: SystemError.self) { try ConnectorUser(directory: directory) }
        let freed = users.removeLast().uid
        #expect(try ConnectorUser(directory: directory).uid == freed)
        try #require(chmod(directory, 0o777) == 0)
        #expect(throws: SystemError.self) { try ConnectorUser(directory: directory) }
    }

    @Test("a socket directory that the connector's user cannot reach is a refusal that says so")
    func unreachable() async throws {
        let bench = try SessionBench()
        let closed = try bench.plugins.makeDirectory("closed", mode: 0o700)
        try BuiltProduct.link("echo", in: bench.plugins.path)
        var request = bench.request("echo")
        request.runtimeBase = closed + "/run"
        do {
            _ = try await Session.start(try bench.executable("echo"), request)
            Issue.record("it started")
        } catch let error as SessionError {
            #expect(error.code == .spawn)
            #expect(error.message.contains("own-user"))
            #expect(error.message.contains("cannot search a directory above its socket directory"))
        }
    }

    @Test("control groups of a host that is gone are removed, those of a running one stay")
    func sweep() throws {
        let parents = CgroupHierarchy.mounted().map(\.own)
        let stale = parents.map { "\($0)/trstctl-4194304-1" }  // above the largest process number (proc(5), pid_max)
        let foreign = parents.map { "\($0)/trstctl-1-1" }
        defer { for path in stale + foreign { rmdir(path) } }
        for path in stale + foreign { try #require(mkdir(path, 0o755) == 0) }
        ControlGroup.sweep()
        #expect(stale.allSatisfy { access($0, F_OK) == -1 })
        #expect(foreign.allSatisfy { access($0, F_OK) == 0 })
    }

    @Test("control groups are found on version 1, version 2, and both")
    func hierarchies() {
        let mounts: [Substring] = [
            "30 24 0:26 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw",
            "31 24 0:27 / /sys/fs/cgroup/pids rw,relatime shared:9 - cgroup cgroup rw,pids",
            "32 24 0:28 /docker/x /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory",
            "33 24 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu",
            "34 24 0:30 / /tmp rw - tmpfs tmpfs rw", "", "broken - cgroup", "1 2 3 4 5 6 - cgroup2 x",
        ]
        let groups: [Substring] = ["8:pids:/user/a", "4:memory:/docker/x/y", "0::/system.slice/t.service", "broken"]
        let found = CgroupHierarchy.hierarchies(mounts: mounts, groups: groups) { _ in ["cpu", "pids"] }
        #expect(found.map(\.isUnified) == [true, false, false])
        #expect(
            found.map(\.own) == [
                "/sys/fs/cgroup/unified/system.slice/t.service", "/sys/fs/cgroup/pids/user/a",
                "/sys/fs/cgroup/memory/y",
            ])
        #expect(found.map(\.controllers) == [["cpu", "pids"], ["pids"], ["memory"]])
        #expect(found.first?.parents.count == 3)
        #expect(found.first?.parents.last == "/sys/fs/cgroup/unified")
    }

    @Test("the doctor's lines agree with what a start applies")
    func offer() throws {
        let offer = KernelOffer.probe()
        #expect(offer.lines.map(\.name).starts(with: Layer.allCases.map(\.rawValue)))
        let applied = try Probe(.isStatic).run(mode: .bestEffort, only: "nothing").layers
        let offered = Set(offer.lines.filter(\.isAvailable).map(\.name))
        #expect(offered.subtracting(["sealed-executable", "peer-pidfd"]) == Set(applied.layers.map(\.layer.rawValue)))
        #expect(offer.allowsStrict == applied.missing.isEmpty)
        #expect(offer.lines.allSatisfy { !$0.finding.isEmpty && !$0.consequence.isEmpty })
    }
}
