import TrstctlSystem

/// What may stand in place of a hole in a command rule.
///
/// The forms are few so that what two holes have in common is always one hole of the same kind, one text, or nothing:
/// intersections stay exact. Equal holes accept the same texts, and no hole accepts exactly one text.
package enum Hole: Hashable, Sendable {
    /// A decimal number within bounds, without sign and leading zeros.
    case number(ClosedRange<Int64>)
    /// A word of these bytes, whose length in bytes is within bounds.
    case word(WordClass, ClosedRange<Int>)

    /// The largest number that a rule can name.
    package static let largestNumber = Int64.max
    /// How many digits the largest number has.
    private static let mostDigits = 19
    /// The longest word, in bytes.
    package static let longestWord = 255
    /// `{fingerprint}`: 64 lower-case hexadecimal digits.
    package static let fingerprint = Hole.word([.lowerAToF, .digits], 64...64)

    /// True when the text may stand here: linear in its length, and each text is read in one way only.
    package func matches(_ text: ArraySlice<UInt8>) -> Bool {
        switch self {
        case .number(let bounds):
            guard let number = Hole.canonicalNumber(text) else { return false }
            return bounds.contains(number)
        case .word(let bytes, let lengths):
            guard lengths.contains(text.count), text.first != UInt8(ascii: "-") else { return false }
            return text.allSatisfy(bytes.contains)
        }
    }

    /// The number of at most 19 digits without leading zeros, or nil.
    static func canonicalNumber(_ digits: ArraySlice<UInt8>) -> Int64? {
        guard (1...mostDigits).contains(digits.count), digits.allSatisfy(\.isASCIIDigit),
            digits.first != 0x30 || digits.count == 1
        else { return nil }
        return Int64(String(decoding: digits, as: UTF8.self))
    }

    /// What may stand in both holes.
    static func intersection(_ left: Hole, _ right: Hole) -> Choice? {
        switch (left, right) {
        case (.number(let one), .number(let other)):
            return choice(number: max(one.lowerBound, other.lowerBound), min(one.upperBound, other.upperBound))
        case (.word(let one, let lengths), .word(let other, let otherLengths)):
            return choice(
                word: one.intersection(other), max(lengths.lowerBound, otherLengths.lowerBound),
                min(lengths.upperBound, otherLengths.upperBound))
        case (.number(let bounds), .word(let bytes, let lengths)), (.word(let bytes, let lengths), .number(let bounds)):
            guard bytes.isSuperset(of: .digits), lengths.lowerBound <= Hole.mostDigits else { return nil }
            return choice(
                number: max(bounds.lowerBound, Hole.smallestNumber(digits: lengths.lowerBound)),
                min(bounds.upperBound, Hole.greatestNumber(digits: lengths.upperBound)))
        }
    }

    private static func smallestNumber(digits: Int) -> Int64 {
        digits <= 1 ? 0 : (1..<min(digits, mostDigits)).reduce(1) { power, _ in power * 10 }
    }

    private static func greatestNumber(digits: Int) -> Int64 {
        digits >= mostDigits ? largestNumber : (0..<max(0, digits)).reduce(0) { number, _ in number * 10 + 9 }
    }

    /// What is left of a hole: texts to choose from, one text, or (as nil) nothing.
    enum Choice: Hashable {
        case hole(Hole)
        case text([UInt8])
    }

    /// The numbers between the bounds, in the one form that they have.
    static func choice(number lower: Int64, _ upper: Int64) -> Choice? {
        guard lower <= upper else { return nil }
        return lower == upper ? .text(Array(String(lower).utf8)) : .hole(.number(lower...upper))
    }

    /// The words between the lengths, in the one form that they have.
    static func choice(word bytes: WordClass, _ shortest: Int, _ longest: Int) -> Choice? {
        guard shortest <= longest else { return nil }
        var bytes = bytes
        // A hyphen never stands first.
        if longest == 1 { bytes.remove(.hyphen) }
        guard !bytes.subtracting(.hyphen).isEmpty else { return nil }
        if bytes == .digits, longest == 1 { return .hole(.number(0...9)) }
        if bytes == .underscore, shortest == longest {
            return .text([UInt8](repeating: UInt8(ascii: "_"), count: shortest))
        }
        return .hole(.word(bytes, shortest...longest))
    }

    /// As it stands in a rule, braces included.
    var text: String {
        switch self {
        case .fingerprint: "{fingerprint}"
        case .number(0...Hole.largestNumber): "{int}"
        case .number(let bounds): "{int:\(bounds.lowerBound)..\(bounds.upperBound)}"
        case .word(let bytes, let lengths): "{[\(bytes.text)]:\(lengths.lowerBound)..\(lengths.upperBound)}"
        }
    }
}

/// The bytes of which a word may be made: whole groups only, so that what two classes share is a class again.
package struct WordClass: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    static let lowerAToF = WordClass(rawValue: 1)
    private static let lowerGToZ = WordClass(rawValue: 2)
    private static let upperAToF = WordClass(rawValue: 4)
    private static let upperGToZ = WordClass(rawValue: 8)
    static let digits = WordClass(rawValue: 16)
    static let underscore = WordClass(rawValue: 32)
    static let hyphen = WordClass(rawValue: 64)

    /// How the groups are written, the wider of two that share a beginning first.
    static let groups: [(text: String, bytes: WordClass)] = [
        ("a-z", [.lowerAToF, .lowerGToZ]), ("a-f", .lowerAToF), ("A-Z", [.upperAToF, .upperGToZ]),
        ("A-F", .upperAToF), ("0-9", .digits), ("_", .underscore), ("-", .hyphen),
    ]

    /// True when the byte belongs to one of the groups.
    func contains(_ byte: UInt8) -> Bool { WordClass.group(of: byte).map { isSuperset(of: $0) } ?? false }

    /// True for the bytes that can stand in a word of any class: next to a hole stands none of them.
    static func isWordByte(_ byte: UInt8) -> Bool { group(of: byte) != nil }

    private static func group(of byte: UInt8) -> WordClass? {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "f"): .lowerAToF
        case UInt8(ascii: "g")...UInt8(ascii: "z"): .lowerGToZ
        case UInt8(ascii: "A")...UInt8(ascii: "F"): .upperAToF
        case UInt8(ascii: "G")...UInt8(ascii: "Z"): .upperGToZ
        case UInt8(ascii: "0")...UInt8(ascii: "9"): .digits
        case UInt8(ascii: "_"): .underscore
        case UInt8(ascii: "-"): .hyphen
        default: nil
        }
    }

    /// As it stands between the square brackets.
    var text: String {
        var left = self
        return WordClass.groups.filter { entry in
            guard left.isSuperset(of: entry.bytes) else { return false }
            left.subtract(entry.bytes)
            return true
        }.map(\.text).joined()
    }
}
