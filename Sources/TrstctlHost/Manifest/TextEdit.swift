/// A text that is changed only at named places, so that every other byte stays.
struct TextEdits {
    private let text: [UInt8]
    /// Where each Unicode scalar begins, as libyaml counts positions in scalars.
    private let offsets: [Int]
    private var edits: [(range: Range<Int>, replacement: [UInt8])] = []
    /// The line break that the text uses.
    let lineBreak: String

    init(_ text: [UInt8]) {
        self.text = text
        offsets = text.indices.filter { text[$0] & 0xC0 != 0x80 } + [text.count]
        let firstLine = text.prefix { $0 != 0x0A }
        lineBreak = firstLine.last == 0x0D && firstLine.count < text.count ? "\r\n" : "\n"
    }

    private func offset(_ position: YAMLPosition) -> Int {
        offsets.indices.contains(position.index) ? offsets[position.index] : text.count
    }

    /// Replaces what stands between two positions.
    mutating func replace(_ start: YAMLPosition, _ end: YAMLPosition, with replacement: String) {
        replace(offset(start), end, with: replacement)
    }

    private mutating func replace(_ from: Int, _ end: YAMLPosition, with replacement: String) {
        edits.append((from..<max(from, offset(end)), Array(replacement.utf8)))
    }

    /// Replaces what stands between two positions, and the blanks in front of it: nothing may end a line that is a blank.
    mutating func replaceWithBlanks(before start: YAMLPosition, _ end: YAMLPosition, with replacement: String) {
        var from = offset(start)
        while from > 0, [0x20, 0x09].contains(text[from - 1]) { from -= 1 }
        replace(from, end, with: replacement)
    }

    /// Puts a text in front of a position.
    mutating func insert(_ addition: String, at position: YAMLPosition) {
        replace(position, position, with: addition)
    }

    /// Puts lines behind the line on which a position is, whatever comment still follows there.
    mutating func insert(lines: [String], afterLineOf position: YAMLPosition) {
        var from = offset(position)
        // libyaml says that a block scalar (`|`) ends where the next thing begins.
        if from > 0, text[from - 1] == 0x0A {
            while from > 0, [0x0A, 0x0D, 0x20].contains(text[from - 1]) { from -= 1 }
        }
        var end = text[from...].firstIndex(of: 0x0A) ?? text.count
        if end < text.count, end > 0, text[end - 1] == 0x0D { end -= 1 }
        edits.append((end..<end, Array(lines.map { lineBreak + $0 }.joined().utf8)))
    }

    /// The comments that stand between the leaves of a node, which replacing the node drops.
    func comments(in node: YAMLNode) -> [String] {
        var comments: [String] = []
        var next = offset(node.start)
        for leaf in node.leaves + [node.end...node.end] {
            guard next <= offset(leaf.lowerBound) else { continue }
            for line in text[next..<offset(leaf.lowerBound)].split(separator: 0x0A) {
                guard let mark = line.firstIndex(of: UInt8(ascii: "#")) else { continue }
                comments.append(String(decoding: line[mark...].filter { $0 != 0x0D }, as: UTF8.self))
            }
            next = offset(leaf.upperBound)
        }
        return comments
    }

    /// The changed text.
    var result: [UInt8] {
        var changed: [UInt8] = []
        var next = 0
        for edit in edits.sorted(by: { $0.range.lowerBound < $1.range.lowerBound }) {
            guard edit.range.lowerBound >= next else { continue }
            changed += text[next..<edit.range.lowerBound] + edit.replacement
            next = edit.range.upperBound
        }
        return changed + text[next...]
    }
}

extension YAMLPosition: Comparable {
    static func < (left: YAMLPosition, right: YAMLPosition) -> Bool { left.index < right.index }
}

extension YAMLNode {
    /// Where the keys and scalars stand, in the order of the text.
    fileprivate var leaves: [ClosedRange<YAMLPosition>] {
        switch content {
        case .scalar: [start...max(start, end)]
        case .sequence(let items): items.flatMap(\.leaves)
        case .mapping(let entries):
            entries.flatMap { [$0.keyStart...max($0.keyStart, $0.keyEnd)] + $0.value.leaves }
        }
    }
}
