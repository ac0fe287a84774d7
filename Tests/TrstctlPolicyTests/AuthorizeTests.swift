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
}
