import Foundation
import Testing
import TrstctlBroker

@testable import TrstctlHost

@Suite("Asking the audit log")
struct AuditScanTests {
    private func line(
        _ event: AuditRecord.Event, _ outcome: String, run: String = "r", connector: String = "echo",
        target: String? = nil, object: String = ""
    ) throws -> [UInt8] {
        var record = AuditRecord(event, run: run, connector: connector, outcome: outcome)
        record.target = target
        record.object = object
        return Array(try JSONEncoder().encode(record)) + [0x0A]
    }

    private func found(_ lines: [[UInt8]], _ query: AuditQuery) -> [String] {
        var scan = AuditScan(query)
        scan.add(lines.flatMap(\.self))
        return scan.result.records.map { "\($0.event.rawValue) \($0.outcome)" }
    }

    @Test func `Whoever asks what was refused sees every refusal, and nothing that went well`() throws {
        let lines = [
            try line(.start, "started"), try line(.refusal, "refused", connector: "other"),
            try line(.call, "denied", target: "one"), try line(.call, "allowed", target: "one"),
            try line(.call, "failed", target: "one"), try line(.suppressed, "7 calls", target: "one"),
            try line(.outcome, "refused", target: "one"), try line(.outcome, "deployed", target: "two"),
            try line(.outcome, "failed", target: "two"), try line(.approval, "approved"),
        ]
        #expect(
            found(lines, AuditQuery(deniedOnly: true)) == [
                "refusal refused", "call denied", "suppressed 7 calls", "outcome refused",
            ])
    }

    @Test func `What concerns a target are also the start and the refusal of its connector, in the same run`() throws {
        let lines = [
            try line(.start, "started", run: "1", connector: "nginx"),
            try line(.refusal, "refused", run: "1"),
            try line(.call, "denied", run: "2"),
            try line(.refusal, "refused", run: "2", connector: "nginx"),
            try line(.outcome, "deployed", run: "1", connector: "nginx", target: "two"),
            try line(.outcome, "refused", run: "1", target: "one"),
            try line(.suppressed, "late", run: "1"),
            try line(.outcome, "deployed", run: "2", connector: "nginx", target: "two"),
        ]
        let one = ["refusal refused", "outcome refused", "suppressed late"]
        #expect(found(lines, AuditQuery(target: "one")) == one)
        #expect(found(lines, AuditQuery(target: "one", deniedOnly: true)) == one)
        #expect(
            found(lines, AuditQuery(target: "two")) == [
                "start started", "refusal refused", "outcome deployed", "outcome deployed",
            ])
        #expect(found(lines, AuditQuery(target: "two", deniedOnly: true)) == ["refusal refused"])
        #expect(found(lines, AuditQuery(target: "two", last: 2)) == ["outcome deployed", "outcome deployed"])
        #expect(found(lines, AuditQuery(target: "nobody")).isEmpty && found(lines, AuditQuery(last: 0)).isEmpty)
    }

    @Test func `A log of starts without end costs bounded memory, and the newest of them are found`() throws {
        var scan = AuditScan(AuditQuery(target: "one"))
        for run in 0..<10_050 { scan.add(try line(.refusal, "refused", run: "\(run)")) }
        scan.add(try line(.outcome, "refused", run: "0", target: "one"))
        scan.add(try line(.outcome, "refused", run: "10049", target: "one"))
        #expect(scan.result.records.map(\.run) == ["10049", "0", "10049"])
    }

    @Test func `The newest lines are kept, in the order of the log`() throws {
        var scan = AuditScan(AuditQuery(last: 3))
        for index in 0..<5_000 { scan.add(try line(.call, "allowed", target: "one", object: "\(index)")) }
        #expect(scan.result.records.map(\.object) == ["4997", "4998", "4999"])
    }

    @Test func `A flood of one connector leaves the refusals of the others visible, and is counted`() throws {
        var scan = AuditScan(AuditQuery(deniedOnly: true, last: 100))
        scan.add(try line(.refusal, "refused", connector: "quiet"))
        for index in 0..<30 { scan.add(try line(.call, "denied", connector: "busy", object: "\(index)")) }
        for index in 0..<3_000 { scan.add(try line(.call, "denied", connector: "flood", object: "\(index)")) }
        let result = scan.result
        #expect(result.records.count == 100)
        let connectors = result.records.map(\.connector)
        #expect(Array(connectors.prefix(31)) == ["quiet"] + Array(repeating: "busy", count: 30))
        #expect(result.records.dropFirst(31).map(\.object) == (2_931..<3_000).map { "\($0)" })
        #expect(result.leftOut == ["flood": 2_931])

        // More connectors than lines: the newest of them.
        var many = AuditScan(AuditQuery(deniedOnly: true, last: 5))
        for index in 0..<20 { many.add(try line(.refusal, "refused", connector: "c\(index)")) }
        #expect(many.result.records.map(\.connector) == (15..<20).map { "c\($0)" })
        #expect(many.result.leftOut.count == 15)
        // Whoever asks for the newest gets these, and hears of the rest.
        var newest = AuditScan(AuditQuery(last: 5))
        newest.add(try line(.refusal, "refused", connector: "quiet"))
        for index in 0..<9 { newest.add(try line(.call, "denied", connector: "flood", object: "\(index)")) }
        #expect(newest.result.records.map(\.object) == (4..<9).map { "\($0)" })
        #expect(newest.result.leftOut == ["quiet": 1, "flood": 4])
        #expect(AuditScan(AuditQuery(deniedOnly: true)).result.leftOut.isEmpty)
    }

    @Test func `Lines that were dropped before their target came are counted once it does`() throws {
        var scan = AuditScan(AuditQuery(target: "one"))
        for run in 0..<10_050 { scan.add(try line(.refusal, "refused", run: "\(run)")) }
        #expect(scan.result.leftOut.isEmpty)
        scan.add(try line(.outcome, "refused", run: "0", target: "one"))
        #expect(scan.result.leftOut == ["echo": 1])
    }
}
