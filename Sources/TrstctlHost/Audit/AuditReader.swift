import FoundationEssentials
import Glibc
import TrstctlSystem

/// What to show of the audit log.
package struct AuditQuery: Sendable {
    /// Only lines about this target.
    package var target: String?
    /// Only what was denied or refused.
    package var deniedOnly: Bool
    /// The newest lines, at most this many.
    package var last: Int

    package init(target: String? = nil, deniedOnly: Bool = false, last: Int = 1_000) {
        self.target = target
        self.deniedOnly = deniedOnly
        self.last = last
    }

    func matches(_ record: AuditRecord) -> Bool {
        if let target, !(record.target ?? "").utf8.elementsEqual(target.utf8) { return false }
        return !deniedOnly || record.outcome == "denied" || record.event == .refusal
    }
}

/// What a query found.
package struct AuditResult: Codable, Sendable {
    package var records: [AuditRecord]
    /// Lines that are no audit records: the log was damaged or edited.
    package var damagedLines: Int

    package init(records: [AuditRecord] = [], damagedLines: Int = 0) {
        self.records = records
        self.damagedLines = damagedLines
    }

    /// Adds what a query asks for in some bytes of a log, of which it keeps the newest.
    ///
    /// - Parameters:
    ///   - bytes: whole lines.
    ///   - query: what to keep.
    package mutating func add(_ bytes: [UInt8], _ query: AuditQuery) {
        let decoder = JSONDecoder()
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            guard let record = try? decoder.decode(AuditRecord.self, from: Data(line)) else {
                damagedLines += 1
                continue
            }
            if query.matches(record) { records.append(record) }
        }
        if records.count > query.last { records.removeFirst(records.count - query.last) }
    }
}

extension Host {
    /// Reads the audit log, the oldest line first.
    ///
    /// - Throws: `StateError` when there is a log that cannot be read.
    package func audit(_ query: AuditQuery) throws(StateError) -> AuditResult {
        let directory = StateDirectory(options.stateDirectory).path
        var result = AuditResult()
        let names = (1...AuditLog.olderFiles).reversed().map { "\(AuditLog.name).\($0)" } + [AuditLog.name]
        for name in names { result.add(try AuditReader.content(directory + "/" + name), query) }
        return result
    }
}

private enum AuditReader {
    /// The bytes of one file; none when there is no file.
    static func content(_ path: String) throws(StateError) -> [UInt8] {
        let number = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard number >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return [] }
            throw StateError(
                description:
                    "\(SystemError.last("open", path)): see whose it is, or name another directory with --state-dir")
        }
        let file = OwnedDescriptor(number)
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        // Twice the bound of a file: rotation happens a little late.
        while bytes.count < Int(AuditLog.fileLimit) * 2 {
            let count = read(file.raw, &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else {
                throw StateError(
                    description:
                        "\(SystemError.last("read", path)): see whose it is, or name another directory with --state-dir"
                )
            }
            if count == 0 { break }
            bytes += buffer[..<count]
        }
        return bytes
    }
}
