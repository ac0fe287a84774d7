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
        let runsAll = power.runsFiles || KnownPrograms.unpacks(command)
        var files: [NamedFile] = []
        var isRunNext = false
        for argument in command.arguments {
            let isRun = runsAll || isRunNext || power.isRunningOption(argument)
            isRunNext = power.isRunningOption(argument)
            files += argument.namedFiles.map { NamedFile(rule: $0, object: $0.bytes, isRun: isRun) }
            guard isRun, power.runsDirectories || argument.isList else { continue }
            files += argument.namedFiles.compactMap { named in
                PathGrant(below: named.path).map { NamedFile(rule: $0, object: named.bytes, isRun: true) }
            }
        }
        return files
    }
}

extension ArgumentPattern {
    /// What can stand between two paths in one argument: lists, options, and the words of a shell.
    private static let separators = Set(" \t\n:;,=|&()<>'\"`@".utf8)

    /// The files that the argument can name, from `/`, where commands run: those at its slashes; those of a directory
    /// when a hole stands in the path.
    var namedFiles: [PathGrant] {
        guard let literal = literal?.array else { return prefixDirectory.map { [$0] } ?? [] }
        var found: [PathGrant] = []
        func add(_ text: ArraySlice<UInt8>) {
            guard let rule = PathGrant(loosely: Array(text)), !found.contains(rule) else { return }
            found.append(rule)
        }
        if let start = literal.firstIndex(of: slash) { add(literal[start...]) }
        for part in literal.split(whereSeparator: ArgumentPattern.separators.contains) {
            if let start = part.firstIndex(of: slash) { add(part[start...]) }
        }
        // A word without a slash, or with one in the middle, is a file of the directory in which commands run.
        if let first = literal.first, first != slash, first != UInt8(ascii: "-") { add(literal[...]) }
        return found
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
