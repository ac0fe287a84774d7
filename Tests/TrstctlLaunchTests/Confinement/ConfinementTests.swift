import Foundation
import Glibc
import Synchronization
import Testing
import TrstctlLaunch
import TrstctlPolicy
import TrstctlProcess
import TrstctlSystem
import TrstctlTestSupport

@Suite("Confinement of a connector")
struct ConfinementTests {
    /// What a connector needs, and must have under every layer.
    static let needed: Set = [
        "null", "urandom", "random", "bind-run", "socket-unix", "pair-stream", "thread", "tgkill-self", "fcntl-flags",
        "limits-read", "name", "ioctl-nonblocking", "descriptor-3", "open-proc", "no-new-privs", "filtered",
    ]
    /// Attempts that do not succeed without confinement either.
    private static let vain: Set = [
        "execve", "no-new-privs", "filtered", "cgroup-path", "orphan", "leaked-descriptors",
    ]
    /// The error of an attempt, where it tells which layer answered.
    private static let errors: [String: Int32] = [
        "open-passwd": EACCES, "open-canary": EACCES, "create": EACCES, "chmod": EPERM, "connect-unix": EACCES,
        "socket-inet": EAFNOSUPPORT, "socket-inet6": EAFNOSUPPORT, "socket-udp": EAFNOSUPPORT,
        "socket-netlink": EAFNOSUPPORT, "socket-packet": EAFNOSUPPORT, "socket-unix-datagram": EAFNOSUPPORT,
        "socket-mptcp": EAFNOSUPPORT, "socket-raw": EAFNOSUPPORT, "socket-vsock": EAFNOSUPPORT,
        "pair-datagram": EAFNOSUPPORT, "datagram-by-pair": EAFNOSUPPORT, "clone3": ENOSYS, "ioctl-queue": ENOTTY,
        "stat-private": EACCES, "write-execute": EACCES, "write-then-execute": EACCES, "unknown-call": EPERM,
        "execve": EPERM, "descriptors-300": EMFILE, "threads-100": EAGAIN,
    ]

    @Test("a connector can do what it must, and nothing else", arguments: [ProbeBuild.isStatic, .isDynamic])
    func probes(build: ProbeBuild) throws {
        let probe = try Probe(build)
        let before = try probe.canaries.state()
        let confined = try probe.run()
        #expect(try probe.canaries.state() == before)
        #expect(confined.status == .exited(42))
        #expect(confined.successes == ConfinementTests.needed)
        for (name, error) in ConfinementTests.errors { #expect(confined.answers[name] == "\(error)", "\(name)") }
        #expect(confined.answers.count > 90)
        #expect(confined.layers.layers.map(\.layer) == Layer.allCases)
        #expect(confined.layers.missing == [])
    }

    @Test("the same attempts succeed without confinement, and reach the canaries")
    func unconfined() throws {
        let probe = try Probe(.isStatic)
        let confined = try probe.run()
        let before = try probe.canaries.state()
        let free = try probe.run(mode: .off)
        // Whether the tests' own process has supplementary groups is not theirs to say.
        #expect(Set(confined.answers.keys).subtracting(free.successes).subtracting(["groups"]) == ConfinementTests.vain)
        #expect(free.status == .exited(0))  // of /bin/true, which took its place
        #expect("\(free.layers)" == "none")
        #expect(free.layers.missing.map(\.layer) == Layer.allCases)
        let after = try probe.canaries.state()
        #expect(after != before)
        #expect(after.contains("arrivals: stream 1 datagram 1 abstract 1 tcp 3 udp 1"))
    }

    @Test(
        "calls that only an attack makes end the connector",
        arguments: [
            "ptrace", "unshare", "io_uring", "bpf", "x32", "int80", "mount", "setns", "pivot_root", "userfaultfd",
            "perf",
            "keyctl", "process_vm_readv",
        ])
    func killing(call: String) throws {
        let probe = try Probe(.isStatic)
        #expect(try probe.run(only: call).status == .signalled(SIGSYS))
        let free = try probe.run(mode: .off, only: call)
        #expect(free.status == .exited(0))
        #expect(free.answers[call] == "ok")
    }

    @Test("a connector that aborts says so by its signal")
    func aborting() throws {
        #expect(try Probe(.isStatic).run(only: "abort").status == .signalled(SIGABRT))
    }

    @Test("nothing is executed after the connector, not even what it may open for that")
    func executingAgain() throws {
        let probe = try Probe(.isDynamic)
        let confined = try probe.run(only: "execute-again")
        #expect(confined.answers["linker"] == "ok")
        #expect(confined.answers["execute-again"] == "\(EPERM)")
        let free = try probe.run(mode: .off, only: "execute-again")
        #expect(free.answers["linker"] == "ok" && free.answers["execute-again"] == nil)
    }

    @Test("only ELF files for this machine have a profile")
    func profiles() throws {
        #expect(try SandboxProfile(for: .staticELF).kind == .staticELF)
        for kind: ExecutableKind in [.script, .foreignELF(machine: 3, is64Bit: false), .brokenELF, .unknown] {
            let error = #expect(throws: ConfinementError.self) { try SandboxProfile(for: kind) }
            #expect(error?.code == .unsupportedKind(kind))
        }
    }

    @Test("a directory of libraries that others may change, or that is none, is a refusal; a static file gets none")
    func libraries() throws {
        let directory = try TemporaryDirectory()
        let runDirectory = try TemporaryDirectory()
        let run = OwnedDescriptor(open(runDirectory.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC))
        let file = try directory.write([1], to: "file")
        let linker = ExecutableKind.dynamicELF(interpreter: Bytes(Probe.linker))
        for path in [directory.file("missing"), file, "/tmp"] {
            let named = [try AbsolutePath(path)]
            _ = try Confinement(try SandboxProfile(for: .staticELF, libraries: named), runDirectory: run)
            let profile = try SandboxProfile(for: linker, libraries: named)
            do throws(ConfinementError) {
                _ = try Confinement(profile, runDirectory: run)
                Issue.record("\(path) was accepted")
            } catch {
                #expect(error.code == .untrustedLibrary(Bytes(path)))
            }
        }
        _ = try Confinement(
            try SandboxProfile(for: linker, libraries: [try AbsolutePath(directory.path)]), runDirectory: run)
    }

    @Test("a dynamic linker that others may change is not granted")
    func interpreter() throws {
        let directory = try TemporaryDirectory()
        let linker = try directory.write([1], to: "ld.so", mode: 0o777)
        for path in [linker, directory.path, directory.file("missing")] {
            let profile = try SandboxProfile(for: .dynamicELF(interpreter: Bytes(path)))
            let run = OwnedDescriptor(open(directory.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC))
            do throws(ConfinementError) {
                _ = try Confinement(profile, runDirectory: run)
                Issue.record("\(path) was accepted")
            } catch {
                #expect(error.code == .untrustedInterpreter(Bytes(path)))
            }
        }
    }
}
