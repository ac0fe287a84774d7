import TrstctlSystem

/// A command that runs, and what the connector may have to do with its input.
struct Run: Hashable {
    var command: ExecGrant
    /// True when its input is, or is made of, what the connector gives.
    var isFed = true
    /// Files that its input is made of.
    var sources: [PathGrant] = []
    /// Where it may be started; in `/` too.
    var directories: [PathGrant] = []
    /// What may be its `/`, besides that of everybody.
    var roots: [PathGrant] = []
}

/// Files to which a shell directs the output of a command.
struct Redirection: Hashable {
    let target: PathGrant
    let isFed: Bool
    let sources: [PathGrant]
}

/// What a granted command runs: itself, what stands behind a wrapper such as `timeout`, and what the text of a shell has.
struct CommandTree {
    /// The command itself first.
    private(set) var runs: [Run]
    private(set) var redirections: [Redirection] = []
    /// What in the text of a shell cannot be read; nil when all of it can.
    private(set) var obstacle: String?
    /// True when the connector's input becomes words of a command.
    private(set) var hasFedWords = false
    /// Files that are written by redirection, and not otherwise named.
    private(set) var onlyWritten: Set<PathGrant> = []
    /// Programs that are named from where they are started, when that is not the root.
    private var programs: [PathGrant] = []
    /// True when there are more commands than are looked at.
    var isTruncated: Bool { runs.count >= CommandTree.maximum }

    /// The most commands in one that are looked at; a shell's text has seldom ten.
    static let maximum = 256
    private static let maximumDepth = 8

    private var known: Set<Run>

    init(_ command: ExecGrant) {
        let run = Run(command: command)
        (runs, known) = ([run], [run])
        var next = 0
        while runs.indices.contains(next), !isTruncated {
            addWrapped(by: runs[next])
            next += 1
        }
        runs = Array(runs.prefix(CommandTree.maximum))
    }

    private mutating func add(_ run: Run) {
        guard !isTruncated, known.insert(run).inserted else { return }
        runs.append(run)
    }

    private mutating func addWrapped(by run: Run) {
        let command = run.command
        guard command.isWrapper else { return }
        let texts = command.words
        for word in texts where ShellText.Stage.isAssignment(word) { addValue(of: word, in: run, 0) }
        // `timeout -k 9 5 tool`: which word is the program's name is not known, so every one is looked at.
        for index in texts.indices {
            let arguments = command.arguments[index...].dropFirst()
            // `env -C /srv tool`, and chroot: any of them can be where it is started.
            let named = command.arguments[..<index].flatMap(\.namedFiles).compactMap { PathGrant(below: $0.path) }
            programs += ShellText.Word(text: texts[index]).program(in: run.directories + named)
            guard let behind = ExecGrant.named(texts[index], arguments.map(\.bytes)) else { continue }
            let directories = run.directories + named.filter { !run.directories.contains($0) }
            add(
                Run(
                    command: behind, isFed: run.isFed, sources: run.sources,
                    directories: Array(directories.prefix(CommandTree.maximumDepth)),
                    roots: KnownPrograms.changesRoot(command.program) ? named : run.roots))
        }
        var read: Set<[UInt8]> = []
        for script in command.shellTexts where read.insert(script).inserted {
            addShell(script, isForeign: KnownPrograms.isForeignShell(command.program), in: run, 0)
        }
    }

    /// - Returns: whether its output can be made of the connector's input.
    @discardableResult
    private mutating func addShell(_ script: [UInt8], isForeign: Bool, in shell: Run, _ depth: Int) -> Bool {
        let text = ShellText(script, isForeign: isForeign)
        stop(text.obstacle)
        var shell = shell
        shell.isFed = shell.isFed || text.stages.contains(where: \.takesCopiedInput)
        guard depth < CommandTree.maximumDepth else {
            stop("so many commands in commands")
            return true
        }
        for inner in text.substitutions where addShell(inner, isForeign: false, in: shell, depth + 1) {
            hasFedWords = hasFedWords || shell.isFed
        }
        var isFed = false
        var hasFedOutput = false
        var sources: [PathGrant] = []
        var directories = shell.directories
        var named: Set<PathGrant> = []
        for stage in text.stages {
            if !stage.isPiped { (isFed, sources) = (shell.isFed, shell.sources) }
            let inputs = stage.inputs.filter { !CommandInput.isNamed(by: Array($0.text.utf8)) }
            if stage.hasLiteralInput || !inputs.isEmpty { isFed = false }
            if stage.takesCopiedInput { isFed = true }
            sources += inputs.flatMap { $0.files(directories, shell.roots) }
            if let directory = stage.directory(in: directories) {
                stop(directory.obstacle)
                directories += [directory.rule].compactMap(\.self)
            }
            var run = shell
            (run.isFed, run.sources, run.directories) = (isFed, sources, directories)
            for assignment in stage.assignments { addValue(of: assignment, in: run, depth) }
            addRun(of: stage, run)
            programs += stage.words.prefix(1).flatMap { $0.program(in: directories) }
            let arguments = stage.words.dropFirst().flatMap { ArgumentPattern(literal: Bytes($0.text)).namedFiles }
            sources += arguments
            named.formUnion(arguments + inputs.flatMap { $0.files(directories, shell.roots) })
            named.formUnion(stage.words.prefix(1).flatMap { $0.files(directories, shell.roots) })
            let isOpaque = stage.isGroupEnd || stage.words.isEmpty
            isFed = isFed && (isOpaque || InputReaders.mayRead(stage.words.map(\.text)))
            hasFedOutput = hasFedOutput || isFed
            for target in stage.targets.flatMap({ $0.files(directories, shell.roots) }) {
                redirections.append(Redirection(target: target, isFed: isFed, sources: sources))
            }
        }
        if depth == 0, text.obstacle == nil {
            onlyWritten.formUnion(Set(redirections.map(\.target)).subtracting(named))
        }
        return hasFedOutput
    }

    private mutating func addRun(of stage: ShellText.Stage, _ run: Run) {
        guard let first = stage.words.first else { return }
        // What `.` reads is text of the same shell.
        let name = first.text == "." || first.text == "source" ? "sh" : first.text
        let words = stage.words.dropFirst()
        guard let program = ExecGrant.knownProgram(name) else { return }
        let arguments = words.map { Bytes($0.text.replacing("{", with: "{{")) }
        guard let command = try? ExecGrant(rule: [program.bytes] + arguments) else {
            return stop("so many or so long words")
        }
        let power = KnownPrograms.power(of: program)
        let isOpen = power.isVersatile || power.copies
        if isOpen, words.contains(where: \.isSubstituted) { stop("$( in the words of \(name)") }
        var started = run
        started.command = command
        add(started)
    }

    /// What the commands behind the first run or load besides the files that its words name from the root: files of the
    /// directory in which they are started, and all of one that they are given.
    var started: [PathGrant] {
        programs
            + runs.dropFirst().flatMap { run -> [PathGrant] in
                let power = KnownPrograms.power(of: run.command.program)
                guard power.runsFiles else { return [] }
                let relative = run.command.arguments.compactMap(\.literal).map(\.array)
                    .filter { $0.first != slash && $0.first != UInt8(ascii: "-") && !$0.isEmpty }
                let files = run.directories.flatMap { directory in
                    relative.compactMap { PathGrant(loosely: directory.path.bytes.array + [slash] + $0) }
                }
                let given = run.command.runsDirectories ? run.command.arguments.flatMap(\.namedFiles) : []
                let own = run.command.runsDirectories ? run.directories : []
                let listed = KnownPrograms.addsWords(run.command) ? run.sources : []
                return files + own + (given + listed).compactMap { PathGrant(below: $0.path) }
            }
    }

    // Names of variables that hold a command for another program.
    private static let commandVariables = [
        "EDITOR", "VISUAL", "PAGER", "COMMAND", "ASKPASS", "SSH", "BROWSER", "RSH", "DIFF", "LESSOPEN", "LESSCLOSE",
    ]
    /// Variables that hold options, and what in them makes the program obey its input; whatever they hold where that is
    /// nothing.
    private static let optionVariables: [String: [String]] = [
        "TAR_OPTIONS": ["command", "exec", "script", "-F", "-I", "compress-program"], "MAKEFLAGS": ["f", "eval"],
        "GNUMAKEFLAGS": ["f", "eval"], "PERL5OPT": ["d"], "PYTHONINSPECT": [], "GIT_CONFIG_COUNT": [],
        "GIT_CONFIG_PARAMETERS": [],
    ]

    /// What a variable makes other programs run: the input as a file, or a command.
    private mutating func addValue(of assignment: String, in run: Run, _ depth: Int) {
        let parts = assignment.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        // `if=/dev/stdin` is a word of dd.
        guard parts.count == 2, !parts[0].contains(where: \.isLowercase) else { return }
        let value = String(parts[1])
        if run.isFed, CommandInput.isNamed(by: Array(value.utf8)), value != "-" { stop("the input in \(parts[0])") }
        if run.isFed, !value.isEmpty, let options = CommandTree.optionVariables[String(parts[0])],
            options.isEmpty || options.contains(where: { value.firstRange(of: $0) != nil })
        {
            stop("the options in \(parts[0])")
        }
        guard CommandTree.commandVariables.contains(where: { parts[0].hasSuffix($0) }) else { return }
        // less(1) has `|command` and `|-command` in LESSOPEN.
        let text = Array(value.utf8.drop { "|-".utf8.contains($0) })
        addShell(text, isForeign: false, in: run, depth + 1)
    }

    private mutating func stop(_ what: String?) { obstacle = obstacle ?? what }
}

extension ShellText.Word {
    /// The program that the word names with a relative path, from each of the directories.
    fileprivate func program(in directories: [PathGrant]) -> [PathGrant] {
        guard text.contains("/"), !text.hasPrefix("/"), !text.hasPrefix("-"), !text.contains("=") else { return [] }
        return directories.compactMap { PathGrant(loosely: $0.path.bytes.array + [slash] + Array(text.utf8)) }
    }

    /// The file that the word names, from each of the directories, or under each root.
    fileprivate func files(_ directories: [PathGrant], _ roots: [PathGrant]) -> [PathGrant] {
        let starts = text.hasPrefix("/") ? roots : directories
        let places = [""] + starts.map { String(decoding: $0.path.bytes.array, as: UTF8.self) }
        return places.compactMap { PathGrant(loosely: Array("\($0)/\(text)".utf8)) }
    }
}

extension ShellText.Stage {
    /// Where the shell is from here on; nil when that stays as it was.
    fileprivate func directory(in directories: [PathGrant]) -> (rule: PathGrant?, obstacle: String?)? {
        guard let first = words.first?.text, first == "cd" || first == "pushd" else { return nil }
        let operands = words.dropFirst().filter { !$0.text.hasPrefix("-") }
        guard operands.count == 1, let operand = operands.first, !operand.isSubstituted else {
            return (nil, operands.isEmpty && words.count == 1 ? nil : first)
        }
        guard let path = AbsolutePath(loosely: Array(operand.text.utf8)) else { return (nil, nil) }
        // From one that is not known to another.
        if !operand.text.hasPrefix("/"), !directories.isEmpty { return (nil, first) }
        return (PathGrant(below: path), nil)
    }
}
