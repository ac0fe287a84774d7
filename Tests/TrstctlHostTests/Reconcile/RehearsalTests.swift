import Foundation
import Testing
import TrstctlPolicy
import TrstctlSystem
import TrstctlTestSupport

@testable import TrstctlHost

/// When an apply is rehearsed: always, unless nothing can come of it.
@Suite("Rehearsals before an apply", .ownThreads)
struct RehearsalTests {
    /// How often the audit log has a call of a rehearsal, and of a deployment.
    private func scopes(_ bench: HostBench) throws -> (rehearsed: Int, applied: Int) {
        let log = try String(contentsOfFile: bench.scratch.file("state/audit.log"), encoding: .utf8)
        let lines = log.split(separator: "\n")
        return (
            lines.count { $0.contains("\"scope\":\"Plan\"") }, lines.count { $0.contains("\"scope\":\"Apply\"") }
        )
    }

    @Test("Where nothing is live, and where a plan is asked for, it is rehearsed")
    func nothingLive() async throws {
        let bench = try HostBench()
        #expect(try await bench.host(["echo"]).plan([]).targets.map(\.outcome) == [.differs])
        let planned = try scopes(bench)
        #expect(planned.rehearsed > 0 && planned.applied == 0)
        #expect(try await bench.host(["echo"]).apply([]).targets.map(\.outcome) == [.deployed])
        let applied = try scopes(bench)
        #expect(applied.rehearsed == 2 * planned.rehearsed && applied.applied > 0)
    }

    @Test("Where another certificate is live and one file is all that may change, it is deployed without one")
    func anotherLive() async throws {
        let bench = try HostBench()
        let other = String(repeating: "a", count: 64) + "\n"
        try bench.scratch.write(other, to: "live/good")
        let report = try await bench.host(["echo"]).apply([])
        try bench.expectHealthy(report)
        #expect(report.targets.first?.changes.count == 1, "\(report)")
        let scopes = try scopes(bench)
        #expect(scopes.rehearsed == 0 && scopes.applied > 0)
        #expect(try String(contentsOfFile: bench.goodPath, encoding: .utf8) != other)
        // A plan of the same shows what it would do.
        try bench.scratch.write(other, to: "live/good")
        #expect(try await bench.host(["echo"]).plan([]).targets.first?.changes.count == 1)
    }

    @Test("What may change more than one file, run something or ask somebody is rehearsed")
    func more() throws {
        #expect(GrantSet().changeOneFileAtMost)
        #expect(try GrantSet.parse(read: ["/etc/a", "/srv/"], write: ["/srv/a"]).changeOneFileAtMost)
        #expect(try !GrantSet.parse(write: ["/srv/a", "/srv/b"]).changeOneFileAtMost)
        #expect(try !GrantSet.parse(write: ["/srv/"]).changeOneFileAtMost)
        #expect(try !GrantSet.parse(write: ["/srv/a"], dial: ["localhost:443"]).changeOneFileAtMost)
        #expect(try !GrantSet.parse(write: ["/srv/a"], exec: [["/bin/true"]]).changeOneFileAtMost)
    }
}
