import TrstctlSystem

/// How the arguments of a program that copies say from where and to where.
struct CopySyntax {
    private enum Target {
        /// The last one, when there are others or the input is one of them.
        case last
        /// All of them.
        case all
        /// None: only an option names it.
        case option
    }

    private var target = Target.last
    /// Short options whose value is written.
    private var outputs = ""
    /// Short options with another value.
    private var valued = ""
    /// Long options whose value is written, also with one dash.
    private var longOutputs: [String] = []
    private var longValued: [String] = []
    /// Short and long options with which a directory is copied with what is in it.
    private var recursive = ""
    private var isAlwaysRecursive = false
    /// Reads its input when no file is named.
    private var readsInput = false
    /// A compressor: with an option, or always, it makes a file of one whose name has one extension more.
    private var unpacks = false
    private var isAlwaysUnpacking = false
    /// Reads its input unless `if=` or `-in` says otherwise.
    private var isPlainProgram = false
    /// Reads its input with -t.
    private var isSink = false
    /// With one operand it writes into the directory in which commands run.
    private var linksIntoRoot = false
    private var savesIntoRoot = false

    private static let unpackers: Set<String> = ["gunzip", "bunzip2", "unxz", "unlzma", "unzstd", "uncompress"]
    private static let compressors: Set<String> = unpackers.union([
        "gzip", "bzip2", "xz", "lzma", "zstd", "lzip", "lzop", "brotli",
    ])

    static func of(_ name: String) -> CopySyntax {
        var syntax = CopySyntax()
        switch name {
        case "cp", "mv", "ln", "install", "ginstall":
            syntax.outputs = "t"
            syntax.valued = name.hasSuffix("install") ? "Smog" : "S"
            syntax.longOutputs = ["--target-directory"]
            syntax.longValued = ["--suffix", "--mode", "--owner", "--group", "--strip-program"]
            syntax.recursive = name == "cp" ? "rRa" : ""
            syntax.isAlwaysRecursive = name == "mv" || name == "ln"
            syntax.linksIntoRoot = name == "ln"
        case "rsync":
            syntax.valued = "eBTfM"
            syntax.isAlwaysRecursive = true
        case "scp", "sftp":
            syntax.valued = "cFiJloPSDX"
            syntax.isSink = true
            syntax.isAlwaysRecursive = true
        case "tee", "sponge":
            syntax.target = .all
            syntax.readsInput = true
        case "script", "logsave":
            syntax.target = .all
            syntax.outputs = name == "script" ? "OB" : ""
            syntax.valued = name == "script" ? "cmoETI" : ""
            syntax.longValued = ["--command"]
            syntax.readsInput = true
        case "uniq":
            syntax.valued = "fswN"
            syntax.readsInput = true
        case "dd":
            syntax.target = .option
            syntax.longOutputs = ["of"]
            syntax.readsInput = true
            syntax.isPlainProgram = true
        case "openssl":
            syntax.target = .option
            syntax.longOutputs = ["-out", "-keyout"]
            syntax.readsInput = true
            syntax.isPlainProgram = true
        case "curl":
            syntax.target = .option
            syntax.outputs = "o"
            syntax.longOutputs = ["--output", "--output-dir", "--create-file", "--dump-header"]
            syntax.savesIntoRoot = true
        case "split", "csplit":
            syntax.valued = "abClnt"
            syntax.outputs = name == "csplit" ? "f" : ""
            syntax.longOutputs = ["--prefix"]
        case "xxd", "objcopy", "shred": syntax.valued = "closOIF"
        case "lz4", "unlz4":
            syntax.readsInput = true
            syntax.unpacks = true
            syntax.isAlwaysUnpacking = name == "unlz4"
        default:
            syntax.target = .option
            syntax.outputs = "o"
            syntax.longOutputs = ["--output"]
            syntax.readsInput = true
            let isEncrypted = name == "gpg" || name == "gpg2"
            syntax.unpacks = isEncrypted || CopySyntax.compressors.contains(name)
            syntax.isAlwaysUnpacking = isEncrypted || CopySyntax.unpackers.contains(name)
        }
        return syntax
    }

    struct Reading {
        var written: [PathGrant] = []
        var sources: [PathGrant] = []
        var writesRoot = false
        var isRecursive = false
        var readsInput = false
    }

    func read(_ command: ExecGrant) -> Reading {
        var reading = Reading()
        reading.isRecursive = isAlwaysRecursive
        var operands: [ArgumentPattern] = []
        var expects: Bool?  // of the next word: true when it is written, false when it is some other value
        var isOver = false
        func write(_ argument: ArgumentPattern, _ skipped: Int, _ reading: inout Reading) {
            if let file = argument.file(behind: skipped) {
                if !PathGrant.outputs.contains(file) { reading.written.append(file) }
            } else if argument.literal?.array.dropFirst(skipped).contains(slash) ?? false {
                reading.writesRoot = true
            }
        }
        for argument in command.arguments {
            let word = String(decoding: argument.literalPrefix, as: UTF8.self)
            if let isOutput = expects {
                expects = nil
                if isOutput { write(argument, 0, &reading) } else { reading.sources += argument.namedFiles }
            } else if isOver || word == "-" || argument.literalPrefix.isEmpty {
                operands.append(argument)
            } else if word == "--" {
                isOver = true
            } else if let name = longName(word, longOutputs) {
                if name.utf8.count < word.utf8.count {
                    write(argument, name.utf8.count + 1, &reading)
                } else {
                    expects = true
                }
            } else if let name = longName(word, longValued) {
                if name.utf8.count == word.utf8.count { expects = false }
            } else if word.hasPrefix("--") {
                reading.isRecursive =
                    reading.isRecursive || ["--recursive", "--archive", "--parents"].contains { $0.hasPrefix(word) }
                reading.sources += argument.namedFiles
            } else if let options = ShortOptions(word)?.read({ outputs.contains($0) || valued.contains($0) }) {
                reading.isRecursive = reading.isRecursive || options.letters.contains(where: recursive.contains)
                if let value = options.value, let letter = options.letters.last {
                    let isOutput = outputs.contains(letter)
                    if value.isNext {
                        expects = isOutput
                    } else if isOutput {
                        write(argument, value.skipped, &reading)
                    }
                }
                reading.sources += argument.namedFiles
            } else {
                operands.append(argument)
            }
        }
        place(operands, command, &reading, write)
        return reading
    }

    // GNU getopt takes every beginning of a long option that is not ambiguous.
    private func longName(_ word: String, _ options: [String]) -> String? {
        let name = String(word.prefix { $0 != "=" })
        return options.contains { option in
            option == name || (name.hasPrefix("--") && name.utf8.count > 2 && option.hasPrefix(name))
                || (option == "of" && word.hasPrefix("of="))
        } ? name : nil
    }

    private func place(
        _ operands: [ArgumentPattern], _ command: ExecGrant, _ reading: inout Reading,
        _ write: (ArgumentPattern, Int, inout Reading) -> Void
    ) {
        let words = command.words
        let isTargeted = !reading.written.isEmpty || reading.writesRoot
        var read = operands
        switch target {
        case .all:
            for operand in operands { write(operand, 0, &reading) }
            read = []
        case .last where !isTargeted && (operands.count > 1 || isSink && words.contains("-t")):
            if let last = read.popLast() { write(last, 0, &reading) }
        case .last, .option: break
        }
        reading.sources += read.flatMap(\.namedFiles)
        let namesInput = words.contains { $0 == "-in" || $0.hasPrefix("if=") }
        let isInputDefault = target == .all || (isPlainProgram ? !namesInput : read.isEmpty)
        reading.readsInput =
            CommandInput.isNamed(in: command) || (readsInput && isInputDefault) || (isSink && words.contains("-t"))
        guard !isTargeted, reading.written.isEmpty else { return }
        let letters = words.filter { $0.hasPrefix("-") && !$0.hasPrefix("--") }.joined()
        if linksIntoRoot && operands.count == 1
            || savesIntoRoot && (letters.contains("O") || words.contains("--remote-name"))
        {
            reading.writesRoot = true
        }
        let isPrinted = letters.contains("c") || words.contains("--stdout") || words.contains("--to-stdout")
        let isAsked = letters.contains("d") || words.contains { $0.hasSuffix("compress") && $0.hasPrefix("--") }
        if unpacks, !isPrinted, isAlwaysUnpacking || isAsked {
            reading.written = reading.sources.compactMap(\.withoutExtension)
        }
    }
}

extension PathGrant {
    /// Whatever lies below the directories that file-hierarchy(7) puts into the root.
    static let everything: [PathGrant] = [
        "/boot/", "/dev/", "/etc/", "/home/", "/mnt/", "/opt/", "/root/", "/run/", "/srv/", "/tmp/", "/usr/", "/var/",
    ].compactMap { try? PathGrant($0) }

    /// Where a program writes to let its output be seen, or thrown away.
    fileprivate static let outputs: [PathGrant] = [
        "/dev/null", "/dev/stdout", "/dev/stderr", "/dev/tty", "/-",
    ].compactMap { try? PathGrant($0) }

    /// The file that a program such as gunzip makes of this one.
    fileprivate var withoutExtension: PathGrant? {
        guard extent == .file, let leaf = path.leaf?.array, let point = leaf.lastIndex(of: dot), point > 0 else {
            return nil
        }
        let isTar = leaf[point...].elementsEqual(".tgz".utf8)
        let name = Array(leaf[..<point]) + (isTar ? Array(".tar".utf8) : [])
        return PathGrant(loosely: (path.parent?.bytes.array ?? []) + [slash] + name)
    }
}
