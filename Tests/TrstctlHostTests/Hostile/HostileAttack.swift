import Foundation
import Glibc
import Testing
import TrstctlSystem
import TrstctlTestSupport

@testable import TrstctlHost

/// One case at a bench: what everything was before, and the four things that are asserted of the run.
struct HostileAttack {
    let entry: HostileCase
    let bench: HostileBench
    /// What must be the same afterwards.
    let canaries: TreeStamp
    /// The file that the connector may write.
    let before: FileStamp

    /// Takes the stamps; to be made when everything is in its place, before the run.
    init(_ entry: HostileCase, _ bench: HostileBench) throws {
        self.entry = entry
        self.bench = bench
        canaries = bench.canaries
        before = try FileStamp(bench.badPath)
    }

    /// Asserts the four things of one run.
    ///
    /// - Parameters:
    ///   - report: of a run with the hostile target first and the healthy one last.
    ///   - printed: what was printed and logged; nil means what the bench collected.
    /// - Throws: when there is nothing to look at.
    func expect(_ report: RunReport, printed: [String]? = nil) throws {
        try expectContained(report, printed: printed)
        try bench.expectHealthy(report)
    }

    /// Asserts the first three: the outcome, that nothing else happened, the audit record.
    ///
    /// For a run that could not serve the healthy target; another one does.
    func expectContained(_ report: RunReport, printed: [String]? = nil) throws {
        try expectOutcome(report, printed ?? bench.printed)
        #expect(canaries.changes(to: bench.canaries) == [])
        try expectFile()
        try expectAudit()
    }

    private func expectOutcome(_ report: RunReport, _ printed: [String]) throws {
        let bad = try #require(report.targets.first)
        switch entry.outcome {
        case .refused(let code):
            #expect(bad.outcome == .refused && bad.stage == .connector, "\(bad)")
            #expect(bad.code == code, "\(bad)")
            #expect(report.connectors.first { $0.name == entry.connector }?.code == code)
            #expect(report.exitCode == 3)
        case .failed(let stage, let code), .deniedThenFailed(_, let stage, let code):
            #expect(bad.outcome == .failed && bad.stage == stage, "\(bad)")
            #expect(bad.code == code, "\(bad)")
            #expect(report.exitCode == 1)
        case .denied, .served:
            #expect(bad.outcome == .deployed, "\(bad)")
            #expect(bad.code == nil)
            #expect(report.exitCode == 0)
        case .cancelled(let code):
            #expect(bad.outcome == .cancelled && bad.code == code, "\(bad)")
            #expect(report.exitCode == 1)
        case .undone(let word):
            #expect(report.recoveries.map(\.outcome.rawValue) == [word], "\(report.recoveries)")
            #expect(report.recoveries.map(\.target) == ["bad"])
            #expect(report.exitCode == 0)
        }
        let isSaid = bad.detail.contains(entry.says) || printed.contains { $0.contains(entry.says) }
        #expect(entry.says.isEmpty || isSaid, "\(bad)\n\(printed.suffix(20))")
        for text in [bad.summary, bad.detail] + printed {
            #expect(!text.utf8.contains { $0 < 0x20 && $0 != 0x0A || $0 == 0x7F }, "\(text.prefix(200))")
        }
    }

    /// The one file that it may write is as it was, unless it was deployed; and there is no other.
    private func expectFile() throws {
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: bench.scratch.file("live"))
                .allSatisfy { ["bad", "good"].contains($0) })
        let after = try FileStamp(bench.badPath)
        switch entry.outcome {
        case .refused, .cancelled: #expect(after == before)
        case .failed, .deniedThenFailed, .undone:
            #expect(after.content == before.content && after.mode == before.mode && after.owner == before.owner)
        case .denied, .served: #expect(after.content == Data("written by a hostile connector\n".utf8))
        }
    }

    private func expectAudit() throws {
        let all = try bench.audit()
        let records = all.filter { $0.connector == entry.connector }
        if case .undone(let word) = entry.outcome {
            #expect(records.first?.event == .start && records.last?.event == .recovery, "\(records)")
            #expect(records.last?.outcome == word && records.first?.run != records.last?.run, "\(records)")
            return
        }
        #expect(Set(all.map(\.run)).count == 1)
        let outcome = try #require(records.last { $0.event == .outcome && $0.target == "bad" })
        switch entry.outcome {
        case .refused(let code):
            #expect(records.map(\.event) == [.refusal, .outcome], "\(records)")
            #expect(records.allSatisfy { $0.code == code && $0.outcome == "refused" }, "\(records)")
        case .failed(_, let code):
            #expect(records.first?.event == .start && records.first?.digest?.utf8.count == 64)
            #expect(outcome.outcome == "failed" && outcome.code == code)
        case .denied(let code):
            #expect(records.contains { $0.event == .call && $0.outcome == "denied" && $0.code == code }, "\(records)")
            #expect(outcome.outcome == "deployed" && outcome.code == nil)
        case .deniedThenFailed(let denial, _, let code):
            #expect(records.contains { $0.event == .call && $0.outcome == "denied" && $0.code == denial }, "\(records)")
            #expect(outcome.outcome == "failed" && outcome.code == code)
        case .served:
            #expect(records.first?.event == .start)
            #expect(outcome.outcome == "deployed" && outcome.code == nil)
        case .cancelled(let code):
            #expect(!records.contains { $0.event == .start || $0.event == .call }, "\(records)")
            #expect(outcome.outcome == "cancelled" && outcome.code == code)
        case .undone: break
        }
    }
}
