import TrstctlSystem

extension ExecGrant {
    /// The arguments as far as the manifest says them.
    var words: [String] { arguments.map { String(decoding: $0.literalPrefix, as: UTF8.self) } }

    /// The texts that the command gives to a shell, or is given as one.
    var shellTexts: [[UInt8]] {
        let texts = words
        let isShell = KnownPrograms.isShell(program)
        var found: [[UInt8]] = []
        for (index, word) in texts.enumerated() {
            if let place = ExecGrant.textPlace(in: word) {
                if let place {
                    found.append(Array(arguments[index].shellText.dropFirst(place)))
                } else if arguments.indices.contains(index + 1) {
                    found.append(arguments[index + 1].shellText)
                }
            }
            let isText = !word.hasPrefix("-") && KnownPrograms.readsText(program)
            if isText, word.contains(where: " \t\n;|&<>".contains) { found.append(arguments[index].shellText) }
            let isOption = ShortOptions(word)?.contains("c") ?? false
            guard isOption else { continue }
            // `sh -c -e text`: of a shell the text is the first word that is no option.
            var place = index + (isShell && word.lowercased().hasSuffix("o") ? 2 : 1)
            while isShell, place < texts.count, texts[place].hasPrefix("-") || texts[place].hasPrefix("+") {
                place += texts[place].lowercased().hasSuffix("o") ? 2 : 1
            }
            if arguments.indices.contains(place) { found.append(arguments[place].shellText) }
        }
        return found
    }

    /// Where the text stands that an option gives to a shell, or to be divided as a shell does.
    ///
    /// - Parameter word: `-S`, `-vS`, `-Stext`, or a long option, of which GNU getopt takes any beginning.
    /// - Returns: so many bytes into the word; nil for the next word; nothing for no such option.
    private static func textPlace(in word: String) -> Int?? {
        if word.hasPrefix("--") {
            let name = word.prefix { $0 != "=" }
            let isMeant =
                name.utf8.count > 2
                && ["--command", "--session-command", "--split-string"].contains { $0.hasPrefix(name) }
            return isMeant ? .some(name == word ? nil : name.utf8.count + 1) : nil
        }
        // Of env, -u and -C take a value too.
        guard let (letters, value) = ShortOptions(word)?.read({ "uCS".contains($0) }), letters.last == "S", let value
        else { return nil }
        return .some(value.isNext ? nil : value.skipped)
    }

    /// True for what runs the program whose name is one of its words.
    var isWrapper: Bool {
        if KnownPrograms.wraps(program) { return true }
        guard KnownPrograms.isOne(program, of: ["ip"]) else { return false }
        // `ip netns exec blue sh`; its words may be cut short.
        let words = words.filter { !$0.isEmpty && !$0.hasPrefix("-") }
        return zip(words, words.dropFirst()).contains { object, verb in
            ["netns", "vrf"].contains { $0.hasPrefix(object) } && "exec".hasPrefix(verb)
        }
    }

    /// True when it runs what is in directories that it is given.
    var runsDirectories: Bool {
        if KnownPrograms.power(of: program).runsDirectories { return true }
        guard KnownPrograms.isOne(program, of: ["find", "fd"]) else { return false }
        let words = words
        return zip(words, arguments.dropFirst()).contains { option, next in
            let isRunning = ["-exec", "-execdir", "-ok", "-okdir", "-x", "-X", "--exec", "--exec-batch"].contains(
                option)
            guard isRunning, let program = next.literal?.text else { return false }
            return program.contains("{}")
                || AbsolutePath(loosely: Array((program.contains("/") ? program : "/usr/bin/\(program)").utf8))
                    .map { KnownPrograms.power(of: $0).isInterpreter } ?? false
        }
    }

    /// The program of this name, in the directory where the host has programs looked up; nil for a name of which nothing
    /// is known.
    static func knownProgram(_ name: String) -> AbsolutePath? {
        let isName = !name.isEmpty && !name.hasPrefix("-") && !name.contains("=")
        guard isName, let program = AbsolutePath(loosely: Array((name.contains("/") ? name : "/usr/bin/\(name)").utf8)),
            KnownPrograms.isKnown(program)
        else { return nil }
        return program
    }

    /// The command of this name with these arguments.
    static func named(_ name: String, _ arguments: @autoclosure () -> [Bytes]) -> ExecGrant? {
        guard let program = knownProgram(name) else { return nil }
        return try? ExecGrant(rule: [program.bytes] + arguments())
    }
}

extension ArgumentPattern {
    /// The argument as a shell could get it: with a number in place of each hole.
    fileprivate var shellText: [UInt8] {
        parts.flatMap { part in
            if case .text(let text) = part { text } else { [UInt8(ascii: "0")] }
        }
    }

    fileprivate func shellText(behind prefix: String) -> [UInt8]? {
        let text = shellText
        return text.starts(with: prefix.utf8) ? Array(text.dropFirst(prefix.utf8.count)) : nil
    }

    /// The programs that the words of the argument name when they are looked up in the `PATH` that the host gives to
    /// commands.
    var lookedUp: [PathGrant] {
        guard let literal = literal?.array else { return [] }
        var names: Set<ArraySlice<UInt8>> = []
        for word in literal.split(whereSeparator: ArgumentPattern.separators.contains)
        where !word.contains(slash) && word.first != UInt8(ascii: "-") && word != [dot] { names.insert(word) }
        return names.sorted { $0.lexicographicallyPrecedes($1) }.flatMap { name in
            ["/usr/sbin/", "/usr/bin/"].compactMap { PathGrant(loosely: Array($0.utf8) + name) }
        }
    }
}
