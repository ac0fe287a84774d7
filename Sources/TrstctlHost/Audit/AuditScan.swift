import FoundationEssentials
import TrstctlPolicy
import TrstctlSystem

/// What to show of the audit log.
package struct AuditQuery: Sendable {
    /// Only lines about this target, and about its connector in the runs that touched the target.
    package var target: String?
    /// Only what was denied or refused.
    package var deniedOnly: Bool
    /// At most this many lines: the newest, and of what was denied the newest of each connector, so that a flood of one
    /// does not hide the others.
    package var last: Int

    package init(target: String? = nil, deniedOnly: Bool = false, last: Int = 1_000) {
        self.target = target
        self.deniedOnly = deniedOnly
        self.last = last
    }
}

/// What a query found.
package struct AuditResult: Codable, Sendable {
    package var records: [AuditRecord]
    /// Lines that are no audit records: the log was damaged or edited.
    package var damagedLines: Int
    /// Lines that the query asks for and that are not among the records, by connector: there were more than `last`.
    package var leftOut: [String: Int]
    /// What makes the log doubtful: who else could have written it, or read it.
    package var warnings: [String] = []

    package init(records: [AuditRecord] = [], damagedLines: Int = 0, leftOut: [String: Int] = [:]) {
        self.records = records
        self.damagedLines = damagedLines
        self.leftOut = leftOut
    }
}

/// Looks for what a query asks for, line by line, the oldest first.
package struct AuditScan {
    /// A connector in a run.
    private struct Work: Hashable {
        let run: String
        let connector: String
    }

    /// A line and its place in the log.
    private struct Line {
        let place: Int
        let record: AuditRecord
    }

    /// How many lines about connectors are kept for a target that may come after them.
    private static let maximumWaiting = 10_000

    /// The most names of targets that are kept, to say which ones there are.
    private static let maximumTargets = 1_000

    private let query: AuditQuery
    private var place = 0
    /// Whether a line names the target that is asked for.
    private(set) var hasTarget = false
    /// The targets that lines name, not more than can be shown.
    private(set) var targets: Set<String> = []
    private var damagedLines = 0
    /// The newest of what is asked for, by connector.
    private var found: [String: [Line]] = [:]
    /// How many there were, kept or not, by connector.
    private var counts: [String: Int] = [:]
    /// The connectors that worked on the target, by run.
    private var works: Set<Work> = []
    /// What connectors did before it is known whether they worked on the target; the oldest goes first.
    private var waiting: [Work: [Line]] = [:]
    private var order: [Work] = []
    private var waitingCount = 0
    /// How many of these were dropped, by connector and run.
    private var dropped: [Work: Int] = [:]

    package init(_ query: AuditQuery) {
        self.query = query
    }

    /// What was found so far, the oldest first.
    package var result: AuditResult {
        let shown = query.deniedOnly ? sharedLines : Array(newestFirst(found.values.flatMap(\.self)).prefix(limit))
        var leftOut = counts
        for line in shown { leftOut[line.record.connector, default: 0] -= 1 }
        return AuditResult(
            records: shown.sorted { $0.place < $1.place }.map(\.record), damagedLines: damagedLines,
            leftOut: leftOut.filter { $0.value > 0 })
    }

    private var limit: Int { max(0, query.last) }

    private func newestFirst(_ lines: [Line]) -> [Line] { lines.sorted { $0.place > $1.place } }

    /// The newest lines of each connector: first the newest one of each, then the second, and so on, so that all have
    /// equal shares of what is shown, and those that have fewer are shown whole.
    private var sharedLines: [Line] {
        let ranked = found.values.flatMap { newestFirst($0).prefix(limit).enumerated() }
        let fair = ranked.sorted { ($0.offset, $1.element.place) < ($1.offset, $0.element.place) }
        return fair.prefix(limit).map(\.element)
    }

    /// Looks at some bytes of the log.
    ///
    /// - Parameter bytes: whole lines.
    package mutating func add(_ bytes: [UInt8]) {
        let decoder = JSONDecoder()
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            if let record = try? decoder.decode(AuditRecord.self, from: Data(line)) {
                add(record)
                continue
            }
            damagedLines += 1
            // What another process wrote behind half a line. No text of a record has a bare quotation mark.
            guard let begin = AuditScan.lastObject(in: line), begin > line.startIndex,
                let record = try? decoder.decode(AuditRecord.self, from: Data(line[begin...]))
            else { continue }
            add(record)
        }
    }

    private static func lastObject(in line: ArraySlice<UInt8>) -> Int? {
        line.indices.dropLast().last { line[$0] == UInt8(ascii: "{") && line[$0 + 1] == UInt8(ascii: "\"") }
    }

    private mutating func add(_ record: AuditRecord) {
        place += 1
        let line = Line(place: place, record: record.bounded(to: 1 << 20))
        let isShown = !query.deniedOnly || record.isRefusal
        guard let target = query.target else { return isShown ? keep(line) : () }
        let work = Work(run: record.run, connector: record.connector)
        if let named = record.target {
            guard named.utf8.elementsEqual(target.utf8) else {
                if targets.count < AuditScan.maximumTargets, named.utf8.count <= 63 { targets.insert(printable(named)) }
                return
            }
            hasTarget = true
            if works.insert(work).inserted, let before = waiting.removeValue(forKey: work) {
                waitingCount -= before.count
                for line in before { keep(line) }
            }
            if let count = dropped.removeValue(forKey: work) { counts[work.connector, default: 0] += count }
            if isShown { keep(line) }
        } else if isShown {
            works.contains(work) ? keep(line) : wait(line, work)
        }
    }

    private mutating func keep(_ line: Line) {
        let connector = line.record.connector
        counts[connector, default: 0] += 1
        found[connector, default: []].append(line)
        guard let lines = found[connector], lines.count / 2 > max(1_000, limit) else { return }
        found[connector] = Array(newestFirst(lines).prefix(limit))
    }

    private mutating func wait(_ line: Line, _ work: Work) {
        if waiting[work] == nil { order.append(work) }
        waiting[work, default: []].append(line)
        waitingCount += 1
        guard waitingCount > AuditScan.maximumWaiting else { return }
        // Half of it at once, so that each line is moved once.
        var passed = 0
        for work in order {
            guard waitingCount > AuditScan.maximumWaiting / 2 else { break }
            let count = waiting.removeValue(forKey: work)?.count ?? 0
            waitingCount -= count
            if count > 0 { dropped[work, default: 0] += count }
            passed += 1
        }
        order.removeFirst(passed)
    }
}
