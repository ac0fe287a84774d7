/// A word of short options, `-xzf` or `-farchive`: one letter each, the last perhaps with its value behind it.
struct ShortOptions {
    private let letters: Substring

    /// Nil for a word that is none: an operand, `-`, or a long option.
    init?(_ word: String) {
        guard word.hasPrefix("-"), !word.hasPrefix("--") else { return nil }
        letters = word.dropFirst()
    }

    /// True when the letter is among them, or in a value.
    func contains(_ letter: Character) -> Bool { letters.contains(letter) }

    /// The letters before anything that is none, such as a path.
    var leading: Substring { letters.prefix { $0.isASCII && $0.isLetter } }

    /// True when one of them, or of a value, is meant.
    func containsAny(where isMeant: (Character) -> Bool) -> Bool { letters.contains(where: isMeant) }

    /// The letters up to the first that takes a value.
    ///
    /// - Parameter takesValue: says so of a letter.
    /// - Returns: the letters, and how many characters of the word stand before the value, the dash and the letter among
    ///   them, with whether it stands in the next word; no value when no letter takes one. Letters before a value are
    ///   ASCII or it is no option, so these are bytes too.
    func read(_ takesValue: (Character) -> Bool) -> (
        letters: [Character], value: (skipped: Int, isNext: Bool)?
    ) {
        var read: [Character] = []
        for (place, letter) in letters.enumerated() {
            read.append(letter)
            if takesValue(letter) { return (read, (place + 2, place + 1 == letters.count)) }
        }
        return (read, nil)
    }
}
