import Dispatch
import Synchronization
import Testing
import TrstctlPolicy
import TrstctlSystem
import TrstctlTestSupport

@testable import TrstctlHost
@testable import TrstctlLaunch

@Suite("Turns of a connector's calls")
struct CallTurnsTests {
    private final class Order: Sendable {
        private let numbers = Mutex<[Int]>([])
        var all: [Int] { numbers.withLock { $0 } }
        func append(_ number: Int) { numbers.withLock { $0.append(number) } }
    }

    @Test("So many have a turn, the others wait in their order")
    func order() async throws {
        let turns = CallTurns(2)
        let first = try #require(await turns.take())
        let second = try #require(await turns.take())
        let order = Order()
        await withTaskGroup { group in
            for number in 0..<3 {
                group.addTask {
                    let turn = await turns.take()
                    order.append(number)
                    turn?.end()
                }
                while turns.waitingCount <= number { await Task.yield() }
            }
            first.end()
        }
        #expect(order.all == [0, 1, 2])
        // Ended twice, given back once.
        first.end()
        #expect(turns.freeCount == 1)
        second.end()
        #expect(turns.freeCount == 2)
    }

    @Test("A connector that answered three in a row not in time gets no more calls; one answer makes up for what was")
    func silent() async throws {
        let turns = CallTurns(1)
        for isAnswered in [false, false, true, false, false] {
            let turn = try #require(await turns.take())
            if !isAnswered { turn.hadNoAnswer() }
            turn.end()
        }
        let last = try #require(await turns.take())
        await withTaskGroup { group in
            for _ in 0..<3 { group.addTask { #expect(await turns.take() == nil) } }
            while turns.waitingCount < 3 { await Task.yield() }
            last.hadNoAnswer()
            last.end()
        }
        #expect(await turns.take() == nil)
        #expect(turns.freeCount == 1)
    }

    @Test("A connector that does not say how many it works on gets all of them")
    func unlimited() async {
        let turns = CallTurns(0)
        for _ in 0..<10_000 where await turns.take() == nil { Issue.record("no turn") }
    }

    @Test("A deployment without an answer keeps its turn until its files are put back")
    func unanswered() async throws {
        let bench = try HostBench()
        let host = try bench.host(["never-applies"])
        let pool = host.makePool(audit: nil, try host.loadManifest())
        let work = try await work(host, pool, timeout: 2_000)
        let turns = work.connector.turns
        let all = turns.freeCount
        let run = Task { await work.failure() }
        for _ in 0..<12_000 where bench.files.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
        try #require(bench.files == ["bad"])
        // What puts the file back waits for the last of these.
        let gate = DispatchSemaphore(value: 0)
        for _ in 0..<32 { ScopeRegistry.workers.submit { gate.wait() } }
        for _ in 0..<12_000 where ScopeRegistry.workers.waitingCount == 0 {
            try await Task.sleep(for: .milliseconds(5))
        }
        #expect(turns.freeCount == all - 1, "the next call could be sent")
        for _ in 0..<32 { gate.signal() }
        let failure = await run.value
        #expect(failure?.rollback == .rolledBack && bench.files == [], "\(String(describing: failure))")
        #expect(turns.freeCount == all)
        await pool.stopAll()
    }

    @Test("What is served before a deployment is looked at when its turn has come, not before the wait for it")
    func servedBefore() async throws {
        let bench = try HostBench()
        let host = try bench.host(["echo"])
        let pool = host.makePool(audit: nil, try host.loadManifest())
        let listener = try LoopbackListener()
        let address = try DialAddress("127.0.0.1:\(listener.port)")
        let work = try await work(host, pool, Probe(address: address, serverName: nil, timeout: 1))
        let turns = work.connector.turns
        var taken: [CallTurn] = []
        while turns.freeCount > 0 { taken.append(try #require(await turns.take())) }
        let run = Task { await work.failure() }
        while turns.waitingCount == 0 { try await Task.sleep(for: .milliseconds(5)) }
        #expect(!listener.hangUp(), "it was looked at already")
        for turn in taken { turn.end() }
        var isLookedAt = false
        for _ in 0..<12_000 where !isLookedAt {
            isLookedAt = listener.hangUp()
            if !isLookedAt { try await Task.sleep(for: .milliseconds(5)) }
        }
        #expect(isLookedAt)
        listener.stop()
        #expect(await run.value?.code == ReasonCode(.notServed))
        await pool.stopAll()
    }

    /// The work for the only target of a host's manifest.
    private func work(
        _ host: TrstctlHost.Host, _ pool: ConnectorPool, _ probe: Probe? = nil, timeout: Int64 = 60_000
    ) async throws -> TargetWork {
        let (manifest, directory) = try host.manifest()
        var reconciler = TargetReconciler(
            manifest: manifest, directory: directory, pool: pool, credentials: CredentialCache(), audit: nil)
        reconciler.timeouts.apply = timeout
        var target = try #require(manifest.targets.first)
        target.probe = probe
        return try #require(await reconciler.prepare(target, goal: .apply).work.take())
    }

    @Test("What waits for others of the same connector loses no time by it")
    func deadlines() async throws {
        let bench = try HostBench()
        var options = try bench.host(["echo"]).options
        let digest = try EchoManifest.digest(bench.scratch.file("plugins/trstctl-connector-echo"))
        // Echo works on 16 at a time: the last of these would wait for 8 s in the connector and be done after 10 s.
        let targets = (1...80).map { "  t\($0): { connector: echo, credential: www, config: { sleep_ms: 2000 } }" }
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
        options.parallel = 80
        options.callTimeouts.apply = 8_000
        let report = try await Host(options).apply([])
        #expect(report.targets.count == 80)
        #expect(report.targets.allSatisfy { $0.outcome == .deployed }, "\(report.targets.map(\.code))")
    }
}

extension TargetWork {
    /// Why a deployment fails; nil when it does not.
    fileprivate func failure() async -> TargetReconciler.Failure? {
        var report = TargetReport(target: target.name.text, connector: target.connector.text, credential: "www")
        do throws(TargetReconciler.Failure) {
            _ = try await apply(&report, live: "")
            return nil
        } catch {
            return error
        }
    }
}
