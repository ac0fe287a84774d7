import TrstctlSystem

/// A text that does not follow the grammar of what it should name: which rule it breaks, and what would be right.
package struct GrammarError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The broken rule.
    package enum Code: String, Sendable {
        case empty
        case notAbsolute
        case containsNUL
        case emptyComponent
        case dotComponent
        case dotDotComponent
        case trailingSlash
        case tooLong
        case componentTooLong
        case wholeFileSystem
        case badConnectorName
        case badEntryName
        case digestLength
        case digestUpperCase
        case digestPastedLine
        case digestPrefix
        case digestBase64
        case digestCharacters
        case missingPort
        case badPort
        case badHost
        case numericHost
        case badIPv6
        case badWildcard
        case badOption
        case tooManyArguments
        case tooManyRules
        case badHole
    }

    /// The broken rule.
    package let code: Code
    /// What was found, escaped and shortened for people.
    package let found: String
    /// What is wrong with it and what is expected instead, one sentence.
    package let message: String

    init(_ code: Code, found: Bytes, _ message: String) {
        self.code = code
        self.found = printable(found)
        self.message = message
    }

    package var description: String { "\"\(found)\": \(message)" }
}
