/// What the parser of the command line says about words that it does not understand.
enum CommandWords {
    /// The longest word, in bytes, that an error may repeat.
    static let longestShown = 256
    /// The shortest part of a word, in bytes, by which it is recognised in a text.
    private static let shortestPart = 8

    /// The text, or another one where it repeats a word that may be a pasted key: errors end up in logs.
    ///
    /// A word is one when it has several lines, names a private key, or is longer than anybody types.
    ///
    /// - Parameters:
    ///   - text: the parser's message.
    ///   - words: the command line without the program's name.
    /// - Returns: the text to show.
    static func withoutSecrets(_ text: String, words: [String]) -> String {
        let isKey = text.firstRange(of: "PRIVATE KEY") != nil
        for (index, word) in words.enumerated() where isSuspicious(word) {
            guard isKey || parts(of: word).contains(where: { text.firstRange(of: $0) != nil }) else { continue }
            return replacement("word \(index + 1) of the command line (\(word.utf8.count) bytes)")
        }
        return isKey ? replacement("a word of the command line") : text
    }

    private static func isSuspicious(_ word: String) -> Bool {
        word.utf8.count > longestShown || word.utf8.contains(UInt8(ascii: "\n"))
            || word.firstRange(of: "PRIVATE KEY") != nil
    }

    /// The parser splits words at `=`, and its message is wrapped.
    private static func parts(of word: String) -> [Substring] {
        word.split { $0 == "\n" || $0 == "\r\n" || $0 == "=" || $0 == " " || $0 == "," }
            .filter { $0.utf8.count >= shortestPart }
    }

    private static func replacement(_ place: String) -> String {
        """
        Error: \(place) makes no sense there; it is not repeated here, because it may be a secret.
          next: pass secrets by reference (a file, or - for standard input), never as words; if it was a key, make a new one
        See 'trstctl --help' for more information.
        """
    }
}
