import Synchronization
import Testing
import TrstctlSystem
import TrstctlTestSupport

@testable import TrstctlHost

@Suite("Turns of a connector's calls")
struct CallTurnsTests {
    private final class Order: Sendable {
        private let numbers = Mutex<[Int]>([])
        var all: [Int] { numbers.withLock { $0 } }
        func append(_ number: Int) { numbers.withLock { $0.append(number) } }
    }

    @Test("So many have a turn, the others wait in their order")
    func order() async {
        let turns = CallTurns(2)
        #expect(await turns.take())
        #expect(await turns.take())
        let order = Order()
        await withTaskGroup { group in
            for number in 0..<3 {
                group.addTask {
                    #expect(await turns.take())
                    order.append(number)
                    turns.give(isAnswered: true)
                }
                while turns.waitingCount <= number { await Task.yield() }
            }
            turns.give(isAnswered: true)
        }
        #expect(order.all == [0, 1, 2])
        // The one that was given back, and the one that was never taken again.
        turns.give(isAnswered: true)
        #expect(await turns.take())
        #expect(await turns.take())
    }

    @Test("A connector that answered three in a row not in time gets no more calls; one answer makes up for what was")
    func silent() async {
        let turns = CallTurns(1)
        for isAnswered in [false, false, true, false, false] {
            #expect(await turns.take())
            turns.give(isAnswered: isAnswered)
        }
        #expect(await turns.take())
        await withTaskGroup { group in
            for _ in 0..<3 { group.addTask { #expect(await !turns.take()) } }
            while turns.waitingCount < 3 { await Task.yield() }
            turns.give(isAnswered: false)
        }
        #expect(await !turns.take())
        #expect(turns.freeCount == 1)
    }

    @Test("A connector that does not say how many it works on gets all of them")
    func unlimited() async {
        let turns = CallTurns(0)
        for _ in 0..<10_000 where await !turns.take() { Issue.record("no turn") }
    }

    @Test("What waits for others of the same connector loses no time by it")
    func deadlines() async throws {
        let bench = try HostBench()
        var options = try bench.host(["echo"]).options
        let digest = try EchoManifest.digest(bench.scratch.file("plugins/trstctl-connector-echo"))
        // Echo works on 16 at a time: the last of these would wait for 2,750 ms in the connector.
        let targets = (1...192).map { "  t\($0): { connector: echo, credential: www, config: { sleep_ms: 250 } }" }
        options.manifest = Bytes(
            try bench.scratch.write(
                """
                version: 1
                plugins: { echo: { sha256: ["\(digest)"] } }
                credentials:
                  www: { certificate: \(bench.credential.fullchainPath), key: \(bench.credential.keyPath) }
                targets:
                \(targets.joined(separator: "\n"))
                """, to: "many.yaml"))
        options.parallel = 192
        options.callTimeouts.apply = 2_000
        let report = try await Host(options).apply([])
        #expect(report.targets.count == 192)
        #expect(report.targets.allSatisfy { $0.outcome == .deployed }, "\(report.targets.map(\.code))")
    }
}
