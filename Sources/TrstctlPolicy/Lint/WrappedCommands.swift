import TrstctlSystem

extension ExecGrant {
    /// The command itself and those that it runs in its turn, at most `maximumWrapped`.
    ///
    /// They stand behind a wrapper such as `timeout`, or in the text of a shell; the latter count only as far as they read
    /// the shell's own input.
    var withWrapped: [ExecGrant] {
        var all = [self]
        var known: Set<ExecGrant> = [self]
        var next = 0
        while next < all.count, all.count < ExecGrant.maximumWrapped {
            for command in all[next].directlyWrapped where known.insert(command).inserted { all.append(command) }
            next += 1
        }
        return Array(all.prefix(ExecGrant.maximumWrapped))
    }

    /// The most commands in one that are looked at; a shell's text has seldom ten.
    static let maximumWrapped = 256

    /// The arguments as far as the manifest says them.
    var words: [String] { arguments.map { String(decoding: $0.literalPrefix, as: UTF8.self) } }

    private var directlyWrapped: [ExecGrant] {
        guard KnownPrograms.wraps(program) else { return [] }
        let texts = words
        // `timeout -k 9 5 tool`: which word is the program's name is not known, so every one is looked at.
        let behind = texts.indices.compactMap { index in
            ExecGrant.named(texts[index], arguments[index...].dropFirst().map(\.bytes))
        }
        var known: Set<String> = []
        var found = behind
        for script in texts.indices.compactMap({ script(texts, at: $0) }) where known.insert(script).inserted {
            guard found.count < ExecGrant.maximumWrapped else { break }
            found += ExecGrant.commands(in: script)
        }
        return found
    }

    // What stands behind -c, also in a cluster such as -ec.
    private func script(_ texts: [String], at index: Int) -> String? {
        let option = texts[index]
        if option.hasPrefix("--command=") { return String(option.dropFirst(10)) }
        guard ShortOptions(option)?.contains("c") ?? false || option == "--command", index + 1 < texts.count else {
            return nil
        }
        return texts[index + 1]
    }

    private static func commands(in script: String) -> [ExecGrant] {
        // What reads from a pipe or from a file does not read what the connector gives.
        var known: Set<Substring> = []
        let pipelines = script.replacing("||", with: ";").split { ";&()`\n".contains($0) }
        return pipelines.filter { known.insert($0).inserted }.compactMap { pipeline -> ExecGrant? in
            guard let first = pipeline.split(separator: "|").first, !first.contains("<") else { return nil }
            let words = first.split { " \t'\"".contains($0) }
                .drop { $0.contains("=") || ["exec", "then", "else", "do", "if", "!", "{", "$"].contains(String($0)) }
            guard let name = words.first else { return nil }
            return named(String(name), words.dropFirst().map { Bytes(String($0.replacing("{", with: "{{"))) })
        }
    }

    /// The command of this name, in the directory where the host has programs looked up; nil for a name of which nothing
    /// is known.
    private static func named(_ name: String, _ arguments: @autoclosure () -> [Bytes]) -> ExecGrant? {
        let isName = !name.isEmpty && !name.hasPrefix("-") && !name.contains("=")
        guard isName, let program = AbsolutePath(loosely: Array((name.contains("/") ? name : "/usr/bin/\(name)").utf8)),
            KnownPrograms.isKnown(program)
        else { return nil }
        return try? ExecGrant(rule: [program.bytes] + arguments())
    }
}

extension ArgumentPattern {
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
