import Foundation
import Glibc
import Testing
import TrstctlPolicy
import TrstctlProcess
import TrstctlSystem
import TrstctlTestSupport

@testable import TrstctlLaunch

@Suite("Scripts")
struct ScriptTests {
    /// Tries what a connector must not do, and prints how each attempt ended.
    static let attempts = #"""
        import ctypes, os, socket, subprocess, sys

        libc = ctypes.CDLL(None, use_errno=True)

        def attempt(name, call):
            try:
                call()
                print(name, "ok")
            except OSError as error:
                print(name, error.errno)
            except BaseException as error:
                print(name, type(error).__name__)

        def system(*arguments):
            if libc.syscall(*arguments) == -1:
                raise OSError(ctypes.get_errno(), "")

        here = os.environ["HERE"]
        attempt("module", lambda: __import__("json"))
        attempt("extension", lambda: __import__("_json"))
        print("descriptors", ",".join(sorted(os.listdir("/proc/self/fd"))))
        print("arguments", sys.argv[0])
        print("program", os.readlink("/proc/self/exe").split(" ")[0])
        attempt("script-write", lambda: os.open("/proc/self/fd/3", os.O_RDWR) and os.write(os.open("/proc/self/fd/3", os.O_RDWR), b"x"))
        attempt("program-write", lambda: os.write(os.open("/proc/self/exe", os.O_RDWR), b"x"))
        attempt("passwd", lambda: open("/etc/passwd"))
        attempt("canary", lambda: open(here + "/canary"))
        attempt("create", lambda: open(here + "/new", "w"))
        attempt("list", lambda: os.listdir(here))
        attempt("interpreter", lambda: open("/usr/bin/python3"))
        attempt("execute", lambda: os.execv("/bin/true", ["true"]))
        attempt("execute-descriptor", lambda: os.execve(3, ["x"], {}))
        attempt("execute-linker", lambda: system(322 if os.uname().machine == "x86_64" else 281,
            os.open(os.environ["LINKER"], os.O_RDONLY), b"", None, None, 0x1000, 0))
        attempt("fork", os.fork)
        attempt("process", lambda: subprocess.run(["/bin/true"]))
        attempt("udp", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        attempt("connect", lambda: socket.socket(socket.AF_UNIX).connect(here + "/nothing"))
        attempt("memory", lambda: __import__("mmap").mmap(-1, 4096, prot=7))
        print("user", os.getuid() not in (0, int(os.environ["HOST"])))
        """#

    private let bench: SessionBench

    init() throws { bench = try SessionBench() }

    private func verified(_ text: String, _ interpreter: String) throws -> VerifiedExecutable {
        try bench.plugins.write(text, to: "trstctl-connector-script", mode: 0o755)
        let discovery = Discovery(SearchPath(explicit: [Bytes(bench.plugins.path)], variable: nil, home: nil))
        let sealed = try SealedExecutable(copying: try discovery.candidate(try #require(ConnectorName("script"))))
        var rules = VerificationRules(Pins([sealed.digest]))
        rules.script = try ConnectorBuild.interpreterRule(interpreter)
        return try VerifiedExecutable(sealed, rules)
    }

    private func run(_ executable: VerifiedExecutable, mode: ConfinementMode = .strict) throws -> Run {
        let scratch = try ScratchDirectory()
        try #require(chmod(scratch.path, 0o755) == 0)
        try scratch.write("x", to: "canary")
        let pipe = try BytePipe()
        let run = OwnedDescriptor(open(try scratch.makeDirectory("run"), O_RDONLY | O_DIRECTORY | O_CLOEXEC))
        var confinement = try Confinement(
            try SandboxProfile(for: executable), mode: mode, runDirectory: run)
        let child = try executable.start(
            under: &confinement,
            environment: [Bytes("HERE=\(scratch.path)"), Bytes("HOST=\(getuid())"), Bytes("LINKER=\(Probe.linker)")],
            standardOutput: pipe.writer.raw, standardError: pipe.writer.raw)
        let output = pipe.drain()
        return Run(output: output, status: child.reap(until: .after(milliseconds: 30_000)))
    }

    @Test("a script has its interpreter, the standard library and itself, and nothing else")
    func confined() throws {
        let result = try run(try verified("#!/usr/bin/python3 -I\n" + Self.attempts, "/usr/bin/python3"))
        #expect(result.status == .exited(0), "\(result.output)")
        let answers = Dictionary(
            result.lines.map { line in
                let words = line.split(separator: " ", maxSplits: 1).map(String.init)
                return (words[0], words.count > 1 ? words[1] : "")
            }, uniquingKeysWith: { $1 })
        let denied = "\(EACCES)"
        let refused = "\(EPERM)"
        let expected = [
            "module": "ok", "extension": "ok",
            // 0, 1, 2, the script, the script that Python has opened, the directory that is being listed.
            "descriptors": "0,1,2,3,4", "arguments": "/proc/self/fd/3", "program": "/memfd:trstctl-interpreter",
            "script-write": denied, "program-write": denied, "passwd": denied, "canary": denied,
            "create": denied, "list": denied, "interpreter": denied, "execute": refused,
            "execute-descriptor": refused, "execute-linker": refused, "fork": refused, "process": refused,
            "udp": "\(EAFNOSUPPORT)", "connect": denied, "memory": denied, "user": "True",
        ]
        for (name, answer) in expected { #expect(answers[name] == answer, "\(name)") }
        #expect(answers.count == expected.count)
    }

    @Test("the words are those that the kernel would make, and a shell reads its script too")
    func words() throws {
        let text = "#!/bin/sh -u\necho \"$0 $#\"\ncd / 2>/dev/null || echo caught\n"
        let result = try run(try verified(text, "/bin/sh"))
        #expect(result.lines == ["/proc/self/fd/3 0", "caught"], "\(result.output)")
        #expect(try run(try verified(text, "/bin/sh"), mode: .off).lines == ["/proc/self/fd/3 0"])
    }

    @Test("an interpreter and a script that are replaced after they were verified are not what runs")
    func swapped() throws {
        let interpreter = bench.plugins.file("sh")
        try FileManager.default.copyItem(atPath: "/usr/bin/dash", toPath: interpreter)
        let executable = try verified("#!\(interpreter)\necho verified\n", interpreter)
        try bench.plugins.write("#!/bin/sh\necho swapped\n", to: "trstctl-connector-script", mode: 0o755)
        try FileManager.default.removeItem(atPath: interpreter)
        try FileManager.default.copyItem(atPath: "/bin/true", toPath: interpreter)
        #expect(try run(executable).lines == ["verified"])
    }

    @Test("only an interpreter that is known has a library, and it is looked for beside the file itself")
    func standardLibrary() throws {
        let scratch = try ScratchDirectory()
        for name in ["lib/python3.99", "lib/python3", "lib/ruby", "share/perl", "bin"] {
            try FileManager.default.createDirectory(
                atPath: scratch.file(name), withIntermediateDirectories: true)
        }
        func directories(_ name: String) -> [String] {
            StandardLibrary.directories(of: Bytes(scratch.file(name))).map {
                String($0.dropFirst(scratch.path.count + 1))
            }
        }
        #expect(directories("bin/python3.99") == ["lib/python3.99", "lib/python3"])
        #expect(directories("bin/python3.98") == ["lib/python3"])
        #expect(directories("bin/perl5.36") == ["share/perl"])
        #expect(directories("bin/ruby") == ["lib/ruby"])
        #expect(directories("bin/sh") == [] && directories("python3.99") == [])
    }
}
