import Foundation
import Glibc
import Testing
import TrstctlHost
import TrstctlTestSupport

/// The host is killed before and after each system call of the write path, and each of them fails in each way: at the
/// end, after a recovery, the old pair or the new pair is there, never a mix, and nothing else.
///
/// By default each call fails in one of the ways, in turn; `TRSTCTL_SOAK_CRASH` walks over all of them, and over
/// the calls before the first that writes.
@Suite("The crash matrix", .ownThreads)
struct CrashMatrixTests {
    private static let isFull = soakCount("CRASH", short: 0) > 0

    @Test(
        "An apply that is killed at any system call of the write path ends with one of the pairs",
        arguments: FaultSite.Layout.allCases)
    func kills(_ layout: FaultSite.Layout) async throws {
        _ = try await killEverywhere(try await FaultSite(layout: layout))
    }

    @Test(
        "Where a file needs its name from the beginning, or cannot get one later, a killed apply ends so too",
        arguments: ["open", "link"])
    func killsWithNames(_ lack: String) async throws {
        var site = try await FaultSite()
        site.lack = lack
        let faults = try await killEverywhere(site)
        #expect(faults.contains { $0.name == "create temporary" })
    }

    /// Kills an apply at each of its calls.
    private func killEverywhere(_ site: FaultSite) async throws -> [Fault] {
        let faults = try await plan(["apply"], site, Fault.kills)
        var ends: Set<String> = []
        for fault in faults {
            try site.reset()
            let outcome = try await site.run(["apply"], fault)
            #expect(outcome.code == -1, "\(fault): was not killed: \(outcome)")
            ends.insert(try await site.settle(fault))
        }
        #expect(ends == ["old", "new"], "\(faults.count) runs")
        return faults
    }

    @Test(
        "An apply whose system calls fail says so, and ends with one of the pairs",
        arguments: FaultSite.Layout.allCases)
    func errors(_ layout: FaultSite.Layout) async throws {
        let site = try await FaultSite(layout: layout)
        let persistent: [Fault.Action] = [ENOSPC, EIO, EDQUOT, EACCES].map { .fail($0, always: true) }
        for fault in try await plan(["apply"], site, Fault.errors + persistent) {
            try site.reset()
            let outcome = try await site.run(["apply", "--json"], fault)
            let end = try await site.settle(fault)
            // What is reported as deployed is deployed, whatever happens later.
            if outcome.code == 0 { #expect(end == "new", "\(fault): \(outcome)") }
            guard let report = try? outcome.json(RunReport.self).targets.first else {
                #expect(outcome.code == 2, "\(fault): \(outcome)")
                continue
            }
            if report.outcome == .failed { #expect(end == "old", "\(fault): \(outcome)") }
        }
    }

    @Test(
        "A rollback that is killed at any system call is finished by the recovery",
        arguments: FaultSite.Layout.allCases)
    func rollback(_ layout: FaultSite.Layout) async throws {
        let site = try await FaultSite(command: "[/bin/false]", layout: layout)
        for fault in try await plan(["apply"], site, Fault.kills + [.fail(EIO, always: true)], last: 24) {
            try site.reset()
            _ = try await site.run(["apply"], fault)
            #expect(try await site.settle(fault) == "old", "\(fault)")
        }
    }

    @Test(
        "A recovery that is killed, or fails, at any system call is finished by the next",
        arguments: FaultSite.Layout.allCases)
    func recovery(_ layout: FaultSite.Layout) async throws {
        let site = try await FaultSite(layout: layout)
        try site.reset()
        let calls = try await site.calls(["apply"])
        // Everything is in place but the commit.
        let commit = try #require(calls.lastIndex { $0 == "pwrite journal" }) + 1
        let interruption = Fault(call: commit, name: calls[commit - 1], action: .killBefore)
        func interrupt() async throws {
            try site.reset()
            _ = try await site.run(["apply"], interruption)
            try #require(try site.live() == site.new)
        }
        try await interrupt()
        for fault in try await plan(["recover"], site, Fault.kills + Fault.errors, prepared: true) {
            try await interrupt()
            let outcome = try await site.run(["recover"], fault)
            if outcome.code == 0 { #expect(try site.live() == site.old, "\(fault): \(outcome)") }
            #expect(try await site.settle(fault) == "old", "\(fault)")
        }
    }

    /// The faults of a walk over a command's calls.
    private func plan(
        _ words: [String], _ site: FaultSite, _ actions: [Fault.Action], last: Int = .max, prepared: Bool = false
    ) async throws -> [Fault] {
        if !prepared { try site.reset() }
        let calls = try await site.calls(words)
        try #require(calls.contains { $0.hasPrefix("renameat") }, "the library does not see the calls")
        let writing = calls.firstIndex { !$0.hasPrefix("open ") } ?? 0
        let first = CrashMatrixTests.isFull ? 0 : max(writing, calls.count - last)
        return calls.indices.dropFirst(first).flatMap { index in
            actions.compactMap { action in
                guard isWorthIt(calls[index], index, action, site.layout) else { return nil }
                return Fault(call: index + 1, name: calls[index], action: action)
            }
        }
    }

    /// Being killed at a call that only looks is being killed before the next one.
    private func isWorthIt(
        _ call: String, _ index: Int, _ action: Fault.Action, _ layout: FaultSite.Layout
    ) -> Bool {
        if CrashMatrixTests.isFull { return true }
        switch action {
        case .killBefore, .losePower: return !call.hasPrefix("open ")
        // Between two calls nothing becomes different on disk.
        case .killAfter: return !call.hasPrefix("open ") && (layout == .plain || call.hasPrefix("rename"))
        case .fail(let error, let always):
            let turn = [ENOSPC, EIO, EDQUOT, EACCES][index % 4]
            // Where most of the calls are the same as in the plain layout, either once or from then on, in turn.
            let isTurn = layout == .plain || always == (index / 4).isMultiple(of: 2)
            return error == turn && isTurn && (!always || !call.hasPrefix("open "))
        }
    }
}
