import Foundation
import Glibc
import Synchronization
import Testing
import TrstctlLaunch
import TrstctlPolicy
import TrstctlProcess
import TrstctlSystem

@Suite("Confinement of a connector")
struct ConfinementTests {
    /// What each attempt gives inside; outside every one of them succeeds, which proves that the attempt is real.
    private static let denied: [String: Int32] = [
        "open-passwd": EACCES, "open-root": EACCES, "open-canary": EACCES, "open-proc": EACCES, "create": EACCES,
        "mkdir": EPERM, "fifo": EPERM, "symlink": EPERM, "chmod": EPERM, "chown": EPERM, "utimes": EPERM,
        "truncate": EPERM, "bind-elsewhere": EACCES, "connect-unix": EACCES, "socket-inet": EAFNOSUPPORT,
        "socket-inet6": EAFNOSUPPORT, "socket-udp": EAFNOSUPPORT, "socket-netlink": EAFNOSUPPORT,
        "socket-packet": EAFNOSUPPORT, "socket-unix-datagram": EAFNOSUPPORT, "pair-datagram": EAFNOSUPPORT,
        "memfd": EPERM, "execveat-missing": EPERM, "fork": EPERM, "clone3": ENOSYS, "kill-host": EPERM,
        "tgkill-host": EPERM, "fcntl-owner": EPERM, "fcntl-signal": EPERM, "limits-host": EPERM, "limits-set": EPERM,
        "pdeathsig-read": EPERM, "pdeathsig-clear": EPERM, "ioctl-queue": ENOTTY, "write-execute": EACCES,
        "chroot": EPERM,
        "unknown-call": EPERM, "execve": EPERM,
    ]
    private static let allowed: Set = [
        "null", "urandom", "bind-run", "socket-unix", "pair-stream", "thread", "tgkill-self", "fcntl-flags",
        "limits-read", "name", "ioctl-nonblocking", "descriptor-3",
    ]

    @Test("a static connector can do what it must, and nothing else", arguments: [ProbeBuild.isStatic, .isDynamic])
    func probes(build: ProbeBuild) throws {
        let probe = try Probe(build)
        let confined = try probe.run(isConfined: true)
        #expect(confined.status == .exited(42))
        let answers = confined.answers
        for (name, error) in ConfinementTests.denied { #expect(answers[name] == "\(error)", "\(name)") }
        for name in ConfinementTests.allowed { #expect(answers[name] == "ok", "\(name)") }
        #expect(answers.count == ConfinementTests.denied.count + ConfinementTests.allowed.count)
        try probe.expectUntouchedCanary()
    }

    @Test("the same attempts succeed without confinement")
    func unconfined() throws {
        let free = try Probe(.isStatic).run(isConfined: false)
        for name in ConfinementTests.denied.keys where name != "execve" {
            #expect(free.answers[name] == "ok", "\(name)")
        }
        #expect(free.answers["execve"] == nil)
        #expect(free.status == .exited(0))  // of /bin/true, which took its place
    }

    @Test(
        "calls that only an attack makes end the connector",
        arguments: ["ptrace", "unshare", "io_uring", "bpf", "x32", "int80"])
    func killing(call: String) throws {
        let probe = try Probe(.isStatic)
        #expect(try probe.run(isConfined: true, only: call).status == .signalled(SIGSYS))
        let free = try probe.run(isConfined: false, only: call)
        #expect(free.status == .exited(0))
        #expect(free.answers[call] == "ok")
    }

    @Test("a connector that aborts says so by its signal")
    func aborting() throws {
        #expect(try Probe(.isStatic).run(isConfined: true, only: "abort").status == .signalled(SIGABRT))
    }

    @Test("each filter works without the other")
    func independence() throws {
        let probe = try Probe(.isStatic)
        let landlock = try probe.run(isConfined: true) { $0.confinement.filtersSystemCalls = false }.answers
        #expect(landlock["open-passwd"] == "\(EACCES)")
        #expect(landlock["mkdir"] == "\(EACCES)")
        #expect(landlock["kill-host"] == "\(EPERM)")
        #expect(landlock["socket-inet"] == "ok")
        let seccomp = try probe.run(isConfined: true) { $0.confinement.landlockRuleset = nil }.answers
        #expect(seccomp["open-passwd"] == "ok")
        #expect(seccomp["mkdir"] == "\(EPERM)")
        #expect(seccomp["tgkill-host"] == "\(EPERM)")
    }

    @Test("the kernel confirms each layer that is reported")
    func report() throws {
        let probe = try Probe(.isStatic)
        let run = try probe.run(isConfined: true, only: "nothing")
        #expect(run.layers.hasPrefix("rlimits parent-death-signal no_new_privs"))
        #expect(run.layers.contains("landlock-"))
        #expect(run.layers.hasSuffix("seccomp"))
        let shell = try status { _ in }
        #expect(shell["NoNewPrivs"] == "0")
        #expect(shell["Seccomp"] == "0")
        let confined = try status { $0.confinement.noNewPrivileges = true }
        #expect(confined["NoNewPrivs"] == "1")
    }

    @Test("only ELF files for this machine have a profile")
    func profiles() throws {
        #expect(try SandboxProfile(for: .staticELF).kind == .staticELF)
        for kind: ExecutableKind in [.script, .foreignELF(machine: 3, is64Bit: false), .brokenELF, .unknown] {
            let error = #expect(throws: ConfinementError.self) { try SandboxProfile(for: kind) }
            #expect(error?.code == .unsupportedKind(kind))
        }
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

    private func status(_ change: (inout SpawnRequest) -> Void) throws -> [String: String] {
        let lines = try TrstctlLaunchTests.run("/bin/cat", ["/proc/self/status"], change: change).lines
        let fields = lines.map { $0.split(whereSeparator: \.isWhitespace).map(String.init) }
        return Dictionary(
            fields.map { ($0.first.map { String($0.dropLast()) } ?? "", $0.last ?? "") },
            uniquingKeysWith: { a, _ in a })
    }
}
