package import TrstctlSystem

/// One argument of a command rule: literal text, in which holes stand for whole words.
///
/// A word is a longest run of letters, digits, `_` and `-`. What stands next to a hole is never part of a word, so that
/// every argument is divided into words and other text in one way only: matching needs no search, and two patterns are
/// compared part by part.
package struct ArgumentPattern: Hashable, Sendable {
    enum Part: Hashable, Sendable {
        /// A whole word, or a longest run of other bytes.
        case text([UInt8])
        /// In place of a whole word.
        case hole(Hole)
    }

    let parts: [Part]

    /// Exactly this argument.
    init(literal argument: Bytes) {
        parts = ArgumentPattern.runs(argument.array).map { .text($0) }
    }

    private init(parts: [Part]) {
        self.parts = parts
    }

    /// Reads an argument as it stands in a rule: `{…}` is a hole, `{{` one brace, everything else itself.
    ///
    /// - Throws: `GrammarError` for a hole that is none of the known ones, and for one that is not a whole word.
    init(_ rule: Bytes) throws(GrammarError) {
        var parts: [Part] = []
        var literal: [UInt8] = []
        var rest = rule.array[...]
        let brace = UInt8(ascii: "{")
        while let byte = rest.popFirst() {
            guard byte == brace else {
                literal.append(byte)
                continue
            }
            if rest.first == brace {
                literal.append(rest.removeFirst())
                continue
            }
            guard let end = rest.firstIndex(of: UInt8(ascii: "}")) else {
                throw GrammarError(
                    .badHole, found: rule,
                    "a hole begins with \"{\" and ends with \"}\"; write \"{{\" for the brace itself")
            }
            let choice = try HoleText(rest[..<end], of: rule).choice
            rest = rest[rest.index(after: end)...]
            guard !(literal.last.map(WordClass.isWordByte) ?? false), !(rest.first.map(WordClass.isWordByte) ?? false),
                rest.first != brace || rest.dropFirst().first == brace
            else {
                throw GrammarError(
                    .badHole, found: rule,
                    "a hole stands for a whole word: no letter, digit, \"_\", \"-\" or other hole directly beside it")
            }
            switch choice {
            case .text(let text): literal += text
            case .hole(let hole):
                parts += ArgumentPattern.runs(literal).map { .text($0) } + [.hole(hole)]
                literal = []
            }
        }
        self.parts = parts + ArgumentPattern.runs(literal).map { .text($0) }
    }

    /// Divides a text into words and what is between them.
    private static func runs(_ text: [UInt8]) -> [[UInt8]] {
        var runs: [[UInt8]] = []
        var isWord = false
        for byte in text {
            let belongsToWord = WordClass.isWordByte(byte)
            if belongsToWord != isWord || runs.isEmpty { runs.append([]) }
            isWord = belongsToWord
            runs[runs.count - 1].append(byte)
        }
        return runs
    }

    /// The argument itself when it has no hole; otherwise nil.
    package var literal: Bytes? {
        var bytes: [UInt8] = []
        for part in parts {
            guard case .text(let text) = part else { return nil }
            bytes += text
        }
        return Bytes(bytes)
    }

    /// The holes, in their order.
    package var holes: [Hole] {
        parts.compactMap { part in
            if case .hole(let hole) = part { hole } else { nil }
        }
    }

    /// What stands before the first hole.
    var literalPrefix: [UInt8] {
        parts.prefix { !$0.isHole }.flatMap(\.bytes)
    }

    /// True when this argument follows the pattern.
    package func matches(_ argument: Bytes) -> Bool {
        let runs = ArgumentPattern.runs(argument.array)
        return runs.count == parts.count && zip(parts, runs).allSatisfy { $0.matches($1) }
    }

    /// True when every argument that follows the other pattern follows this one.
    package func covers(_ other: ArgumentPattern) -> Bool {
        parts.count == other.parts.count
            && zip(parts, other.parts).allSatisfy { Part.intersection($0, $1) == $1 }
    }

    /// The pattern that exactly those arguments follow that follow both; nil when there are none.
    static func intersection(_ left: ArgumentPattern, _ right: ArgumentPattern) -> ArgumentPattern? {
        guard left.parts.count == right.parts.count else { return nil }
        var both: [Part] = []
        for (one, other) in zip(left.parts, right.parts) {
            guard let part = Part.intersection(one, other) else { return nil }
            both.append(part)
        }
        return ArgumentPattern(parts: both)
    }

    /// As it stands in a rule.
    package var bytes: Bytes { Bytes(parts.flatMap(\.bytes)) }
}

extension ArgumentPattern.Part {
    var isHole: Bool {
        if case .hole = self { true } else { false }
    }

    /// As it stands in a rule.
    var bytes: [UInt8] {
        switch self {
        case .text(let text): text.flatMap { $0 == UInt8(ascii: "{") ? [$0, $0] : [$0] }
        case .hole(let hole): Array(hole.text.utf8)
        }
    }

    func matches(_ run: [UInt8]) -> Bool {
        switch self {
        case .text(let text): text == run
        case .hole(let hole): hole.matches(run[...])
        }
    }

    static func intersection(_ left: Self, _ right: Self) -> Self? {
        switch (left, right) {
        case (.text(let text), let other), (let other, .text(let text)): other.matches(text) ? .text(text) : nil
        case (.hole(let one), .hole(let other)):
            switch Hole.intersection(one, other) {
            case .hole(let hole): .hole(hole)
            case .text(let text): .text(text)
            case nil: nil
            }
        }
    }
}

/// The text between the braces of a hole.
private struct HoleText {
    let choice: Hole.Choice

    init(_ text: ArraySlice<UInt8>, of rule: Bytes) throws(GrammarError) {
        let kinds = "{fingerprint}, {int}, {int:1..65535} or {[a-z0-9-]:1..32}"
        let found: Hole.Choice?
        switch String(decoding: text, as: UTF8.self) {
        case "fingerprint": found = .hole(.fingerprint)
        case "int": found = .hole(.number(0...Hole.largestNumber))
        default:
            if text.starts(with: "int:".utf8) {
                let bounds = try HoleText.bounds(text.dropFirst(4), of: rule)
                found = Hole.choice(number: bounds.lowerBound, bounds.upperBound)
            } else if text.first == UInt8(ascii: "["), let end = text.firstIndex(of: UInt8(ascii: "]")),
                text[end...].starts(with: "]:".utf8)
            {
                let lengths = try HoleText.bounds(text[end...].dropFirst(2), of: rule)
                guard lengths.lowerBound >= 1, lengths.upperBound <= Hole.longestWord else {
                    throw GrammarError(.badHole, found: rule, "a word has 1 to \(Hole.longestWord) bytes")
                }
                let bytes = try HoleText.wordClass(text[..<end].dropFirst(), of: rule)
                found = Hole.choice(word: bytes, Int(lengths.lowerBound), Int(lengths.upperBound))
            } else {
                throw GrammarError(
                    .badHole, found: rule,
                    "\"{\(printable(Bytes(Array(text)), limit: 80))}\" is no hole; there are \(kinds), and \"{{\" is one brace"
                )
            }
        }
        guard let found else { throw GrammarError(.badHole, found: rule, "nothing could stand in this hole") }
        choice = found
    }

    private static func bounds(_ text: ArraySlice<UInt8>, of rule: Bytes) throws(GrammarError) -> ClosedRange<Int64> {
        let dots = text.firstIndex(of: dot) ?? text.endIndex
        guard text[dots...].starts(with: "..".utf8), let lower = Hole.canonicalNumber(text[..<dots]),
            let upper = Hole.canonicalNumber(text[dots...].dropFirst(2)), lower <= upper
        else {
            throw GrammarError(
                .badHole, found: rule,
                "bounds are two numbers up to \(Hole.largestNumber), the smaller one first, such as 1..32")
        }
        return lower...upper
    }

    private static func wordClass(_ text: ArraySlice<UInt8>, of rule: Bytes) throws(GrammarError) -> WordClass {
        var rest = text
        var bytes: WordClass = []
        while !rest.isEmpty {
            guard let group = WordClass.groups.first(where: { rest.starts(with: $0.text.utf8) }),
                bytes.isDisjoint(with: group.bytes), group.bytes != .hyphen || rest.count == 1
            else {
                throw GrammarError(
                    .badHole, found: rule,
                    "the brackets hold a-z or a-f, A-Z or A-F, 0-9, _ and last -, each at most once")
            }
            bytes.formUnion(group.bytes)
            rest = rest.dropFirst(group.text.utf8.count)
        }
        return bytes
    }
}
