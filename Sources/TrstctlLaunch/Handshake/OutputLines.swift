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
    /// The last lines, for error messages.
    package private(set) var tail: [String] = []

    package init() {}

    /// Takes in bytes as they come.
    ///
    /// - Returns: the lines that are complete now.
    package mutating func append(_ bytes: UnsafeRawBufferPointer) -> [String] {
        var lines: [String] = []
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                if let finished = finish() { lines.append(finished) }
            } else if line.count < OutputLines.maximumLine {
                line.append(byte)
            } else {
                isCut = true
                dropped += 1
            }
        }
        return lines
    }

    /// The last line, when it has no line feed; nil when there is none.
    package mutating func finish() -> String? {
        guard !line.isEmpty else { return nil }
        defer {
            line.removeAll(keepingCapacity: true)
            isCut = false
        }
        let text = readable(line) + (isCut ? " […]" : "")
        tail.append(text)
        if tail.count > OutputLines.tailLines { tail.removeFirst() }
        guard left >= line.count else {
            dropped += line.count
            return nil
        }
        left -= line.count
        return text
    }
}
