import TrstctlSystem

/// A file, or the files of a directory, that an argument of a command names.
struct NamedFile {
    let rule: PathGrant
    /// What a finding shows.
    let object: Bytes
    /// True when the program runs or loads it, false when it reads or writes it.
    let isRun: Bool

    /// What the arguments name, in their order.
    static func all(in command: ExecGrant) -> [NamedFile] {
        let power = KnownPrograms.power(of: command.program)
        let tree = command.isWrapper ? CommandTree(command) : nil
        let runsAll = power.runsFiles || tree != nil || KnownPrograms.unpacks(command)
        let onlyWritten = tree?.onlyWritten ?? []
        var files: [NamedFile] = (tree?.started ?? []).map { NamedFile(rule: $0, object: $0.bytes, isRun: true) }
        var isRunNext = false
        for argument in command.arguments {
            let isRun = runsAll || isRunNext || power.isRunningOption(argument)
            isRunNext = power.isRunningOption(argument)
            let lookedUp = tree != nil ? argument.lookedUp : []
            files += lookedUp.map { NamedFile(rule: $0, object: $0.bytes, isRun: true) }
            let named = argument.namedFiles
            // The whole argument and its first word are two ways to read one path: one finding, about the word.
            let whole = argument.wholeFile
            let shown = named.first { $0 != whole } ?? whole
            files += named.filter { !onlyWritten.contains($0) }.map { rule in
                NamedFile(rule: rule, object: (rule == whole ? shown ?? rule : rule).bytes, isRun: isRun)
            }
            guard isRun, command.runsDirectories || argument.isList else { continue }
            files += named.compactMap { named in
                PathGrant(below: named.path).map { NamedFile(rule: $0, object: named.bytes, isRun: true) }
            }
        }
        return files
    }
}

extension ArgumentPattern {
    /// What can stand between two paths in one argument: lists, options, and the words of a shell.
    static let separators = Set(" \t\n:;,=|&()<>'\"`@".utf8)

    /// The files that the argument can name, from `/`, where commands run: the whole, and what stands between separators;
    /// those of a directory when a hole stands in the path.
    var namedFiles: [PathGrant] {
        guard let literal = literal?.array else { return [wholeFile].compactMap(\.self) }
        let parts = literal.split(whereSeparator: ArgumentPattern.separators.contains).compactMap { part in
            part.firstIndex(of: slash).flatMap { PathGrant(loosely: Array(part[$0...])) }
        }
        // A word with a slash in the middle, or without any, is a file beneath the directory in which commands run.
        let isRelative =
            literal.first != slash && literal.first != UInt8(ascii: "-")
            && !literal.contains(where: ArgumentPattern.separators.contains)
        let relative = isRelative ? PathGrant(loosely: literal) : nil
        var found: [PathGrant] = []
        for rule in [wholeFile, relative].compactMap(\.self) + parts where !found.contains(rule) { found.append(rule) }
        return found
    }

    /// The one file that the argument names when every byte from its first slash on belongs to the path.
    var wholeFile: PathGrant? {
        guard let literal = literal?.array else { return prefixDirectory }
        return PathGrant(loosely: Array(literal[(literal.firstIndex(of: slash) ?? 0)...]))
    }

    /// True for a list of directories, or a variable or option that holds them: PATH=/a:/b.
    fileprivate var isList: Bool {
        literal?.array.contains { $0 == UInt8(ascii: "=") || $0 == UInt8(ascii: ":") } ?? false
    }

    private var prefixDirectory: PathGrant? {
        let text = literalPrefix
        guard let start = text.firstIndex(of: slash), let end = text.lastIndex(of: slash), start < end else {
            return nil
        }
        return AbsolutePath(loosely: Array(text[start..<end])).flatMap { PathGrant(below: $0) }
    }
}
