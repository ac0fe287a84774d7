import Foundation
import Glibc
import Testing
import TrstctlLaunch
import TrstctlPolicy
import TrstctlSystem
import TrstctlTestSupport

@testable import TrstctlHost

/// Where secret fields come from: files, variables, descriptors, commands, systemd credentials.
@Suite("Origins of secrets", .serialized)
struct SecretOriginTests {
    private let scratch: ScratchDirectory

    init() throws {
        scratch = try ScratchDirectory()
    }

    private func file(_ content: String, mode: mode_t = 0o600) throws -> SecretOrigin {
        .file(Bytes(try scratch.write(content, to: "secret-\(UUID().uuidString)", mode: mode)))
    }

    private func value(_ origin: SecretOrigin) throws -> String? {
        let bytes = try SecretOrigins().value(origin)
        #expect(bytes.isSecret)
        return bytes.text
    }

    private func code(_ origin: SecretOrigin) throws -> SecretReadError.Code? {
        #expect(throws: SecretReadError.self) { try SecretOrigins().value(origin) }?.code
    }

    @Test(
        "One line feed at the end of a file is left out, and nothing else",
        arguments: [("a", "a"), ("a\n", "a"), ("a\n\n", "a\n"), ("a\r\n", "a\r"), (" a ", " a "), ("\na", "\na")])
    func lineFeed(_ content: String, _ expected: String) throws {
        #expect(try value(try file(content)) == expected)
    }

    @Test(
        "A file that others can read, or that anybody but its owner can write, is refused",
        arguments: [
            (0o600, true), (0o400, true), (0o440, true), (0o640, true), (0o644, false), (0o660, false), (0o604, false),
        ])
    func modes(_ mode: mode_t, _ isAllowed: Bool) throws {
        let origin = try file("s3cr3t-value", mode: mode)
        if isAllowed {
            #expect(try value(origin) == "s3cr3t-value")
        } else {
            let error = #expect(throws: SecretReadError.self) { try SecretOrigins().value(origin) }
            #expect(error?.code == .unsafePermissions)
            guard case .file(let path) = origin else { return }
            let text = try #require(error?.description)
            #expect(text.contains("; chmod 600 \(printable(path)), or") && !text.contains("s3cr3t"), "\(text)")
        }
    }

    @Test("A file of another user is refused", .enabled(if: geteuid() == 0, "needs root"))
    func owner() throws {
        guard case .file(let path) = try file("a"), let text = path.text else { return }
        try #require(chown(text, 65_534, 65_534) == 0)
        #expect(try code(.file(path)) == .unsafePermissions)
    }

    @Test("What is missing, empty, too long, a directory or a FIFO is refused; a link is followed")
    func kinds() throws {
        #expect(try code(.file("/nowhere/at/all")) == .missing)
        #expect(try code(try file("")) == .empty)
        #expect(try code(try file("\n")) == .empty)
        #expect(try value(try file(String(repeating: "x", count: SecretFile.limit)))?.count == SecretFile.limit)
        #expect(try code(try file(String(repeating: "x", count: SecretFile.limit + 1))) == .tooLarge)
        #expect(try code(.file(Bytes(scratch.path))) == .notRegular)
        let fifo = scratch.file("fifo")
        try #require(mkfifo(fifo, 0o600) == 0)
        #expect(try code(.file(Bytes(fifo))) == .notRegular)
        let link = scratch.file("link")
        try #require(symlink(try scratch.write("linked", to: "target", mode: 0o600), link) == 0)
        #expect(try value(.file(Bytes(link))) == "linked")
    }

    @Test("A variable is taken as it is; one that is missing or empty is refused")
    func variables() throws {
        setenv("TRSTCTL_TEST_SECRET", "from the environment\n", 1)
        defer { unsetenv("TRSTCTL_TEST_SECRET") }
        #expect(try value(.environment("TRSTCTL_TEST_SECRET")) == "from the environment\n")
        #expect(try code(.environment("TRSTCTL_TEST_NO_SECRET")) == .missing)
        setenv("TRSTCTL_TEST_SECRET", "", 1)
        #expect(try code(.environment("TRSTCTL_TEST_SECRET")) == .empty)
    }

    @Test("A systemd credential is a file in $CREDENTIALS_DIRECTORY")
    func credentials() throws {
        unsetenv("CREDENTIALS_DIRECTORY")
        #expect(try code(.credential("token")) == .missing)
        setenv("CREDENTIALS_DIRECTORY", scratch.path, 1)
        defer { unsetenv("CREDENTIALS_DIRECTORY") }
        _ = try scratch.write("from systemd\n", to: "token", mode: 0o400)
        #expect(try value(.credential("token")) == "from systemd")
        #expect(try code(.credential("other")) == .missing)
    }

    @Test("A descriptor is read once for the whole run, and only one that was inherited")
    func descriptors() throws {
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        try #require(write(ends[1], "from a pipe\n", 12) == 12)
        close(ends[1])
        let origins = SecretOrigins()
        #expect(try origins.value(.descriptor(ends[0])).text == "from a pipe")
        #expect(try origins.value(.descriptor(ends[0])).text == "from a pipe")
        // This process's own descriptors are closed on exec, as the host's are.
        let own = open("/dev/null", O_RDONLY | O_CLOEXEC)
        defer { close(own) }
        #expect(try code(.descriptor(own)) == .notInherited)
        #expect(try code(.descriptor(60_000)) == .notInherited)
    }

    @Test("A command that hangs keeps nobody from another one's value")
    func hanging() async throws {
        let origins = SecretOrigins()
        let (begun, end) = (scratch.file("begun"), scratch.file("end"))
        let hanging = SecretOrigin.command(
            ["/bin/sh", "-c", "touch '\(begun)'; until test -e '\(end)'; do sleep 0.01; done; echo late"])
        let threads = WorkerPool(maximumThreads: 1)
        async let late = threads.run { try? origins.value(hanging).text }
        while access(begun, F_OK) != 0 { await Task.yield() }
        #expect(try origins.value(.command(["/bin/sh", "-c", "touch '\(end)'; echo first"])).text == "first")
        #expect(await late == "late")
    }

    @Test("A command runs without a shell, once; what it prints is the value")
    func commands() throws {
        #expect(try value(.command(["/bin/echo", "a b", "$HOME;x"])) == "a b $HOME;x")
        let count = scratch.file("count")
        let origins = SecretOrigins()
        let origin = SecretOrigin.command(["/bin/sh", "-c", "echo x >> '\(count)'; echo secret"])
        for _ in 0..<2 { #expect(try origins.value(origin).text == "secret") }
        #expect(try String(contentsOfFile: count, encoding: .utf8) == "x\n")
    }

    @Test("A command that fails, is missing, prints nothing or too much is refused, and its words are not shown")
    func badCommands() throws {
        for (words, code) in [
            (["/bin/sh", "-c", "echo s3cr3t; echo s3cr3t >&2; exit 3"], SecretReadError.Code.failed),
            (["/bin/false"], .failed), (["/nowhere/at/all"], .failed), (["/bin/true"], .empty),
            (["/usr/bin/head", "-c", "70000", "/dev/zero"], .tooLarge),
        ] {
            let error = #expect(throws: SecretReadError.self) { try SecretOrigins().value(.command(words)) }
            #expect(error?.code == code, "\(words): \(error as Any)")
            #expect(error?.description.contains("s3cr3t") == false)
        }
    }

    @Test("A command that does not end is killed with everything it started")
    func endless() throws {
        let origin = SecretOrigin.command(["/bin/sh", "-c", "sleep 600 & echo a; sleep 600"])
        let error = #expect(throws: SecretReadError.self) {
            try SecretCommand.run(["/bin/sh", "-c", "sleep 600 & echo a; sleep 600"], origin, milliseconds: 200)
        }
        #expect(error?.code == .timedOut)
    }

    @Test(
        "The text form",
        arguments: [
            ("env:TOKEN", SecretOrigin.environment("TOKEN")), ("file:/run/x", .file("/run/x")), ("file:x", .file("x")),
            ("fd:3", .descriptor(3)), ("fd:0", .descriptor(0)), ("credential:a-b.c", .credential("a-b.c")),
            ("cmd:/usr/bin/pass show x", .command(["/usr/bin/pass", "show", "x"])),
        ])
    func text(_ text: String, _ origin: SecretOrigin) throws {
        #expect(try SecretOrigin.parse(text) == origin)
    }

    @Test(
        "What begins like none is a value; what begins like one and is none is an error that does not show it",
        arguments: [
            "env:", "env:A=B", "env:1A", "file:", "file:/run/", "fd:", "fd:1", "fd:2", "fd:03", "fd:-1", "fd:x", "cmd:",
            "cmd:pass", "credential:", "credential:../x", "credential:.",
        ])
    func badText(_ text: String) throws {
        for value in ["hunter2", "http://x", "", "FILE:/x"] { #expect(try SecretOrigin.parse(value) == nil) }
        let error = #expect(throws: SecretOriginError.self) { try SecretOrigin.parse(text) }
        #expect(error?.description.contains("A=B") == false)
    }
}
