import Foundation
import Glibc
import Synchronization
import Testing
import TrstctlSystem
import TrstctlTestSupport

@testable import TrstctlHost

/// A host that runs again and again while something is done to it or to its files.
///
/// Of every run it asserts that it came to one of the outcomes of its row, that nothing else happened, and what the audit
/// log says about it.
final class Siege: Sendable {
    /// How a run ended.
    private struct Run {
        var report: RunReport?
        /// Of the manifest that was not used.
        var code: String?
        var exitCode: Int32 = 0
        var text = ""
    }

    private struct State {
        var met: [SiegeCase.Outcome: Int] = [:]
        var records = 0
    }

    let bench: HostileBench
    /// The name of the hostile connector, its file and its pin.
    let connector: String
    let path: String
    let pin: String
    private let entry: SiegeCase
    private let state = Mutex(State())
    private static let content = Data("written by a hostile connector\n".utf8)

    /// Installs the connector and writes the manifest, with the hostile target first and the healthy one after it.
    ///
    /// - Parameters:
    ///   - entry: the row.
    ///   - connector: another one than the row's, where it has to know something of this run.
    /// - Throws: when something is not built or cannot be written.
    init(_ entry: SiegeCase, connector: String? = nil) throws {
        self.entry = entry
        bench = try HostileBench()
        self.connector = connector ?? entry.connector
        path = try HostileConnector.shared().install(self.connector, in: bench.hostileDirectory)
        pin = try EchoManifest.pin(path)
        _ = try bench.host(manifest)
    }

    /// The manifest that is there at the beginning.
    var manifest: String {
        get throws { try bench.manifest(HostileCase(entry.id, connector, .served), pin: pin) }
    }

    /// How often a run came to this.
    func count(_ outcome: SiegeCase.Outcome) -> Int { state.withLock { $0.met[outcome] ?? 0 } }

    /// How often the host was run.
    var runs: Int { state.withLock { $0.met.values.reduce(0, +) } }

    /// Runs a host in this process.
    ///
    /// - Parameters:
    ///   - manifest: written first; nil means the one that is there.
    ///   - change: deadlines and limits.
    /// - Throws: what is no outcome of a run.
    func apply(
        _ manifest: String? = nil, _ change: (@Sendable (inout TrstctlHost.Host.Options) -> Void)? = nil
    ) async throws {
        let host = try manifest.map { try bench.host($0, change) } ?? bench.hostAsIs(change)
        let printed = bench.printed.count
        try await observe {
            do {
                let report = try await host.apply([])
                let lines = bench.printed.dropFirst(printed).joined(separator: "\n")
                return Run(report: report, exitCode: report.exitCode, text: lines)
            } catch let error as ManifestError {
                return Run(code: error.code.rawValue, exitCode: 2, text: error.description)
            }
        }
    }

    /// Runs the host as a process of its own.
    ///
    /// - Parameters:
    ///   - arguments: the command's.
    ///   - words: another program, and its words, under which it runs.
    /// - Throws: when it is not built or cannot be started.
    func command(_ arguments: [String], under words: [String] = []) async throws {
        let own = [
            try BuiltProduct.path("trstctl"), "--manifest", bench.scratch.file("trstctl.yaml"), "--state-dir",
            bench.scratch.file("state"), "--plugin-dir", bench.hostileDirectory, "--plugin-dir",
            bench.scratch.file("plugins"),
        ]
        let all = words + own + arguments
        try #require(access(all[0], X_OK) == 0, "\(all[0]) is missing: scripts/setup --test")
        try await observe {
            let outcome = try await RunningCommand(all[0], all, home: bench.scratch.path).outcome()
            return Run(report: try? outcome.json(RunReport.self), exitCode: outcome.code, text: outcome.errors)
        }
    }

    private func observe(_ body: () async throws -> Run) async throws {
        let before = try live()
        let run = try await body()
        let all = try bench.audit()
        let records = Array(all.dropFirst(state.withLock { $0.records }))
        let outcome = outcome(of: run, records)
        state.withLock { state in
            state.records = all.count
            state.met[outcome, default: 0] += 1
        }
        #expect(entry.must.union(entry.may).contains(outcome), "\(outcome)\n\(run)")
        #expect(!run.text.contains("never pinned"), "bytes ran that were not pinned")
        #expect(!run.text.utf8.contains { $0 < 0x20 && $0 != 0x0A || $0 == 0x7F }, "\(run.text.prefix(500))")
        try expectFiles(outcome, before)
        expectAudit(outcome, records)
        if let report = run.report, entry.healthyMeanwhile {
            let good = try #require(report.targets.last)
            #expect(good.target == "good" && [.deployed, .inSync].contains(good.outcome), "\(good)")
        }
    }

    private func outcome(of run: Run, _ records: [AuditRecord]) -> SiegeCase.Outcome {
        guard let bad = run.report?.targets.first else {
            return run.code.map { .unusable($0) } ?? .exitCode(run.exitCode)
        }
        let code = bad.code ?? ""
        switch bad.outcome {
        case .refused: return run.exitCode == 3 ? .refused(code) : .exitCode(run.exitCode)
        case .deployed:
            guard run.exitCode == 0 else { return .exitCode(run.exitCode) }
            let codes = Set(records.filter { $0.event == .call && $0.outcome == "failed" }.compactMap(\.code))
            return entry.must.first {
                switch $0 {
                case .bounded(let code), .callFailed(let code): codes.contains(code)
                default: false
                }
            } ?? .served
        default: return .failed(bad.stage ?? .apply, code)
        }
    }

    /// The files that the connector could reach in the directory where it may write, without the healthy one's.
    private func live() throws -> [String: FileStamp] {
        let directory = bench.scratch.file("live")
        let names = try FileManager.default.contentsOfDirectory(atPath: directory).filter { $0 != "good" }
        return try Dictionary(uniqueKeysWithValues: names.map { ($0, try FileStamp("\(directory)/\($0)")) })
    }

    /// What was deployed is there, and everything else is what it was.
    private func expectFiles(_ outcome: SiegeCase.Outcome, _ before: [String: FileStamp]) throws {
        let after = try live()
        #expect(after.keys.sorted() == before.keys.sorted())
        switch outcome {
        case .refused, .unusable, .exitCode: #expect(after == before)
        case .failed:
            for (name, stamp) in after {
                let old = before[name]
                #expect(stamp.content == old?.content && stamp.mode == old?.mode && stamp.owner == old?.owner)
            }
        case .served, .bounded, .callFailed:
            let written = after.filter { $0.value.content == Siege.content }
            #expect(!written.isEmpty)
            for (name, stamp) in after where written[name] == nil { #expect(stamp == before[name]) }
        }
    }

    private func expectAudit(_ outcome: SiegeCase.Outcome, _ all: [AuditRecord]) {
        #expect(Set(all.map(\.run)).count <= 1)
        for start in all where start.event == .start {
            let isOurs = start.connector == connector && "\"\(start.digest ?? "")\"" == pin
            #expect(isOurs || start.connector == "echo", "\(start)")
        }
        let records = all.filter { $0.connector == connector }
        #expect(records.filter { $0.event == .start }.count <= 1, "it was started more than once")
        let last = records.last { $0.event == .outcome && $0.target == "bad" }
        switch outcome {
        case .unusable, .exitCode: #expect(all == [], "a run was recorded that did not begin")
        case .refused(let code):
            #expect(records.map(\.event) == [.refusal, .outcome], "\(records)")
            #expect(records.allSatisfy { $0.code == code && $0.outcome == "refused" }, "\(records)")
        case .failed(_, let code):
            #expect(records.first?.event == .start)
            #expect(last?.outcome == "failed" && last?.code == code, "\(records)")
        case .served, .bounded, .callFailed:
            #expect(records.first?.event == .start)
            #expect(last?.outcome == "deployed" && last?.code == nil, "\(records)")
        }
    }
}
