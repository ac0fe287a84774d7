import Glibc
import TrstctlPolicy

/// Cuts what a connector prints into lines for the log: bounded, and with everything escaped that is not printable.
///
/// A value without I/O. Overlong lines are cut, lines above the budget are counted and dropped.
package struct OutputLines: Sendable {
    /// The longest line that is kept, in bytes.
    package static let maximumLine = 4096
    /// How much is kept of one stream during one session, in bytes.
    package static let budget = 1 << 20
    /// How many lines `tail` keeps.
    private static let tailLines = 20

    private var line: [UInt8] = []
    private var isCut = false
    private var left = OutputLines.budget
    /// How many bytes were dropped.
    package private(set) var dropped = 0
    /// As they came: a flood costs no more than copying until somebody asks.
    private var last: [(bytes: [UInt8], isCut: Bool)] = []

    package init() {}

    /// The last lines, for error messages.
    package var tail: [String] { last.map { OutputLines.text($0.bytes, $0.isCut) } }

    /// Takes in bytes as they come.
    ///
    /// - Returns: the lines that are complete now.
    package mutating func append(_ bytes: UnsafeRawBufferPointer) -> [String] {
        var lines: [String] = []
        var rest = bytes
        while let start = rest.baseAddress, rest.count > 0 {
            guard let end = memchr(start, Int32(UInt8(ascii: "\n")), rest.count) else {
                add(rest)
                break
            }
            let length = UnsafeRawPointer(end) - start
            add(UnsafeRawBufferPointer(rebasing: rest[..<length]))
            if let finished = finish() { lines.append(finished) }
            rest = UnsafeRawBufferPointer(rebasing: rest[(length + 1)...])
        }
        return lines
    }

    private mutating func add(_ bytes: UnsafeRawBufferPointer) {
        let room = OutputLines.maximumLine - line.count
        line.append(contentsOf: bytes.prefix(room))
        guard bytes.count > room else { return }
        isCut = true
        dropped += bytes.count - room
    }

    /// The last line, when it has no line feed; nil when there is none.
    package mutating func finish() -> String? {
        guard !line.isEmpty else { return nil }
        let (finished, wasCut) = (line, isCut)
        line.removeAll(keepingCapacity: true)
        isCut = false
        last.append((finished, wasCut))
        if last.count > OutputLines.tailLines { last.removeFirst() }
        guard left >= finished.count else {
            dropped += finished.count
            return nil
        }
        left -= finished.count
        return OutputLines.text(finished, wasCut)
    }

    private static func text(_ line: [UInt8], _ isCut: Bool) -> String { readable(line) + (isCut ? " […]" : "") }
}
