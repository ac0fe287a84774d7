import Glibc
import Synchronization
import Testing
import TrstctlSystem
import TrstctlWire

@testable import TrstctlConnector

@Suite("Concurrent calls of a connector")
struct ConcurrencyTests {
    private func configure(_ host: RawHost, _ count: Int) throws {
        for index in 0..<count { try host.configure("t\(index)") }
    }

    @Test("With one thread a second call waits for the first")
    func oneAtATime() throws {
        let served = try ServedConnector(
            Scripted(onDeploy: { _, host throws(ConnectorError) in
                _ = try host.stat("/f")
                return .unchanged("")
            }))
        try served.host.configure("edge", Scripted.config, secrets: ["token"])
        let first = try served.host.start(.apply("edge"))
        let second = try served.host.start(.apply("edge"))
        let call = try served.host.receiveCall()
        #expect(call.call.scopeCall == first)
        // The connector reads the second call before this Ping, and must not have begun it.
        #expect(try served.host.call(.ping(Wire.PingRequest())).status?.code == .ok)
        try served.host.reply(call.id, .stat(Wire.StatResponse()))
        #expect(try served.host.receiveReply(first).status?.code == .ok)
        let next = try served.host.receiveCall()
        #expect(next.call.scopeCall == second)
        try served.host.reply(next.id, .stat(Wire.StatResponse()))
        #expect(try served.host.receiveReply(second).status?.code == .ok)
    }

    @Test("As many calls run at a time as the connector allows, the rest waits, all are answered")
    func overlap() throws {
        let served = try ServedConnector(
            Concurrent { _, host throws(ConnectorError) in
                _ = try host.stat("/f")
                return .unchanged("")
            })
        try configure(served.host, 10)
        let applies = try (0..<10).map { try served.host.start(.apply("t\($0)")) }
        var waiting: [(id: UInt32, call: Wire.Call)] = []
        for _ in 0..<4 { waiting.append(try served.host.receiveCall()) }
        #expect(Set(waiting.map(\.call.scopeCall)) == Set(applies.prefix(4)))
        var answered: Set<UInt32> = []
        while answered.count < 10 {
            // The last in first out: replies go to those who wait for them, whoever reads.
            if let call = waiting.popLast() { try served.host.reply(call.id, .stat(Wire.StatResponse())) }
            var isReplied = false
            while !isReplied || (waiting.isEmpty && answered.count < 10) {
                let frame = try served.host.receive()
                switch frame.kind {
                case .call(let call): waiting.append((frame.id, call))
                default:
                    isReplied = true
                    answered.insert(frame.id)
                }
                if answered.count == 10 { break }
            }
        }
        #expect(answered == Set(applies))
    }

    @Test("Calls that do not overlap stay on one thread")
    func oneThread() throws {
        let threads = Threads()
        let served = try ServedConnector(
            Concurrent { _, host throws(ConnectorError) in
                threads.note()
                _ = try host.stat("/f")
                return .unchanged("")
            })
        try configure(served.host, 1)
        for _ in 0..<20 {
            let apply = try served.host.start(.apply("t0"))
            try served.host.reply(try served.host.receiveCall().id, .stat(Wire.StatResponse()))
            _ = try served.host.receiveReply(apply)
        }
        #expect(threads.count == 1)
    }

    @Test("A sleeping call does not hold up another one")
    func sleeperAndWorker() throws {
        let served = try ServedConnector(
            Concurrent { deployment, host throws(ConnectorError) in
                if deployment.target.name == "t0" { try host.sleep(milliseconds: 600_000) }
                return .unchanged("")
            })
        try configure(served.host, 2)
        let sleeper = try served.host.start(.apply("t0"))
        let worker = try served.host.start(.apply("t1"))
        #expect(try served.host.receiveReply(worker).status?.code == .ok)
        try served.host.send(Wire.Frame(id: sleeper, kind: .cancel(Wire.Cancel())))
        #expect(try served.host.receiveReply(sleeper).status?.code == .cancelled)
    }

    @Test("Calls beyond the window are refused, and the others still run")
    func window() throws {
        let served = try ServedConnector(
            Concurrent { _, host throws(ConnectorError) in
                _ = try host.stat("/f")
                return .unchanged("")
            })
        try configure(served.host, 1)
        let applies = try (0..<70).map { _ in try served.host.start(.apply("t0")) }
        var codes: [UInt32: Wire.Status.Code] = [:]
        var held: [UInt32] = []
        while codes.count < 70 {
            let frame = try served.host.receive()
            switch frame.kind {
            case .call where codes.values.filter({ $0 == .resourceExhausted }).count < 6:
                // Not answered yet: the window stays full until the six refusals are here.
                held.append(frame.id)
            case .call: try served.host.reply(frame.id, .stat(Wire.StatResponse()))
            case .reply(let reply): codes[frame.id] = reply.status?.code
            default: break
            }
            if codes.count >= 6, !held.isEmpty {
                for id in held { try served.host.reply(id, .stat(Wire.StatResponse())) }
                held = []
            }
        }
        #expect(Set(codes.filter { $0.value == .resourceExhausted }.keys) == Set(applies.suffix(6)))
        #expect(codes.values.filter { $0 == .ok }.count == 64)
    }

    @Test("More than 16 MiB of waiting calls are refused")
    func windowOfBytes() throws {
        let served = try ServedConnector(
            Scripted(onDeploy: { _, host throws(ConnectorError) in
                _ = try host.stat("/f")
                return .unchanged("")
            }))
        try served.host.configure("edge", Scripted.config, secrets: ["token"])
        let first = try served.host.start(.apply("edge"))
        let stat = try served.host.receiveCall()
        var large = Wire.Deployment.sample()
        large.chain = Bytes([UInt8](repeating: 0x61, count: 4_000_000))
        let others = try (0..<5).map { _ in try served.host.start(.read(Wire.ReadRequest(deployment: large))) }
        #expect(try served.host.receiveReply(others[4]).status?.code == .resourceExhausted)
        try served.host.reply(stat.id, .stat(Wire.StatResponse()))
        for id in [first] + others.dropLast() {
            #expect(try served.host.receiveReply(id).status?.code == .ok)
        }
    }

    @Test("Thousands of calls with nested calls at four at a time lose nothing")
    func many() throws {
        let served = try ServedConnector(
            Concurrent { deployment, host throws(ConnectorError) in
                host.log(.debug, "x")
                for _ in 0..<3 { _ = try host.stat("/f") }
                return .unchanged(deployment.target.name)
            })
        try configure(served.host, 4)
        var inFlight: [UInt32: String] = [:]
        var (started, answered) = (0, 0)
        while answered < 2000 {
            while started < 2000, inFlight.count < 16 {
                let target = "t\(started % 4)"
                inFlight[try served.host.start(.apply(target))] = target
                started += 1
            }
            let frame = try served.host.receive()
            switch frame.kind {
            case .call(let call):
                if case .log = call.method {
                    try served.host.reply(frame.id, .log(Wire.LogResponse()))
                } else {
                    #expect(inFlight[call.scopeCall] != nil)
                    try served.host.reply(frame.id, .stat(Wire.StatResponse()))
                }
            case .reply(let reply):
                let target = inFlight.removeValue(forKey: frame.id)
                #expect(reply.result == .apply(Wire.ApplyResponse(summary: target ?? "?")))
                answered += 1
            default: break
            }
        }
        #expect(try served.host.call(.shutdown(Wire.ShutdownRequest())).status?.code == .ok)
        #expect(served.end() == .shutdown)
    }
}

/// The threads that were seen.
private final class Threads: Sendable {
    private let seen = Mutex<Set<UInt>>([])

    func note() { _ = seen.withLock { $0.insert(UInt(pthread_self())) } }

    var count: Int { seen.withLock { $0.count } }
}
