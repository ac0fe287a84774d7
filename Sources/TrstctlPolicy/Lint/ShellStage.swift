extension ShellText {
    struct Word: Hashable {
        var text = ""
        /// True when the output of another command is part of it.
        var isSubstituted = false
        /// True when a shell that expands the word once more would find something.
        fileprivate var hidesExpansion: Bool { text.contains { "$`".contains($0) } }
    }

    /// A command with its redirections, or the end of a group.
    struct Stage {
        /// Without words such as `if`, and without assignments.
        var words: [Word] = []
        /// What is assigned before the command, or by it: `name=value`.
        private(set) var assignments: [String] = []
        /// Files that its output goes to.
        var targets: [Word] = []
        /// Files that are its input.
        var inputs: [Word] = []
        /// True when the text itself has its input.
        var hasLiteralInput = false
        /// True when its input is another descriptor, which may be a copy of the shell's input.
        var hasCopiedInput = false
        /// True when it reads what the stage before it writes.
        var isPiped = false
        /// True for the end of a group: it writes what anything in the group does.
        private(set) var isGroupEnd = false
    }
}

extension ShellText.Stage {
    /// Words that stand before a command, or say how it is run.
    private static let before: Set<String> = [
        "if", "then", "else", "elif", "do", "while", "until", "!", "{", "time", "exec", "command", "builtin", "and",
        "or", "not", "begin",
    ]
    /// The ends of groups, whose redirections are those of all that is in them.
    private static let ends: Set<String> = [")", "}", "fi", "done", "end"]
    /// What makes commands of words or of input, or gives words another meaning.
    private static let unreadable: Set<String> = [
        "eval", "read", "mapfile", "readarray", "trap", "alias", "coproc", "case", "esac", "select", "function",
        "enable", "hash", "fc", "bind", "complete", "compgen",
    ]
    /// Commands of the shell itself, some of which expand their words once more.
    private static let own: Set<String> = [
        "test", "[", "[[", "let", "local", "declare", "typeset", "export", "readonly", "printf", "getopts", "set",
        "unset", "wait", "shift", "exit", "return", "ulimit",
    ]

    /// Takes away what is no word of the command.
    ///
    /// - Returns: what cannot be read; nil when all can.
    mutating func simplify() -> String? {
        var rest = words[...]
        words = []
        while let first = rest.first {
            if Self.before.contains(first.text), !first.isSubstituted {
                let options = rest.dropFirst().prefix { $0.text.hasPrefix("-") }.map(\.text)
                // The program of this name, which has other options than the keyword.
                if first.text == "time", options.contains(where: { $0 != "-p" && $0 != "--" }) { break }
                rest = rest.dropFirst()
                // `command -p x`; `exec -a x y` names x as the program.
                if first.text == "exec", options.contains(where: { $0.contains("a") }) { return "exec -a" }
                if first.text != "!" { rest = rest.dropFirst(options.count) }
            } else if Self.isAssignment(first.text) {
                if first.hidesExpansion { return "a quoted $" }
                assignments.append(first.text)
                rest = rest.dropFirst()
            } else {
                break
            }
        }
        guard let first = rest.first else { return nil }
        if first.isSubstituted { return "$( as the name of a program" }
        if Self.unreadable.contains(first.text) { return first.text }
        if Self.own.contains(first.text), rest.contains(where: \.hidesExpansion) { return "a quoted $" }
        if Self.own.contains(first.text) { assignments += rest.map(\.text).filter(Self.isAssignment) }
        isGroupEnd = Self.ends.contains(first.text)
        if !isGroupEnd, first.text != "for" { words = Array(rest) }
        return nil
    }

    /// True when the shell's input may reach it under another number.
    var takesCopiedInput: Bool {
        hasCopiedInput || (words + inputs + targets).contains { CommandInput.isCopied($0.text) }
    }

    static func isAssignment(_ word: String) -> Bool {
        guard let end = word.firstIndex(of: "="), end > word.startIndex else { return false }
        return word[..<end].utf8.allSatisfy { WordClass.isWordByte($0) && $0 != UInt8(ascii: "-") }
    }
}
