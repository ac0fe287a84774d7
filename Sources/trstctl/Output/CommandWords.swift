/// The words of the command line that may be secrets: errors end up in logs, and must not repeat them.
enum CommandWords {
    /// The error for a private key among the words, wherever it stands.
    ///
    /// To be asked before anything else reads the words: the parser and every error that names what it was given would
    /// repeat it.
    ///
    /// - Parameter words: the command line without the program's name.
    /// - Returns: nil when there is none.
    static func refusal(_ words: [String]) -> String? {
        guard let index = words.firstIndex(where: { $0.firstRange(of: "PRIVATE KEY-----") != nil }) else { return nil }
        return """
            word \(index + 1) of the command line is a private key: other users could read it in the list of \
            processes, and it may stand in your shell's history
              next: make a new key, and pass its file, or - to read it from standard input
            """
    }

    /// Whether the result is to be JSON, for errors that come before the words are understood.
    ///
    /// - Parameter words: the command line without the program's name.
    /// - Returns: whether `--json` is among the options.
    static func areForJSON(_ words: [String]) -> Bool { words.prefix { $0 != "--" }.contains("--json") }

    /// The longest word, in bytes, that an error may repeat.
    static let longestShown = 256
    /// The shortest part of a word, in bytes, by which it is recognised in a text.
    private static let shortestPart = 8

    /// The text, or another one where it repeats a word that may be a secret.
    ///
    /// A word is one when it has several lines, begins like a PEM block, or is longer than anybody types.
    ///
    /// - Parameters:
    ///   - text: the parser's message.
    ///   - words: the command line without the program's name.
    /// - Returns: the text to show.
    static func shown(_ text: String, words: [String]) -> String {
        let index = words.firstIndex { word in
            isSuspicious(word) && parts(of: word).contains { text.firstRange(of: $0) != nil }
        }
        guard let index else { return text }
        return """
            Error: word \(index + 1) of the command line (\(words[index].utf8.count) bytes) makes no sense there; it is \
            not repeated here, because it may be a secret.
              next: pass secrets by reference (a file, or - for standard input), never as words
            See 'trstctl --help' for more information.
            """
    }

    private static func isSuspicious(_ word: String) -> Bool {
        word.utf8.count > longestShown || word.utf8.contains(UInt8(ascii: "\n")) || word.hasPrefix("---")
    }

    /// The parser splits words at `=`, and its message is wrapped.
    private static func parts(of word: String) -> [Substring] {
        word.split { $0 == "\n" || $0 == "\r\n" || $0 == "=" || $0 == " " || $0 == "," }
            .filter { $0.utf8.count >= shortestPart }
    }
}
