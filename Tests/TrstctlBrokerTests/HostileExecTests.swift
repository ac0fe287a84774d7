import Glibc
import Synchronization
import Testing
import TrstctlCrypto
import TrstctlSystem
import TrstctlWire

@testable import TrstctlBroker
@testable import TrstctlPolicy

/// What a connector, or another user of the machine, does to run something else, by the ids of the hostile suite.
@Suite("Hostile commands", .timeLimit(.minutes(2)))
struct HostileExecTests {
    let directory: TestDirectory

    init() throws {
        directory = try TestDirectory()
        try directory.directory("bin")
        try directory.file("bin/script", "#!/bin/sh\necho ran > \(directory["trace"])\n", mode: 0o755)
    }

    private func copy(_ path: String, to name: String, mode: mode_t = 0o755) throws {
        let bytes = try #require(contents(path))
        let number = Glibc.open(directory[name], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o755)
        let file = OwnedDescriptor(number)
        try file.writeAll(Bytes(bytes))
        try #require(fchmod(number, mode) == 0)
    }

    private func contents(_ path: String) -> [UInt8]? {
        let number = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard number >= 0 else { return nil }
        let file = OwnedDescriptor(number)
        var status = stat()
        guard fstat(file.raw, &status) == 0 else { return nil }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        return read(file.raw, &bytes, bytes.count) == bytes.count ? bytes : nil
    }

    private func digest(_ path: String) throws -> SHA256Digest {
        let bytes = try #require(contents(path))
        return try #require(bytes.withUnsafeBytes { SHA256.digest($0) }.flatMap { SHA256Digest(bytes: $0) })
    }

    private func open(
        _ exec: [ExecGrant], _ rights: ScopeRights = .mutating, limits: ScopeLimits = ScopeLimits()
    ) throws -> BrokerScope {
        let healthy = try ExecGrant(["/bin/echo", "healthy"])
        return BrokerScope(rights: rights, grants: GrantSet(exec: exec + [healthy]), limits: limits)
    }

    /// Refused with its reason, nothing run, recorded, and the next call is served; in a plan as well.
    private func expectRefusal(
        _ id: String, _ argv: [String], _ exec: [ExecGrant], _ code: Wire.Status.Code, _ reason: String,
        says: String = ""
    ) throws {
        for rights in [ScopeRights.mutating, .recording] {
            let scope = try open(exec, rights)
            let before = try directory.picture()
            let reply = scope.exec(argv)
            #expect(reply.code == code, "\(id): \(reply.message)")
            let record = try #require(scope.records.first)
            #expect(record.reason?.hasPrefix(reason + ": ") == true, "\(id): \(record)")
            let isDenial = code == .permissionDenied
            #expect(record.outcome == (isDenial ? .denied : .failed), "\(id)")
            #expect(scope.denials == (isDenial ? 1 : 0), "\(id)")
            let text = "\(reply.message); \(reply.status?.fix ?? "")"
            #expect(says.isEmpty || text.contains(says), "\(id): \(text)")
            #expect(try directory.picture() == before, "\(id)")
            #expect(scope.exec(["/bin/echo", "healthy"]).code == .ok, "\(id)")
        }
    }

    @Test(
        "X02, X03: another program, argument, number or order is refused",
        arguments: [
            ("X02", ["touch", "t"], Wire.Status.Code.invalidArgument, "invalid"),
            ("X02", ["bin/touch", "t"], .invalidArgument, "invalid"), ("X02", [], .invalidArgument, "invalid"),
            ("X03", ["B", "t", "u"], .permissionDenied, "not-granted"),
            ("X03", ["B"], .permissionDenied, "not-granted"),
            ("X03", ["B", "T"], .permissionDenied, "not-granted"),
            ("X03", ["B", "t "], .permissionDenied, "not-granted"),
            ("X03", ["B", ""], .permissionDenied, "not-granted"),
            ("X03", ["B", "-t"], .permissionDenied, "not-granted"),
        ])
    func otherArguments(id: String, argv: [String], code: Wire.Status.Code, reason: String) throws {
        let path = directory["bin/script"]
        let asked = argv.map { $0 == "B" ? path : $0 }
        try expectRefusal(id, asked, [try ExecGrant([path, "t"])], code, reason)
    }

    @Test("A hole takes what it stands for; what it does not stand for is refused with the nearest rule")
    func holes() throws {
        let echo = try ExecGrant(["/bin/echo", "{int:1..99}", "/srv/{[a-z0-9-]:1..8}.pem"])
        let scope = try open([echo])
        #expect(
            scope.exec(["/bin/echo", "7", "/srv/www-1.pem"]).execResponse?.stdout.text == "7 /srv/www-1.pem\n")
        #expect(scope.records.last?.grant?.contains("{int:1..99}") == true)
        for argv in [
            ["/bin/echo", "100", "/srv/www-1.pem"], ["/bin/echo", "7", "/srv/../www.pem"], ["/bin/echo", "7"],
            ["/bin/echo", "-7", "/srv/a.pem"], ["/bin/echo", "7", "/srv/$(id).pem"], ["/bin/echo", "7", "/srv/-n.pem"],
        ] {
            let reply = scope.exec(argv)
            #expect(reply.code == .permissionDenied)
            #expect(reply.message.contains("{int:1..99}"), "\(reply.message)")
            #expect(reply.status?.fix.hasPrefix("process.exec: [[/bin/echo, ") == true)
        }
        #expect(scope.denials == 6)
    }

    struct Loose: Sendable, CustomTestStringConvertible {
        let testDescription: String
        var code = Wire.Status.Code.permissionDenied
        var reason = "privileged"
        /// What the reply has to name: the object that is too loose.
        let says: String
        let prepare: @Sendable (TestDirectory) throws -> String
    }

    static let loose: [Loose] = [
        Loose(testDescription: "a program that its group may write", says: "chmod go-w") {
            try $0.file("bin/p", "#!/bin/sh\n", mode: 0o775)
        },
        Loose(testDescription: "a program that everybody may write", says: "chmod go-w") {
            try $0.file("bin/p", "#!/bin/sh\n", mode: 0o757)
        },
        Loose(testDescription: "a directory that its group may write", says: "/loose can be changed") {
            try $0.directory("loose")
            let path = try $0.file("loose/p", "#!/bin/sh\n", mode: 0o755)
            try #require(chmod($0["loose"], 0o775) == 0)
            return path
        },
        Loose(testDescription: "a directory further up", says: "/loose can be changed") {
            try $0.directory("loose")
            try $0.directory("loose/d")
            let path = try $0.file("loose/d/p", "#!/bin/sh\n", mode: 0o755)
            try #require(chmod($0["loose"], 0o757) == 0)
            return path
        },
        Loose(testDescription: "a link in a directory that others may write", says: "/loose can be changed") {
            try $0.directory("loose")
            try $0.link("loose/p", to: $0["bin/script"])
            try #require(chmod($0["loose"], 0o777) == 0)
            return $0["loose/p"]
        },
        Loose(testDescription: "a link to a program in such a directory", says: "/loose can be changed") {
            try $0.directory("loose")
            try $0.file("loose/p", "#!/bin/sh\n", mode: 0o755)
            try #require(chmod($0["loose"], 0o777) == 0)
            try $0.link("bin/p", to: "../loose/../loose/p")
            return $0["bin/p"]
        },
        Loose(testDescription: "X09: a set-user-id program", says: "set-user-id") {
            try $0.file("bin/p", "#!/bin/sh\n", mode: 0o4755)
        },
        Loose(testDescription: "X09: a set-group-id program", says: "process.exec: [{ argv: …, setuid: true }]") {
            try $0.file("bin/p", "#!/bin/sh\n", mode: 0o2755)
        },
        Loose(
            testDescription: "a file that is no program", code: .failedPrecondition, reason: "not-executable",
            says: "ls"
        ) { try $0.file("bin/p", "#!/bin/sh\n", mode: 0o644) },
        Loose(testDescription: "a named pipe", code: .failedPrecondition, reason: "not-executable", says: "") {
            try #require(mkfifo($0["bin/p"], 0o755) == 0)
            return $0["bin/p"]
        },
        Loose(testDescription: "a directory", code: .failedPrecondition, reason: "not-executable", says: "") {
            $0["bin"]
        },
        Loose(testDescription: "a file on the way", says: "") {
            try $0.file("bin/file")
            return $0["bin/file/p"]
        },
        Loose(testDescription: "links without end", says: "") {
            try $0.link("bin/loop", to: "loop")
            return $0["bin/loop"]
        },
        Loose(testDescription: "a link to nothing", code: .notFound, reason: "not-found", says: "") {
            try $0.link("bin/p", to: "none")
            return $0["bin/p"]
        },
    ]

    @Test("What others could have changed, or what changes its rights, is not run", arguments: loose)
    func loosePrograms(_ row: Loose) throws {
        let path = try row.prepare(directory)
        let reasons = ["a file on the way": "not-regular", "links without end": "symbolic-link"]
        try expectRefusal(
            row.testDescription, [path], [try ExecGrant([path])], row.code,
            reasons[row.testDescription] ?? row.reason, says: row.says)
    }

    @Test("A program or directory of another user is not run", .enabled(if: geteuid() == 0, "needs root"))
    func strangers() throws {
        let path = try directory.file("bin/p", "#!/bin/sh\n", mode: 0o755)
        try #require(chown(path, 12_345, 0) == 0)
        try expectRefusal("owner", [path], [try ExecGrant([path])], .permissionDenied, "privileged", says: "user 12345")
        try #require(chown(path, 0, 0) == 0)
        try #require(chown(directory["bin"], 12_345, 0) == 0)
        try expectRefusal(
            "owner", [path], [try ExecGrant([path])], .permissionDenied, "privileged", says: "/bin belongs")
        // In a directory where everybody may make files, a link of a stranger's leads where he wants.
        try directory.directory("sticky")
        try #require(chown(directory["bin"], 0, 0) == 0 && chmod(directory["sticky"], 0o1777) == 0)
        try directory.link("sticky/p", to: directory["bin/p"])
        #expect(try open([try ExecGrant([directory["sticky/p"]])]).exec([directory["sticky/p"]]).code == .ok)
        try #require(lchown(directory["sticky/p"], 12_345, 0) == 0)
        try expectRefusal(
            "link", [directory["sticky/p"]], [try ExecGrant([directory["sticky/p"]])], .permissionDenied, "privileged",
            says: "/sticky/p belongs")
    }

    @Test("X09: a set-group-id program runs when its rule accepts that")
    func acceptedSetuid() throws {
        let path = try directory.file("bin/p", "#!/bin/sh\necho ran\n", mode: 0o2755)
        let scope = try open([try ExecGrant([path], terms: ExecTerms(allowsSetuid: true))])
        #expect(scope.exec([path]).execResponse?.stdout.text == "ran\n")
        // Two rules do not add up to more than each of them.
        let pins = [try #require(SHA256Digest(hex: String(repeating: "a", count: 64)))]
        let pinned = try ExecGrant([path], terms: ExecTerms(pins: pins, allowsSetuid: true))
        try expectRefusal("terms", [path], [pinned, try ExecGrant([path])], .failedPrecondition, "not-executable")
    }

    @Test("X09: a set-group-id program with its own digest runs as those bytes, and without the rights of its bit")
    func pinnedSetuid() throws {
        let path = directory["bin/id"]
        try copy("/usr/bin/id", to: "bin/id")
        let own = getegid()
        let other: gid_t = own == 0 ? 4_711 : own
        try #require(chown(path, geteuid(), other) == 0 && chmod(path, 0o2755) == 0)
        let pins = [try digest(path)]
        let refused = try ExecGrant([path, "-g"], terms: ExecTerms(pins: pins))
        try expectRefusal("bit", [path, "-g"], [refused], .permissionDenied, "privileged")
        let rule = try ExecGrant([path, "-g"], terms: ExecTerms(pins: pins, allowsSetuid: true))
        let result = try open([rule]).exec([path, "-g"]).execResponse
        // The sealed copy has no bits: who runs it is who runs the host.
        #expect(result?.stdout.text == "\(own)\n" && result?.status == 0)
        let unpinned = try ExecGrant([path, "-g"], terms: ExecTerms(allowsSetuid: true))
        var system = statvfs()
        let honoursBits = statvfs(path, &system) == 0 && system.f_flag & UInt(ST_NOSUID) == 0
        #expect(try open([unpinned]).exec([path, "-g"]).execResponse?.stdout.text == "\(honoursBits ? other : own)\n")
        let wrong = [try #require(SHA256Digest(hex: String(repeating: "a", count: 64)))]
        let another = try ExecGrant([path, "-g"], terms: ExecTerms(pins: wrong, allowsSetuid: true))
        try expectRefusal("digest", [path, "-g"], [another], .permissionDenied, "program-changed")
    }

    @Test("X07: with a digest that program runs and no other, whatever its path leads to")
    func digests() throws {
        let path = directory["bin/touch"]
        let trace = directory["trace"]
        try copy("/usr/bin/touch", to: "bin/touch")
        let pin = try digest(path)
        let rule = try ExecGrant([path, trace], terms: ExecTerms(pins: [pin]))
        let scope = try open([rule])
        #expect(scope.exec([path, trace]).execResponse?.status == 0)
        #expect(directory.content("trace") != nil)
        #expect(scope.records.last?.grant?.contains(pin.hex) == true)
        unlink(trace)
        // Another program behind a link, one more byte, and a script.
        try directory.link("bin/link", to: "true")
        try copy("/bin/true", to: "bin/true")
        let linked = try ExecGrant([directory["bin/link"]], terms: ExecTerms(pins: [pin]))
        try expectRefusal(
            "X07", [directory["bin/link"]], [linked], .permissionDenied, "program-changed",
            says: try digest("/bin/true").hex)
        let file = Glibc.open(path, O_WRONLY | O_APPEND | O_CLOEXEC)
        #expect(write(file, "x", 1) == 1)
        close(file)
        try expectRefusal(
            "X07", [path, trace], [rule], .permissionDenied, "program-changed",
            says: "process.exec: [{ argv: …, sha256: [")
        let script = directory["bin/script"]
        try expectRefusal(
            "script", [script], [try ExecGrant([script], terms: ExecTerms(pins: [try digest(script)]))],
            .failedPrecondition, "not-executable", says: "interprets")
    }

    @Test("X07: a link that is swapped in a loop never runs a program without the digest")
    func swappedProgram() throws {
        try copy("/bin/true", to: "bin/good")
        try copy("/usr/bin/touch", to: "bin/evil")
        let (link, trace) = (directory["bin/link"], directory["trace"])
        try directory.link("bin/link", to: "good")
        let names = [directory["bin/next"], link]
        let stop = Atomic(false)
        let thread = try TestThread {
            var isGood = false
            while !stop.load(ordering: .relaxed) {
                unlink(names[0])
                symlink(isGood ? "good" : "evil", names[0])
                rename(names[0], names[1])
                isGood.toggle()
            }
        }
        let terms = ExecTerms(pins: [try digest("/bin/true")])
        let scope = try open([try ExecGrant([link, trace], terms: terms)], limits: .many)
        var (ran, refused) = (0, 0)
        // Until both have happened, so that it does not depend on who gets the processor.
        while ran < 20 || refused < 20, ran + refused < 4_000 {
            switch scope.exec([link, trace]).code {
            case .ok: ran += 1
            case .permissionDenied: refused += 1
            case let other: Issue.record("\(String(describing: other))")
            }
        }
        stop.store(true, ordering: .relaxed)
        thread.join()
        #expect(ran > 0 && refused > 0)
        #expect(directory.content("trace") == nil)
    }

    @Test("X05, X17: what a command finds is what the document says")
    func fixedEnvironment() throws {
        for name in ["LD_PRELOAD", "BASH_ENV", "IFS", "http_proxy", "SSLKEYLOGFILE", "OPENSSL_CONF"] {
            setenv(name, "/nonexistent/trstctl", 1)
        }
        defer {
            for name in ["LD_PRELOAD", "BASH_ENV", "IFS", "http_proxy", "SSLKEYLOGFILE", "OPENSSL_CONF"] {
                unsetenv(name)
            }
        }
        let argv = ["/bin/sh", "-c", "umask; env; cat; ulimit -c; pwd"]
        let scope = try open([try ExecGrant(rule: argv.map { Bytes($0) })])
        let text = scope.exec(argv).execResponse?.stdout.text ?? ""
        let lines = text.split(separator: "\n").map(String.init)
        #expect(
            Set(lines) == ["0022", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "PWD=/", "0", "/"], "\(text)")
        // What it makes of a secret is for nobody else.
        let secret = ["/bin/sh", "-c", "umask; cat"]
        let secrets = SecretSource([("password", Bytes(Array("S3".utf8), isSecret: true))])
        let own = BrokerScope(rights: .mutating, grants: try GrantSet.parse(exec: [secret]), secrets: secrets)
        #expect(own.exec(secret, stdin: [.secret("password")]).execResponse?.stdout.text == "0077\nS3")
    }

    @Test("X13: a daemon that a command leaves behind stays, and the record says that something did")
    func daemon() throws {
        let argv = ["/bin/sh", "-c", "setsid sleep 100000 & echo $!"]
        let scope = try open([try ExecGrant(rule: argv.map { Bytes($0) })])
        let response = try #require(scope.exec(argv).execResponse)
        let daemon = try #require(pid_t((response.stdout.text ?? "").dropLast()))
        defer { kill(daemon, SIGKILL) }
        #expect(kill(daemon, 0) == 0)
        #expect(scope.records.last?.reason == "exit status 0, and left a process running")
        #expect(scope.exec(["/bin/echo", "healthy"]).code == .ok)
        #expect(scope.records.last?.reason == "exit status 0")
    }

    @Test("X14: bytes that no terminal should see come back as they are, and stand in no record")
    func binary() throws {
        let argv = ["/bin/sh", "-c", #"printf '\033[2J\000\377'; exit 3"#]
        let scope = try open([try ExecGrant(rule: argv.map { Bytes($0) })])
        #expect(scope.exec(argv).execResponse?.stdout.array == [0x1B, 0x5B, 0x32, 0x4A, 0, 0xFF])
        let record = try #require(scope.records.last)
        #expect((record.object + (record.reason ?? "")).utf8.allSatisfy { (0x20...0x7E).contains($0) })
    }

    @Test("X19: a thousand commands are too many")
    func many() throws {
        let scope = try open([])
        var limits = ScopeLimits()
        limits.commands = 3
        #expect(ScopeLimits().commands == 100)
        let few = try open([], limits: limits)
        let codes = (0..<1000).map { _ in few.exec(["/bin/echo", "healthy"]).code }
        #expect(codes.count { $0 == .ok } == 3 && codes.count { $0 == .resourceExhausted } == 997)
        #expect(scope.exec(["/bin/echo", "healthy"]).code == .ok)
    }
}

extension ScopeLimits {
    fileprivate static var many: ScopeLimits {
        var limits = ScopeLimits()
        (limits.commands, limits.records) = (10_000, 100)
        return limits
    }
}
