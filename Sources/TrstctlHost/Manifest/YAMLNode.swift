import TrstctlSystem

/// A place in a YAML text.
struct YAMLPosition: Hashable {
    /// The line, counted from 1.
    var line: Int
    /// The column in Unicode scalars, counted from 1.
    var column: Int
    /// The distance from the beginning in Unicode scalars.
    var index: Int
}

/// A node of the small part of YAML that a manifest may use: no anchors, aliases, tags or merge keys.
struct YAMLNode {
    /// What a scalar was written as.
    struct Scalar {
        /// The value's UTF-8 bytes.
        var bytes: [UInt8]
        /// True when it stands without quotes, so that it may mean null, a boolean or a number.
        var isPlain: Bool
        /// True for `|` and `>`, whose end libyaml reports after the following line breaks.
        var isBlock: Bool

        var text: String { String(decoding: bytes, as: UTF8.self) }
    }

    /// A key with its value.
    struct Entry {
        var key: Scalar
        var keyStart: YAMLPosition
        var keyEnd: YAMLPosition
        var value: YAMLNode
    }

    indirect enum Content {
        case scalar(Scalar)
        case sequence([YAMLNode])
        case mapping([Entry])
    }

    var content: Content
    var start: YAMLPosition
    /// Behind the last character for scalars and flow collections; for block collections behind the last leaf.
    var end: YAMLPosition
    /// True when it is written with brackets or braces.
    var isFlow: Bool

    /// What the node is, in words for people.
    var kind: String {
        switch content {
        case .scalar(let scalar):
            switch scalar.plainMeaning {
            case .null: "nothing (null)"
            case .boolean: "a boolean"
            case .integer, .hugeInteger: "a number"
            case .ambiguous, .none: "a text"
            }
        case .sequence: "a list"
        case .mapping: "a mapping"
        }
    }
}

extension YAMLNode.Scalar {
    /// What a scalar without quotes means where its type is open.
    enum Meaning: Equatable {
        case null
        case boolean(Bool)
        case integer(Int64)
        /// A decimal number that does not fit into 64 bits.
        case hugeInteger
        /// A word that one reader of YAML takes for a text and another for something else.
        case ambiguous
    }

    /// Null, a boolean or a decimal integer; nil for every other text and for everything in quotes.
    ///
    /// YAML 1.1 and 1.2 read `yes`, `On` or `TRUE` differently; such a word has to be written in quotes.
    var plainMeaning: Meaning? {
        guard isPlain else { return nil }
        switch text {
        case "", "~", "null": return .null
        case "true": return .boolean(true)
        case "false": return .boolean(false)
        default: break
        }
        let words = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"]
        let lower = bytes.map(\.asciiLowerCased)
        if words.contains(where: { Array($0.utf8) == lower }) { return .ambiguous }
        let digits = bytes.first == UInt8(ascii: "-") ? bytes.dropFirst() : bytes[...]
        guard !digits.isEmpty, digits.allSatisfy(\.isASCIIDigit) else { return nil }
        guard digits.first != 0x30 || digits.count == 1 else { return nil }
        return Int64(text).map { .integer($0) } ?? .hugeInteger
    }
}
