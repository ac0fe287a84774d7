import Foundation
import Glibc
import Testing
import TrstctlSystem
import TrstctlTestSupport

@testable import TrstctlHost

/// The hostile suite, whose table is in `spec/hostile.md`.
///
/// Each case asserts the outcome with its reason code, that nothing
/// else happened, the audit record, and that the host serves a healthy connector in the same run.
@Suite("The hostile suite", .ownThreads)
struct HostileTests {
    @Test("Discovery: what is found and not taken", arguments: HostileCase.discovery)
    func discovery(_ entry: HostileCase) async throws { try await attack(entry) }

    @Test("Checksums: bytes that are not pinned", arguments: HostileCase.checksums)
    func checksums(_ entry: HostileCase) async throws { try await attack(entry) }

    @Test("Signatures: what does not count", arguments: HostileCase.signatures + HostileCase.signatureForms)
    func signatures(_ entry: HostileCase) async throws { try await attack(entry) }

    @Test("Handshakes: lines, paths, sockets and peers", arguments: HostileCase.handshakes)
    func handshakes(_ entry: HostileCase) async throws { try await attack(entry) }

    @Test("Frames: lengths, messages and ends", arguments: HostileCase.frames)
    func frames(_ entry: HostileCase) async throws { try await attack(entry) }

    @Test("Calls: ids, directions, scopes and deadlines", arguments: HostileCase.calls)
    func calls(_ entry: HostileCase) async throws { try await attack(entry) }

    @Test("Sandbox: what a running connector tries by itself", arguments: HostileCase.sandbox)
    func sandbox(_ entry: HostileCase) async throws { try await attack(entry) }

    @Test("Lifecycle: how connectors do not end", arguments: HostileCase.lifecycle)
    func lifecycle(_ entry: HostileCase) async throws { try await attack(entry) }

    @Test("Resources: what connectors use up", arguments: HostileCase.resources)
    func resources(_ entry: HostileCase) async throws { try await attack(entry) }

    private func attack(_ entry: HostileCase) async throws {
        let bench = try HostileBench()
        let host = try bench.host(entry)
        let canaries = bench.canaries
        let before = try FileStamp(bench.badPath)
        let report = try await host.apply([])

        try expectOutcome(entry, report, bench)
        #expect(canaries.changes(to: bench.canaries) == [])
        try expectFile(entry, before, bench)
        try expectAudit(entry, bench)
        try bench.expectHealthy(report)
    }

    private func expectOutcome(_ entry: HostileCase, _ report: RunReport, _ bench: HostileBench) throws {
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
        }
        let isSaid = bad.detail.contains(entry.says) || bench.printed.contains { $0.contains(entry.says) }
        #expect(entry.says.isEmpty || isSaid, "\(bad)\n\(bench.printed.suffix(20))")
        for text in [bad.summary, bad.detail] + bench.printed {
            #expect(!text.utf8.contains { $0 < 0x20 && $0 != 0x0A || $0 == 0x7F }, "\(text.prefix(200))")
        }
    }

    /// The one file that it may write is as it was, unless it was deployed; and there is no other.
    private func expectFile(_ entry: HostileCase, _ before: FileStamp, _ bench: HostileBench) throws {
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: bench.scratch.file("live")).sorted() == ["bad", "good"])
        let after = try FileStamp(bench.badPath)
        switch entry.outcome {
        case .refused: #expect(after == before)
        case .failed, .deniedThenFailed:
            #expect(after.content == before.content && after.mode == before.mode && after.owner == before.owner)
        case .denied, .served: #expect(after.content == Data("written by a hostile connector\n".utf8))
        }
    }

    private func expectAudit(_ entry: HostileCase, _ bench: HostileBench) throws {
        let all = try bench.audit()
        #expect(Set(all.map(\.run)).count == 1)
        let records = all.filter { $0.connector == entry.connector }
        let outcome = try #require(records.last { $0.event == .outcome })
        #expect(outcome.target == "bad")
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
        }
    }
}
