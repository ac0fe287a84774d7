import Testing
import TrstctlPolicy
import TrstctlSystem

@Suite("The choke point")
struct AuthorizeTests {
    let grants: GrantSet

    init() throws {
        grants = try GrantSet.parse(
            read: ["/etc/nginx/nginx.conf"], write: ["/etc/nginx/tls/"],
            dial: ["127.0.0.1:443", "*.example.com:443", "unix:/run/haproxy.sock"],
            exec: [["/usr/sbin/nginx", "-t"]])
    }

    func refusal(
        _ operation: Operation, scope: ScopeRights = .mutating, declared: GrantSet? = nil
    ) -> Denial? {
        guard case .denied(let denial) = authorize(operation, effective: grants, scope: scope, declared: declared)
        else { return nil }
        return denial
    }

    func file(_ operation: Operation, scope: ScopeRights = .mutating) -> FileTicket? {
        guard case .allowed(.file(let ticket)) = authorize(operation, effective: grants, scope: scope) else {
            return nil
        }
        return ticket
    }

    @Test func `A ticket names the directory to open, the components beneath it and the rule`() throws {
        let below = try #require(file(.writeFile(AbsolutePath("/etc/nginx/tls/sub/www.crt"))))
        #expect(below.access == .write)
        #expect(below.root == (try AbsolutePath("/etc/nginx/tls")))
        #expect(below.relative == ["sub", "www.crt"])
        #expect(below.grant == "/etc/nginx/tls/")

        let exact = try #require(file(.readFile(AbsolutePath("/etc/nginx/nginx.conf"))))
        #expect(exact.access == .read)
        #expect(exact.root == (try AbsolutePath("/etc/nginx")))
        #expect(exact.relative == ["nginx.conf"])
        #expect(file(.removeFile(try AbsolutePath("/etc/nginx/tls/a")))?.access == .remove)
    }

    @Test func `Looking at a file follows from reading and from writing; reading does not follow from writing`() throws
    {
        let key = try AbsolutePath("/etc/nginx/tls/www.key")
        let config = try AbsolutePath("/etc/nginx/nginx.conf")
        #expect(file(.stat(key))?.access == .stat)
        #expect(file(.stat(config))?.access == .stat)
        #expect(refusal(.readFile(key))?.reason == .notGranted)
        #expect(refusal(.writeFile(config))?.reason == .notGranted)
        #expect(refusal(.removeFile(config))?.reason == .notGranted)
    }

    @Test func `Commands and peers get tickets only as granted`() throws {
        #expect(refusal(.exec(argv: ["/usr/sbin/nginx", "-t"])) == nil)
        #expect(refusal(.exec(argv: ["/usr/sbin/nginx", "-t", "-q"]))?.nearest == "[/usr/sbin/nginx, -t]")
        #expect(refusal(.dial(try DialAddress("a.example.com:443"))) == nil)
        #expect(refusal(.dial(try DialAddress("127.0.0.1:80")))?.nearest == "127.0.0.1:443")
        #expect(refusal(.dialSocket(try AbsolutePath("/run/haproxy.sock"))) == nil)
        #expect(refusal(.dialSocket(try AbsolutePath("/run/docker.sock")))?.reason == .notGranted)
        #expect(refusal(.exec(argv: ["nginx", "-t"]))?.reason == .badArguments)
        #expect(refusal(.exec(argv: []))?.reason == .badArguments)
    }

    @Test func `In a read-only scope nothing changes anything, granted or not`() throws {
        let path = try AbsolutePath("/etc/nginx/tls/a")
        #expect(refusal(.writeFile(path), scope: .readOnly)?.reason == .readOnlyScope)
        #expect(refusal(.removeFile(path), scope: .readOnly)?.reason == .readOnlyScope)
        #expect(refusal(.exec(argv: ["/usr/sbin/nginx", "-t"]), scope: .readOnly)?.reason == .readOnlyScope)
        #expect(refusal(.readFile(try AbsolutePath("/etc/nginx/nginx.conf")), scope: .readOnly) == nil)
        #expect(refusal(.dial(try DialAddress("127.0.0.1:443")), scope: .readOnly) == nil)
        #expect(refusal(.send(try DialAddress("127.0.0.1:443")), scope: .readOnly)?.reason == .readOnlyScope)
        #expect(refusal(.send(try DialAddress("127.0.0.1:443"))) == nil)
        #expect(refusal(.sendSocket(try AbsolutePath("/run/haproxy.sock")), scope: .readOnly)?.reason == .readOnlyScope)
        #expect(refusal(.sendSocket(try AbsolutePath("/run/haproxy.sock"))) == nil)
    }

    @Test func `A recording scope meets exactly the decisions of a mutating one`() throws {
        var random = SeededGenerator(state: 11)
        for _ in 0..<2000 {
            let set = try IntersectionProperties.set(&random)
            let operation = try IntersectionProperties.operation(&random)
            #expect(
                authorize(operation, effective: set, scope: .recording)
                    == authorize(operation, effective: set, scope: .mutating))
        }
    }

    @Test func `Nothing is granted by an empty set, and an unsupported call by none`() throws {
        let path = try AbsolutePath("/etc/x")
        let operations: [Operation] = [
            .readFile(path), .stat(path), .writeFile(path), .removeFile(path), .exec(argv: ["/x"]), .dialSocket(path),
            .dial(try DialAddress("a:1")), .send(try DialAddress("a:1")), .sendSocket(path), .unsupported("Request"),
        ]
        for operation in operations {
            for scope in [ScopeRights.mutating, .recording, .readOnly] {
                guard case .denied = authorize(operation, effective: GrantSet(), scope: scope) else {
                    Issue.record("\(operation) was allowed")
                    continue
                }
            }
        }
        #expect(refusal(.unsupported("Request"))?.reason == .unsupported)
    }

    @Test(
        "A denial carries the line that would allow it, and that line does",
        arguments: ["/etc/passwd", "/etc/nginx/tls-evil/x", "/a b/é", "/etc/\u{338}x"])
    func manifestLine(text: String) throws {
        let path = try AbsolutePath(text)
        let denial = try #require(refusal(.writeFile(path)))
        let scalar = try #require(yamlScalar(path.bytes))
        #expect(denial.manifestLine == "fs.write: [\(scalar)]")
        #expect(denial.message.contains("fs.write: [\(scalar)]"))
        #expect(try file(.stat(path)) == nil && GrantSet.parse(write: [text]).write.contains { $0.covers(path) })
    }

    @Test func `A denial names the plugin whose list the rule belongs to`() throws {
        let decision = authorize(
            .writeFile(try AbsolutePath("/srv/x")), effective: GrantSet(), scope: .mutating, plugin: "edge")
        guard case .denied(let denial) = decision else { return #expect(Bool(false), "it was allowed") }
        let help =
            "to allow it, add the rule to this list under plugins.edge.grants in the manifest: fs.write: [/srv/x]"
        #expect(denial.message.hasSuffix("; \(help)"), "\(denial)")
        let unnamed = try #require(refusal(.writeFile(AbsolutePath("/srv/x"))))
        #expect(unnamed.message.hasSuffix("in the connector's grants in the manifest: fs.write: [/srv/x]"))
    }

    @Test func `A ticket says where its rule stands, for what is refused later`() throws {
        let grants = try GrantSet.parse(dial: ["a.example.test:443"], exec: [["/bin/true"]])
        let dial = authorize(
            .dial(try DialAddress("a.example.test:443")), effective: grants, scope: .mutating, plugin: "edge")
        let exec = authorize(.exec(argv: [Bytes("/bin/true")]), effective: grants, scope: .mutating, plugin: "edge")
        guard case .allowed(.dial(let peer)) = dial, case .allowed(.exec(let command)) = exec else {
            return #expect(Bool(false), "it was denied")
        }
        #expect(peer.place.description == "under plugins.edge.grants in the manifest" && command.place == peer.place)
    }

    @Test func `A denial names the nearest rule, or none when nothing is near`() throws {
        #expect(refusal(.writeFile(try AbsolutePath("/etc/nginx/tls-evil/x")))?.nearest == "/etc/nginx/tls/")
        #expect(refusal(.writeFile(try AbsolutePath("/srv/x")))?.nearest == nil)
        #expect(refusal(.writeFile(try AbsolutePath("/etc/nginx/tls/a")), scope: .readOnly)?.manifestLine == nil)
        #expect(refusal(.writeFile(.root))?.manifestLine == nil)
    }

    @Test func `What the connector did not declare is not blamed on the manifest`() throws {
        let denial = try #require(refusal(.readFile(AbsolutePath("/etc/shadow")), declared: grants))
        #expect(denial.reason == .notDeclared)
        #expect(denial.manifestLine == nil)
    }

    @Test func `A malformed object is a denial with its own reason`() throws {
        let error = try #require(throws: GrammarError.self) { try AbsolutePath("/etc/../shadow\u{1B}") }
        let denial = Denial.malformed(error, capability: .fsWrite)
        #expect(denial.reason == .badPath)
        #expect(denial.message.contains("\\x1b") && !denial.message.contains("\u{1B}"))
        #expect(Denial.malformed(error, capability: .netDial).reason == .badAddress)
    }

    private func denied(_ argv: [Bytes], _ rules: [[String]], declared: [[String]]? = nil) throws -> Denial? {
        let decision = authorize(
            .exec(argv: argv), effective: try GrantSet.parse(exec: rules), scope: .mutating,
            declared: try declared.map { try GrantSet.parse(exec: $0) })
        if case .denied(let denial) = decision { return denial }
        return nil
    }

    @Test(
        "The line for a command allows that command and nothing else, braces and quotes included",
        arguments: [["/x", "{int}"], ["/x", "{"], ["/x", "{{a}"], ["/x", "a b", "\"", ""], ["/x{int}", "\u{E9}"]])
    func commandLine(argv: [String]) throws {
        let bytes = argv.map { Bytes($0) }
        let denial = try #require(try denied(bytes, [["/y"]]))
        #expect(denial.reason == .notGranted && denial.nearest == nil)
        let line = try #require(denial.manifestLine)
        #expect(line.hasPrefix("process.exec: [[") && denial.message.contains(line))
        let rule = try ExecGrant(argv: bytes)
        #expect(line == "process.exec: [\(try #require(rule.yaml))]")
        let written = try ExecGrant(rule: rule.rule)
        #expect(written == rule && written.covers(bytes) && written.arguments.allSatisfy { $0.holes.isEmpty })
        #expect(!written.covers(["/x", "7"]))
    }

    @Test func `The nearest command is the one that fits longest`() throws {
        let rules = [["/x", "{int}"], ["/x", "use", "{int:1..9}"], ["/x", "use", "{fingerprint}", "now"], ["/y"]]
        #expect(try denied(["/x", "use", "10"], rules)?.nearest == "[/x, use, \"{int:1..9}\"]")
        #expect(try denied(["/x", "a"], rules)?.nearest == "[/x, \"{int}\"]")
        #expect(try denied(["/z"], rules)?.nearest == nil)
    }

    @Test func `What a hole does not take is blamed on whoever narrowed it`() throws {
        #expect(
            try denied(["/x", "7"], [["/x", "{int:1..5}"]], declared: [["/x", "{int:1..9}"]])?.reason == .notGranted)
        let undeclared = try denied(["/x", "7"], [["/x", "{int:1..5}"]], declared: [["/x", "{int:1..5}"]])
        #expect(undeclared?.reason == .notDeclared && undeclared?.manifestLine == nil)
    }

    @Test
    func `The line that would allow a command has the terms of its program, and there is none where they disagree`()
        throws
    {
        let pin = try #require(SHA256Digest(hex: String(repeating: "a", count: 64)))
        var effective = GrantSet(exec: [try ExecGrant(["/usr/bin/x", "-t"], terms: ExecTerms(pins: [pin]))])
        func line(_ argv: [Bytes]) -> String? {
            guard case .denied(let denial) = authorize(.exec(argv: argv), effective: effective, scope: .mutating) else {
                return nil
            }
            return denial.manifestLine
        }
        #expect(line(["/bin/x", "y"]) == "process.exec: [{ argv: [/bin/x, \"y\"], sha256: [\"\(pin.hex)\"] }]")
        #expect(line(["/bin/z", "a"]) == "process.exec: [[/bin/z, a]]")
        effective.exec.append(try ExecGrant(["/usr/bin/x", "-s"]))
        #expect(line(["/usr/bin/x", "y"]) == nil)
    }

    @Test func `A ticket for a command has the terms of each rule that covers it`() throws {
        let pin = try #require(SHA256Digest(hex: String(repeating: "a", count: 64)))
        let rules = [
            try ExecGrant(["/x", "{int}"], terms: ExecTerms(pins: [pin])),
            try ExecGrant(["/x", "7"], terms: ExecTerms(allowsSetuid: true)), try ExecGrant(["/x", "8"]),
        ]
        func terms(_ word: Bytes) -> Set<ExecTerms>? {
            let decision = authorize(
                .exec(argv: ["/x", word]), effective: GrantSet(exec: rules).normalised, scope: .mutating)
            guard case .allowed(.exec(let ticket)) = decision else { return nil }
            #expect(ticket.argv == ["/x", word])
            return Set(ticket.terms)
        }
        #expect(terms("7") == [ExecTerms(pins: [pin]), ExecTerms(allowsSetuid: true)])
        #expect(terms("8") == [ExecTerms(pins: [pin]), ExecTerms()])
        #expect(terms("9") == [ExecTerms(pins: [pin])])
        // A declaration has no terms, and those of the approval stay.
        let declared = try GrantSet.parse(exec: [["/x", "7"]])
        let both = GrantSet.intersection(declared: declared, approved: GrantSet(exec: [rules[0]]))
        #expect(both.exec.map(\.terms) == [ExecTerms(pins: [pin])])
        #expect(declared.isSubset(of: GrantSet(exec: [rules[0]])))
        #expect(both.yamlLines == ["process.exec: [{ argv: [/x, \"7\"], sha256: [\"\(pin.hex)\"] }]"])
    }
}
