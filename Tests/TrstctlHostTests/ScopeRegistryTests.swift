import Foundation
import Synchronization
import Testing
import TrstctlBroker
import TrstctlPolicy
import TrstctlSystem
import TrstctlTestSupport
import TrstctlWire

@testable import TrstctlHost
@testable import TrstctlLaunch

/// Brokered calls belong to a scope: the id of the host's call and its token, both.
@Suite("Brokered calls and their scopes")
struct ScopeRegistryTests {
    /// Every method that needs a scope.
    static let methods: [(name: String, method: Wire.Call.Method)] = [
        ("ReadFile", .readFile(Wire.ReadFileRequest(path: "/etc/hostname"))),
        ("Stat", .stat(Wire.StatRequest(path: "/etc/hostname"))),
        ("WriteFile", .writeFile(Wire.WriteFileRequest(path: "/nonexistent/trstctl"))),
        ("RemoveFile", .removeFile(Wire.RemoveFileRequest(path: "/nonexistent/trstctl"))),
        ("Revert", .revert(Wire.RevertRequest())),
        ("Exec", .exec(Wire.ExecRequest(arguments: ["/bin/true"]))),
        ("ProbeTls", .probeTls(Wire.ProbeTlsRequest(address: "127.0.0.1:1"))),
        ("Request", .request(Wire.HttpRequest())), ("Send", .send(Wire.SendRequest())),
    ]

    private func registry() -> ScopeRegistry { ScopeRegistry(log: { _ in }, progress: { _ in }) }

    fileprivate func scope(
        _ rights: ScopeRights = .mutating, _ observer: @escaping @Sendable (EffectRecord) -> Void = { _ in }
    ) throws -> BrokerScope {
        BrokerScope(
            rights: rights,
            grants: try GrantSet.parse(
                read: ["/etc/", "/nonexistent/"], write: ["/etc/", "/nonexistent/"], dial: ["127.0.0.1:1"],
                exec: [["/bin/true"], ["/bin/sleep", "600"]]), observer: observer)
    }

    private func answer(
        _ registry: ScopeRegistry, _ method: Wire.Call.Method, call: UInt32, token: Bytes
    ) async -> Wire.Reply {
        let incoming = IncomingCall(id: 1, call: Wire.Call(scopeToken: token, scopeCall: call, method: method))
        return await withCheckedContinuation { continuation in
            _ = registry.begin(incoming) { continuation.resume(returning: $0) }
        }
    }

    @Test(
        "Outside a live scope every method is PERMISSION_DENIED, and the scope hears nothing of it", arguments: methods)
    func outside(name: String, method: Wire.Call.Method) async throws {
        let registry = registry()
        let scope = try scope()
        let token = try registry.open(scope)
        #expect(token.count == 16)
        // Opened, but its call has not been sent.
        var replies = [await answer(registry, method, call: 0, token: token)]
        registry.bind(token, to: 5)
        let other = try registry.open(try self.scope())
        registry.bind(other, to: 6)
        var wrong = token.array
        wrong[15] ^= 1
        for (call, token) in [
            (0, Bytes()), (5, Bytes()), (5, Bytes(wrong)), (5, Bytes(Array(token.array.dropLast()))),
            (5, Bytes(token.array + [0])), (4, token), (0, token), (UInt32.max, token), (5, other), (6, token),
        ] {
            replies.append(await answer(registry, method, call: UInt32(call), token: token))
        }
        registry.close(token)
        replies.append(await answer(registry, method, call: 5, token: token))
        for reply in replies {
            #expect(reply.status?.code == .permissionDenied)
            #expect(reply.status?.message.contains("no scope that is open") == true)
            #expect(reply.result == nil)
        }
        #expect(scope.records.isEmpty)
    }

    @Test("Inside its scope every method is heard", arguments: methods)
    func inside(name: String, method: Wire.Call.Method) async throws {
        let registry = registry()
        let scope = try scope()
        let token = try registry.open(scope)
        registry.bind(token, to: 5)
        let reply = await answer(registry, method, call: 5, token: token)
        #expect(reply.status?.code != .permissionDenied, "\(reply)")
        #expect(scope.records.count == 1)
    }

    @Test(
        "In Read, Plan, Drift and VerifyOwnership, which only read, what changes something is PERMISSION_DENIED",
        arguments: methods)
    func readOnly(name: String, method: Wire.Call.Method) async throws {
        let registry = registry()
        let scope = try scope(.readOnly)
        let token = try registry.open(scope)
        registry.bind(token, to: 5)
        let reply = await answer(registry, method, call: 5, token: token)
        let changes = ["WriteFile", "RemoveFile", "Exec", "Revert"].contains(name)
        #expect((reply.status?.code == .permissionDenied) == changes, "\(reply)")
        #expect(scope.denials == (changes ? 1 : 0))
        #expect(scope.changes.isEmpty)
    }

    @Test("Log and Progress that nobody sees are answered, not passed on, and take nothing from the budget")
    func logLevel() async {
        let lines = Mutex<[String]>([])
        let registry = ScopeRegistry(
            logLevel: .warning, log: { line in lines.withLock { $0.append(line.message) } },
            progress: { line in lines.withLock { $0.append(line.message) } })
        let long = String(repeating: "x", count: 4_096)
        for _ in 0..<300 {
            for method in [
                Wire.Call.Method.log(Wire.LogRequest(level: .info, message: long)),
                .log(Wire.LogRequest(level: .unrecognized(99), message: long)),
                .progress(Wire.ProgressRequest(message: long)),
            ] {
                #expect(await answer(registry, method, call: 0, token: Bytes()).status?.code == .ok)
            }
        }
        let warning = Wire.Call.Method.log(Wire.LogRequest(level: .warning, message: "seen"))
        #expect(await answer(registry, warning, call: 0, token: Bytes()).status?.code == .ok)
        #expect(lines.withLock { $0 } == ["seen"])
    }

    /// Takes every thread of the connector by commands of another target; what is asked after that waits.
    ///
    /// - Returns: the other target's scope, and the replies to its commands.
    private func occupy(_ registry: ScopeRegistry) throws -> (BrokerScope, AsyncStream<Wire.Reply>) {
        let busy = BrokerScope(
            rights: .mutating, grants: try GrantSet.parse(exec: [["/bin/sleep", "600"]]))
        let token = try registry.open(busy)
        registry.bind(token, to: 4)
        let (replies, replied) = AsyncStream.makeStream(of: Wire.Reply.self)
        for id in 1...16 {
            let exec = Wire.Call.Method.exec(Wire.ExecRequest(arguments: ["/bin/sleep", "600"]))
            let call = Wire.Call(scopeToken: token, scopeCall: 4, method: exec)
            _ = registry.begin(IncomingCall(id: UInt32(id), call: call)) { replied.yield($0) }
        }
        return (busy, replies)
    }

    @Test(
        "A call that waits for a thread when the connector answers is not finished, and the seal says so",
        arguments: methods)
    func waiting(name: String, method: Wire.Call.Method) async throws {
        let registry = registry()
        let (busy, others) = try occupy(registry)
        let scope = try scope()
        let token = try registry.open(scope)
        registry.bind(token, to: 5)
        let (replies, replied) = AsyncStream.makeStream(of: Wire.Reply.self)
        let call = Wire.Call(scopeToken: token, scopeCall: 5, method: method)
        _ = registry.begin(IncomingCall(id: 17, call: call)) { replied.yield($0) }

        #expect(!scope.sealIfIdle())
        let changes = ["WriteFile", "RemoveFile", "Revert", "Exec", "Send"].contains(name)
        #expect(scope.seal() == !changes)
        _ = busy.close(commit: false)
        var reply = replies.makeAsyncIterator()
        #expect(await reply.next()?.status?.code != .ok)
        var ended = others.makeAsyncIterator()
        for _ in 1...16 { #expect(await ended.next()?.status?.code != .ok) }
        // Done or not, everything that was accepted is on record.
        #expect(scope.records.count == 1)
        #expect(scope.seal(), "nothing waits any more")
        _ = scope.close(commit: false)
    }

    @Test("A call that is cancelled while it waits for a thread is not performed, and is on record")
    func cancelled() async throws {
        let registry = registry()
        let (busy, _) = try occupy(registry)
        let scope = try scope()
        let token = try registry.open(scope)
        registry.bind(token, to: 5)
        let (replies, replied) = AsyncStream.makeStream(of: Wire.Reply.self)
        let call = Wire.Call(
            scopeToken: token, scopeCall: 5, method: .exec(Wire.ExecRequest(arguments: ["/bin/true"])))
        let cancel = registry.begin(IncomingCall(id: 17, call: call)) { replied.yield($0) }
        cancel()
        _ = busy.close(commit: false)
        var reply = replies.makeAsyncIterator()
        #expect(await reply.next()?.status?.code == .cancelled)
        #expect(scope.records.map(\.outcome) == [.failed] && scope.records.first?.object == "[/bin/true]")
        #expect(scope.commandsStarted.isEmpty)
        _ = scope.close(commit: false)
    }

    @Test("What is cut off at the end of a run is on record, also what waits for what runs and what waits for a thread")
    func cutOff() async throws {
        let records = Mutex<[EffectRecord]>([])
        let registry = registry()
        let token = try registry.open(try scope(.mutating) { record in records.withLock { $0.append(record) } })
        registry.bind(token, to: 5)
        let sleep = Wire.Call(
            scopeToken: token, scopeCall: 5, method: .exec(Wire.ExecRequest(arguments: ["/bin/sleep", "600"])))
        let cancels = (1...40).map { registry.begin(IncomingCall(id: $0, call: sleep)) { _ in } }
        for cancel in cancels { cancel() }
        await registry.settle(until: .after(milliseconds: 60_000))
        let found = records.withLock { $0 }
        #expect(found.count == 40)
        #expect(found.allSatisfy { $0.object == "[/bin/sleep, \"600\"]" && $0.code == "scope-over" }, "\(found)")
    }

    /// A scope whose first call never comes back, as with a file system that does not answer.
    private struct StuckScope {
        let scope: BrokerScope
        private let began = DispatchSemaphore(value: 0)
        private let gate = DispatchSemaphore(value: 0)
        private let records: Records

        private final class Records: Sendable {
            let list = Mutex<[EffectRecord]>([])
            let isFirst = Mutex(true)
        }

        init(_ tests: ScopeRegistryTests) throws {
            let records = Records()
            self.records = records
            scope = try tests.scope(.readOnly) { [began, gate] record in
                let isWorker = records.isFirst.withLock { first in
                    defer { first = false }
                    return first
                }
                if isWorker {
                    began.signal()
                    gate.wait()
                }
                records.list.withLock { $0.append(record) }
            }
        }

        var recorded: [EffectRecord] { records.list.withLock { $0 } }

        /// Makes a call that does not come back, and waits until it is under way: whoever is told of it first is stuck.
        func call(_ registry: ScopeRegistry) throws {
            let token = try registry.open(scope)
            registry.bind(token, to: 5)
            let read = Wire.Call(
                scopeToken: token, scopeCall: 5, method: .readFile(Wire.ReadFileRequest(path: "/etc/hostname")))
            _ = registry.begin(IncomingCall(id: 1, call: read)) { _ in }
            began.wait()
        }

        func release() { gate.signal() }
    }

    @Test("What does not come to an end is recorded as given up, and keeps nobody waiting for ever")
    func givenUp() async throws {
        let registry = registry()
        let stuck = try StuckScope(self)
        defer { stuck.release() }
        try stuck.call(registry)
        await registry.settle(until: .after(milliseconds: 100))
        let found = try #require(stuck.recorded.first)
        #expect(found.operation == "ReadFile" && found.object == "/etc/hostname" && found.outcome == .failed)
        #expect(found.code == "scope-over" && found.reason?.contains("when the run ended") == true)
    }

    @Test("A run does not end before what its connectors asked for is on record")
    func stopped() async throws {
        let bench = try HostBench()
        let host = try bench.host(["echo"])
        let pool = host.makePool(audit: nil, try host.loadManifest())
        let connector = try await pool.connector(try #require(ConnectorName("echo")))
        let stuck = try StuckScope(self)
        defer { stuck.release() }
        try stuck.call(connector.scopes)
        await pool.stopAll()
        #expect(stuck.recorded.map(\.code) == ["scope-over"])
        #expect(ProcessList.running(in: bench.scratch.path) == [])
    }

    @Test("Tokens are random: a thousand of them are all different") func tokens() throws {
        let registry = registry()
        let scope = try scope()
        let tokens = try (0..<1000).map { _ in try registry.open(scope).array }
        #expect(Set(tokens).count == 1000)
        #expect(Set(tokens.map { $0.reduce(0, ^) }).count > 100)
    }
}
