import Foundation
import Testing
import TrstctlPolicy
import TrstctlSystem
import TrstctlTestSupport

@testable import TrstctlHost

/// Connectors that answer nothing any more, and have many targets.
@Suite("Silent connectors with many targets", .ownThreads)
struct SilentConnectorTests {
    /// A host with so many targets of a hostile connector, and behind them one of echo.
    private func host(_ bench: HostBench, _ name: String, targets: Int) throws -> TrstctlHost.Host {
        var options = try bench.host([name, "echo"]).options
        let plugins = bench.scratch.file("plugins")
        let many = (1...targets).map { number in
            "  \(name)-\(number): { connector: \(name), credential: www, config: { path: \(bench.badPath)-\(number) } }"
        }
        options.manifest = Bytes(
            try bench.scratch.write(
                """
                version: 1
                plugins:
                  \(name):
                    sha256: ["\(try EchoManifest.digest("\(plugins)/trstctl-connector-\(name)"))"]
                    grants: { fs.write: [\((1...targets).map { "\(bench.badPath)-\($0)" }.joined(separator: ", "))] }
                  echo:
                    sha256: ["\(try EchoManifest.digest("\(plugins)/trstctl-connector-echo"))"]
                    grants: { fs.read: [\(bench.goodPath)], fs.write: [\(bench.goodPath)] }
                credentials:
                  www: { certificate: \(bench.credential.fullchainPath), key: \(bench.credential.keyPath) }
                targets:
                \(many.joined(separator: "\n"))
                  echo: { connector: echo, credential: www, config: { state_path: \(bench.goodPath) } }
                """, to: "many.yaml"))
        return TrstctlHost.Host(options)
    }

    @Test(
        "One that left three calls in a row without an answer gets no more",
        arguments: [("never-reads", TargetReport.Stage.read), ("never-configures", .configuration)])
    func patience(_ name: String, _ stage: TargetReport.Stage) async throws {
        let bench = try HostBench()
        var options = try host(bench, name, targets: 6).options
        options.parallel = 1
        options.callTimeouts.read = 200
        options.callTimeouts.configure = 200
        let report = try await TrstctlHost.Host(options).apply([])
        let bad = report.targets.dropLast()
        #expect(bad.allSatisfy { $0.outcome == .failed && $0.stage == stage && $0.code == "timeout" }, "\(bad)")
        #expect(
            bad.map { $0.detail.contains("this one was not made") } == [false, false, false, true, true, true], "\(bad)"
        )
        try bench.expectHealthy(report)
    }

    @Test("All Configure calls of a connector have one time together, and then there are no more")
    func configureAll() async throws {
        let bench = try HostBench()
        var options = try host(bench, "never-configures", targets: 2).options
        options.parallel = 1
        options.callTimeouts.configureAll = 3_000
        let report = try await TrstctlHost.Host(options).apply([])
        let bad = report.targets.dropLast()
        #expect(bad.allSatisfy { $0.stage == .configuration && $0.code == "timeout" }, "\(bad)")
        #expect(bad.map { $0.detail.contains("the Configure calls of all its targets") } == [false, true], "\(bad)")
        try bench.expectHealthy(report)
    }

    @Test("One that keeps all its targets waiting keeps no other connector's waiting")
    func fairness() async throws {
        let bench = try HostBench()
        var options = try host(bench, "never-reads", targets: 6).options
        options.parallel = 2
        options.callTimeouts.read = 600_000
        let host = TrstctlHost.Host(options)
        let run = Task { try await host.apply([]) }
        for _ in 0..<3_000 where !bench.files.contains("good") { try await Task.sleep(for: .milliseconds(10)) }
        #expect(bench.files.contains("good"))
        run.cancel()
        try bench.expectHealthy(try await run.value)
    }
}

@Suite("The order of targets")
struct FairOrderTests {
    @Test("Each connector has as many places as another, and its targets keep their order")
    func fair() throws {
        var order = FairOrder(of: ["slow", "slow", "slow", "quick", "slow", "quick", "quick"])
        #expect([order.next(), order.next(), order.next(), order.next()] == [0, 3, 1, 5])
        // Two of each are under way; the slow ones stay.
        order.end(3)
        #expect(order.next() == 6)
        order.end(6)
        order.end(5)
        #expect([order.next(), order.next(), order.next()] == [2, 4, nil])
    }

    @Test("Those of one connector have the manifest's order")
    func alone() {
        var order = FairOrder(of: Array(repeating: "one", count: 5))
        #expect((0..<6).map { _ in order.next() } == [0, 1, 2, 3, 4, nil])
        var none = FairOrder(of: [String]())
        #expect(none.next() == nil)
    }
}
