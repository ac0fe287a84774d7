import Synchronization

/// How the commands that errors suggest are written, so that they can be pasted into the shell that ran this program.
///
/// With options such as `--manifest` the same words without them mean another manifest, another state, other connectors.
/// What was typed is a fact about the process, and errors are written in every room: hence one value for all of it.
package enum NextCommand {
    private struct Options {
        var places: [String] = []
        var overrides: [String] = []
    }

    private static let options = Mutex(Options())

    /// Makes every suggested command end with these options from now on.
    ///
    /// - Parameters:
    ///   - words: the options as a shell would give them to the program.
    ///   - overrides: more of them, which let connectors run without a pin: one that pins does not need them.
    package static func carry(_ words: [String], overrides: [String] = []) {
        options.withLock { $0 = Options(places: words, overrides: overrides) }
    }

    /// A command to type next.
    ///
    /// - Parameter words: the subcommand with its own options and names, one word each.
    /// - Returns: the command line, with the options that this process was given.
    package static func trstctl(_ words: String...) -> String { trstctl(words) }

    /// The same for words of which some depend on something.
    package static func trstctl(_ words: [String]) -> String {
        let options = options.withLock(\.self)
        return line(words, options: options.places + (words.starts(with: ["plugin", "pin"]) ? [] : options.overrides))
    }

    /// The command line for a POSIX shell.
    ///
    /// - Parameters:
    ///   - words: what follows the program's name.
    ///   - options: what follows these.
    /// - Returns: one printable line.
    package static func line(_ words: [String], options: [String]) -> String {
        (["trstctl"] + words + options).map(quoted).joined(separator: " ")
    }

    /// A word as a shell has to be given it: itself, in single quotes, or in `$'…'` (POSIX.1-2024, section 2.2.4) where a
    /// character in it would move a cursor or hide something.
    package static func quoted(_ word: String) -> String {
        if !word.isEmpty, word.utf8.allSatisfy(isPlain) { return word }
        guard !word.unicodeScalars.allSatisfy(isVisible) else {
            // By scalars: a quote with a mark upon it is another `Character`, and the same quote to a shell. And not with
            // `replacing`: it would link Swift's regular expressions, 1.4 MB, into every connector.
            return "'" + word.unicodeScalars.map { $0 == "'" ? #"'\''"# : String($0) }.joined() + "'"
        }
        return "$'"
            + word.unicodeScalars.map { scalar in
                if scalar == "'" || scalar == "\\" { return "\\\(scalar)" }
                return isVisible(scalar) ? String(scalar) : String(scalar).utf8.map(octal).joined()
            }.joined() + "'"
    }

    // Three digits: a digit that follows is another character.
    private static func octal(_ byte: UInt8) -> String {
        let digits = String(byte, radix: 8)
        return "\\" + String(repeating: "0", count: max(0, 3 - digits.utf8.count)) + digits
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        byte.isASCIIAlphanumeric || "/._-+:@%,=".utf8.contains(byte)
    }

    private static func isVisible(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: false
        default: true
        }
    }
}
