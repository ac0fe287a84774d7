import TrstctlSystem

/// A command that writes many files, under names that its input has: an archive, a patch, the other end of rsync.
struct Unpacking {
    /// The directory below which it writes, or the one file; nil for the whole file system, in whose root commands run.
    let directory: PathGrant?
    /// True when it writes wherever its input says.
    let writesAnywhere: Bool

    /// Nil for a command that does not, or that takes a named file, see `NamedFile`.
    init?(_ command: ExecGrant) {
        let words = command.words
        let names = Set(KnownPrograms.names(command.program))
        func has(_ name: String) -> Bool { names.contains(name) }
        let operands = words.filter { !$0.hasPrefix("-") }
        let isGiven: Bool
        var options = ["-C", "-d", "-D", "--directory", "--cd", "--output"]
        var escapes = false
        if has("tar") || has("gtar") || has("bsdtar") {
            guard KnownPrograms.unpacks(command) else { return nil }
            let options = TarOptions(command)
            guard options.readsInput else { return nil }
            directory = options.directory
            writesAnywhere = options.isAbsolute || options.directory == nil
            return
        } else if has("cpio") {
            let copiesIn = words.contains { $0 == "--extract" || Unpacking.isCluster($0, with: "i") }
            guard copiesIn || words.contains(where: { $0 == "--pass-through" || Unpacking.isCluster($0, with: "p") })
            else { return nil }
            let file = words.contains { $0.hasPrefix("--file") || $0.hasPrefix("-F") || $0.hasPrefix("-I") }
            isGiven = !file || CommandInput.isNamed(in: command)
            escapes = copiesIn && !words.contains("--no-absolute-filenames")
        } else if has("pax") {
            guard words.contains(where: { Unpacking.isCluster($0, with: "r") }) else { return nil }
            isGiven = !words.contains { Unpacking.isCluster($0, with: "f") } || CommandInput.isNamed(in: command)
            escapes = true
        } else if has("unzip") || has("bsdunzip") || has("ar") {
            isGiven = CommandInput.isNamed(in: command)
        } else if has("7z") || has("7za") || has("7zz") {
            isGiven = words.contains { $0.hasPrefix("-si") } || CommandInput.isNamed(in: command)
            options = ["-o"]
        } else if has("uudecode") {
            let isPlaced = words.contains { $0.hasPrefix("-o") || $0.hasPrefix("--output") }
            isGiven = !isPlaced && (operands.isEmpty || CommandInput.isNamed(in: command))
            escapes = true
        } else if has("patch") {
            let files = Unpacking.operands(of: words, valued: "dpoirBzVFDYg")
            let isNamed = words.contains { $0.hasPrefix("--input") || Unpacking.isCluster($0, with: "i") }
            isGiven = (!isNamed && files.count < 2) || CommandInput.isNamed(in: command)
            if isGiven, let file = files.first, let rule = PathGrant(loosely: Array(file.utf8)) {
                (directory, writesAnywhere) = (rule, false)
                return
            }
        } else if has("git") {
            guard let verb = words.first(where: { $0 == "apply" || $0 == "am" }),
                let place = words.firstIndex(of: verb)
            else { return nil }
            let files = words[place...].dropFirst().filter { !$0.hasPrefix("-") }
            isGiven = files.isEmpty || CommandInput.isNamed(in: command)
            options = ["-C", "--work-tree"]
        } else if has("rsync") {
            guard words.contains("--server"), !words.contains("--sender") else { return nil }
            isGiven = true
            directory = words.last.flatMap { $0.hasPrefix("/") ? PathGrant(below: $0) : nil }
            writesAnywhere = directory == nil
            return
        } else {
            return nil
        }
        guard isGiven else { return nil }
        directory = Unpacking.directory(command, options)
        writesAnywhere = escapes || directory == nil
    }

    private static func operands(of words: [String], valued: String) -> [String] {
        var operands: [String] = []
        var isValue = false
        for word in words {
            let isShort = word.utf8.count == 2 && word.hasPrefix("-")
            if !isValue, !word.hasPrefix("-") { operands.append(word) }
            isValue = isShort && valued.contains { word.hasSuffix(String($0)) }
        }
        return operands
    }

    private static func isCluster(_ word: String, with letter: Character) -> Bool {
        ShortOptions(word)?.contains(letter) ?? false
    }

    private static func directory(_ command: ExecGrant, _ options: [String]) -> PathGrant? {
        var found: PathGrant?
        for (index, word) in command.words.enumerated() {
            for option in options {
                let value: (argument: ArgumentPattern, skipped: Int)
                if word == option {
                    guard index + 1 < command.arguments.count else { continue }
                    value = (command.arguments[index + 1], 0)
                } else if option.hasPrefix("--"), word.hasPrefix(option + "=") {
                    value = (command.arguments[index], option.utf8.count + 1)
                } else if !option.hasPrefix("--"), word.hasPrefix(option) {
                    value = (command.arguments[index], option.utf8.count)
                } else {
                    continue
                }
                guard let path = value.argument.file(behind: value.skipped) else { return nil }
                found = PathGrant(below: path.path)
            }
        }
        return found
    }
}

/// What of tar's options matters here.
private struct TarOptions {
    private(set) var directory: PathGrant?
    private(set) var isAbsolute = false
    /// True without an archive too, as distributions build it.
    private(set) var readsInput = true

    init(_ command: ExecGrant) {
        var waiting: [Character] = []
        for (index, argument) in command.arguments.enumerated() {
            let word = String(decoding: argument.literalPrefix, as: UTF8.self)
            if !waiting.isEmpty {
                take(waiting.removeFirst(), argument, 0)
            } else if word.hasPrefix("--") {
                let name = word.prefix { $0 != "=" }
                let letter: Character
                switch name {
                case "--file": letter = "f"
                case "--directory", "--cd": letter = "C"
                default:
                    isAbsolute = isAbsolute || (name.utf8.count > 3 && "--absolute-names".hasPrefix(name))
                    continue
                }
                if name == word { waiting = [letter] } else { take(letter, argument, name.utf8.count + 1) }
            } else if let options = ShortOptions(word)?.read(TarOptions.valued.contains) {
                isAbsolute = isAbsolute || options.letters.contains("P")
                guard let value = options.value, let letter = options.letters.last else { continue }
                if value.isNext { waiting = [letter] } else { take(letter, argument, value.skipped) }
            } else if index == 0 {
                // As in `tar xfC archive directory`: the values follow in their order.
                isAbsolute = word.contains("P")
                waiting = Array(word.filter(TarOptions.valued.contains))
            }
        }
    }

    private static let valued = "CfbIFTXKNVgHL"

    private mutating func take(_ letter: Character, _ argument: ArgumentPattern, _ skipped: Int) {
        if letter == "f" { readsInput = CommandInput.isNamed(by: Array(argument.literalPrefix.dropFirst(skipped))) }
        // One that is relative starts from the one before it, which covers it.
        let isRelative = argument.literalPrefix.dropFirst(skipped).first != slash
        guard letter == "C", directory == nil || !isRelative else { return }
        directory = argument.file(behind: skipped).flatMap { PathGrant(below: $0.path) }
    }
}

extension PathGrant {
    /// Everything below the directory that this text names from `/`.
    fileprivate init?(below text: String) {
        guard let path = AbsolutePath(loosely: Array(text.utf8)) else { return nil }
        self.init(below: path)
    }
}

extension ArgumentPattern {
    /// The file that the argument names behind so many bytes, from `/`; everything in its directory when a hole stands in
    /// the path.
    func file(behind skipped: Int) -> PathGrant? {
        if let literal { return PathGrant(loosely: Array(literal.array.dropFirst(skipped))) }
        let text = Array(literalPrefix.dropFirst(skipped))
        guard let end = text.lastIndex(of: slash) else { return nil }
        return AbsolutePath(loosely: Array(text[..<end])).flatMap { PathGrant(below: $0) }
    }
}
