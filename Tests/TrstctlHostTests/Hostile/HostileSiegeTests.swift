import Foundation
import Testing
import TrstctlTestSupport

@testable import TrstctlHost

/// The rows of the hostile suite that need more than one connector and one run, see `SiegeCase`.
@Suite("The hostile suite: sieges", .ownThreads)
struct HostileSiegeTests {
    @Test("Swapped connectors: what is put in the place of one while the host runs", arguments: SiegeCase.swaps)
    func swaps(_ entry: SiegeCase) async throws { try await besiege(entry) }

    @Test("Manifests: one that changes, and commands that are given a bad one", arguments: SiegeCase.manifests)
    func manifests(_ entry: SiegeCase) async throws { try await besiege(entry) }

    @Test("Lifecycle: runs that follow one another", arguments: SiegeCase.lifecycle)
    func lifecycle(_ entry: SiegeCase) async throws { try await besiege(entry) }

    @Test("Machines: what the host lacks", arguments: SiegeCase.machines)
    func machines(_ entry: SiegeCase) async throws { try await besiege(entry) }

    @Test("Bounds: what connectors use up", arguments: SiegeCase.bounds)
    func bounds(_ entry: SiegeCase) async throws { try await besiege(entry) }

    private func besiege(_ entry: SiegeCase) async throws {
        let port = entry.connector == "uploads" ? try LoopbackListener() : nil
        defer { withExtendedLifetime(port) {} }
        let siege = try Siege(entry, connector: port.map { "uploads-\($0.port)" })
        let canaries = siege.bench.canaries
        try await entry.attack(siege)
        for outcome in entry.must {
            #expect(siege.count(outcome) > 0, "\(outcome) was never met in \(siege.runs) runs")
        }
        #expect(canaries.changes(to: siege.bench.canaries) == [])

        // The host is none the worse for it.
        let report = try await siege.bench.host(HostileCase(entry.id, "healthy", .served)).apply([])
        #expect(report.targets.first?.outcome == .deployed, "\(report)")
        try siege.bench.expectHealthy(report)
    }
}
