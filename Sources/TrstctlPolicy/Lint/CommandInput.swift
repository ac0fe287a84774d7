import TrstctlSystem

/// What a command makes of its input: every byte of it is the connector's choice.
enum CommandInput {
    /// True for the names under which a command finds its own input, proc(5).
    static func isNamed(by text: [UInt8]) -> Bool {
        if text == [UInt8(ascii: "-")] { return true }
        guard let start = text.firstIndex(of: slash) else { return false }
        return isFile(AbsolutePath(loosely: Array(text[start...]))) || isFile(AbsolutePath(loosely: text))
    }

    private static func isFile(_ path: AbsolutePath?) -> Bool {
        guard let path, let file = PathGrant(file: path)?.withoutKnownLinks else { return false }
        return file.path.components.map { $0.text ?? "" } == ["dev", "stdin"] || (number(file.path) ?? 1) == 0
            || isCopied(file.path)
    }

    /// The descriptor that a name in /dev/fd, or in /proc, stands for.
    private static func number(_ path: AbsolutePath) -> Int? {
        let parts = path.components.map { $0.text ?? "" }
        let isDescriptor =
            parts.count == 3 && parts[0] == "dev" && parts[1] == "fd"
            || parts.count >= 4 && parts[0] == "proc" && parts[parts.count - 2] == "fd"
        return isDescriptor ? parts.last.flatMap { Int($0) } : nil
    }

    // Above the first three a command has only what a shell copied there, `exec 3<&0`.
    private static func isCopied(_ path: AbsolutePath) -> Bool { number(path).map { $0 > 2 } ?? false }

    /// True for a name of what can be the input of a shell under another number, whatever a command reads otherwise.
    static func isCopied(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        let behind = bytes.firstIndex(of: slash).map { Array(bytes[$0...]) } ?? bytes
        return [bytes, behind].contains { name in
            AbsolutePath(loosely: name).flatMap { PathGrant(file: $0) }.map { isCopied($0.withoutKnownLinks.path) }
                ?? false
        }
    }

    /// True when one of the arguments, or the value behind its option, is the input.
    static func isNamed(in command: ExecGrant) -> Bool {
        command.arguments.contains { isNamed(as: $0) }
    }

    private static func isNamed(as argument: ArgumentPattern) -> Bool {
        guard let text = argument.literal?.array else { return false }
        guard let equals = text.firstIndex(of: UInt8(ascii: "=")) else {
            // -f-, -qf-, and -f/dev/stdin.
            guard text.first == UInt8(ascii: "-"), text != Array("--".utf8) else { return isNamed(by: text) }
            let values = [text, Array(text.dropFirst(2)), Array(text.dropFirst().drop(while: \.isASCIILetter))]
            return values.contains { isNamed(by: $0) }
        }
        return isNamed(by: text) || isNamed(by: Array(text[(equals + 1)...]))
    }

    /// What the connector decides by a command's input.
    enum Choice: Equatable {
        /// What the command takes from it.
        case taken(String)
        /// Perhaps anything, because this in the text of a shell cannot be read without running it.
        case unreadable(String)
    }

    /// What the command, or one that it runs, takes from its input so that the connector decides what runs; nil when
    /// it takes nothing, or only bytes.
    static func choice(in command: ExecGrant) -> Choice? {
        let tree = CommandTree(command)
        // Behind so many nobody can see the next one.
        if tree.isTruncated { return .taken("perhaps what it runs, for it has too many commands,") }
        if let choice = tree.runs.lazy.filter(\.isFed).compactMap({ direct($0.command) }).first {
            return .taken(choice)
        }
        if tree.hasFedWords { return .taken("the words of a command that it runs") }
        return tree.obstacle.map { .unreadable($0) }
    }

    private static func direct(_ command: ExecGrant) -> String? {
        if let unpacking = Unpacking(command) {
            return unpacking.writesAnywhere ? "which files of this machine it writes" : nil
        }
        let power = KnownPrograms.power(of: command.program)
        let isConfigured = !KnownPrograms.configuration(of: command).isEmpty && !power.isInterpreter
        // The ends that socat joins are looked at below.
        let runsFiles = power.runsFiles && !KnownPrograms.isOne(command.program, of: ["socat"])
        var isObeyed = false
        for argument in command.arguments {
            let isObeying = power.isRunningOption(argument)
            if runsFiles || isConfigured || isObeyed || isObeying, isNamed(as: argument) { return "what it does" }
            isObeyed = isObeying
        }
        if KnownPrograms.obeysInput(command) { return "what it runs" }
        return KnownPrograms.addsWords(command) ? "the words of a command that it runs" : nil
    }
}

extension KnownPrograms {
    // With one of these options a language does not run what it reads.
    private static let scriptOptions: Set<String> = [
        "-c", "-e", "-E", "-f", "-m", "-r", "-R", "-p", "-V", "-v", "--version", "--help", "--command", "--execute",
        "--eval", "--file", "-l", "--list", "-x", "--batch", "-ex",
    ]
    /// Whose input is commands whatever they are given.
    private static let alwaysObeying: Set<String> = [
        "ed", "red", "ex", "chpasswd", "chgpasswd", "batch", "sftp-server", "newgrp", "login", "systemd-nspawn",
    ]
    /// Those of vi; with -e they read commands.
    private static let editors: Set<String> = ["vi", "vim", "nvim", "view", "rvim", "rview", "vimdiff"]
    /// Whose input is commands, `!sh` among them, whatever else they are given.
    private static let obeyingClients: Set<String> = ["ftp", "smbclient", "sqlplus", "mongo", "mongosh"]
    /// What opens a shell, which reads its input, when no command is given.
    private static let shellOpeners: Set<String> = ["nsenter", "unshare", "chroot", "su", "runuser", "sg", "script"]

    /// True for a command that does what its input says.
    static func obeysInput(_ command: ExecGrant) -> Bool {
        let program = command.program
        let words = command.words
        func has(_ options: Set<String>) -> Bool { words.contains { isOption($0, of: options) } }
        let operands = words.filter { !$0.hasPrefix("-") }
        if isOne(program, of: alwaysObeying) { return true }
        if isShell(program) {
            return words.contains("-s") || (operands.isEmpty && !has(["-c", "--version", "--help"]))
        }
        if isOne(program, of: ["psql", "mysql", "mariadb"]) {
            return !has(queries) || words.contains { hasEscape($0, of: ["\\!", "\\i", "\\copy", "\\o", "system "]) }
        }
        if isOne(program, of: ["sqlite3"]) {
            return operands.count < 2 && !has(["-version", "-help"])
                || operands.contains { hasEscape($0, of: [".sh", ".sy", ".re", ".im", ".lo"]) }
        }
        if let obeys = obeysInput(program, words, operands) { return obeys }
        if isOne(program, of: ["at"]) {
            return !has(["-f", "-c", "-l", "-d", "-r", "-V"])
        }
        if isOne(program, of: ["debugfs"]) { return !has(["-R", "-f"]) }
        if isOne(program, of: ["gdb", "lldb"]) { return !has(["-batch", "--batch", "-b"]) }
        if isOne(program, of: ["ipset"]) {
            return (operands.first == "restore" || words.contains("-R")) && !has(["-f", "-file"])
        }
        if isOne(program, of: ["sudo", "doas"]) {
            return operands.isEmpty && has(["-s", "-i", "--shell", "--login"])
        }
        if isOne(program, of: shellOpeners) {
            let isNamed = isOne(program, of: ["su", "sg", "runuser", "chroot", "script"])
            if isOne(program, of: ["su", "runuser"]), !words.contains("-u") {
                // The shell's own words stand behind the user's name, and the user's name may stand anywhere.
                return !has(["-c", "--command", "--session-command", "--version", "--help", "-V", "-h"])
            }
            let others = operands.filter { !$0.allSatisfy(\.isNumber) }
            return others.count <= (isNamed ? 1 : 0) && !has(["-c", "--command", "--session-command"])
        }
        if isOne(program, of: editors), has(["-e", "-E"]) {
            return !words.contains { ["q", "x", "wq", "qa", "xa", "wqa"].contains(editorCommand($0)) }
        }
        if isOne(program, of: obeyingClients) {
            return !has(["-c", "--command", "--eval", "-f", "--file", "--version", "--help"])
                && !operands.contains { $0.hasSuffix(".js") }
        }
        if isOne(program, of: ["crontab"]) {
            let users = zip(words, words.dropFirst()).filter { $0.0 == "-u" }.count
            return operands.count == users && !has(scriptOptions)
        }
        if isOne(program, of: obeyingWithoutFile) { return operands.isEmpty && !has(scriptOptions) }
        return false
    }

    // `+wq`, `-cwq`, `wq!`.
    private static func editorCommand(_ word: String) -> String {
        let text = word.hasPrefix("+") ? word.dropFirst() : word.hasPrefix("-c") ? word.dropFirst(2) : word[...]
        return String(text.hasSuffix("!") ? text.dropLast() : text)
    }

    // One word, or its absence, that opens a way for the input.
    private static func obeysInput(_ program: AbsolutePath, _ words: [String], _ operands: [String]) -> Bool? {
        func has(_ options: Set<String>) -> Bool { words.contains { isOption($0, of: options) } }
        if isOne(
            program,
            of: ["virsh", "augtool", "varnishadm", "supervisorctl", "debconf-communicate", "openssl", "pkexec"])
        {
            return operands.isEmpty && !has(["-f", "--file", "--version", "--help"])
        }
        if isOne(program, of: ["passwd"]) {
            return !has(["-l", "-u", "-S", "-d", "-e", "-n", "-x", "-w", "-i", "--lock", "--unlock", "--status"])
        }
        if isOne(program, of: ["perl"]), has(["-x"]), !has(["-e", "-E"]) { return operands.isEmpty }
        if isOne(program, of: ["python", "pypy"]), words.contains("-m"), operands.first == "code" { return true }
        if isOne(program, of: ["puppet"]) { return operands == ["apply"] && !has(["-e", "--execute"]) }
        if isOne(program, of: ["split"]) { return has(["--filter"]) }
        if isOne(program, of: ["sort"]) { return has(["--compress-program"]) }
        if isOne(program, of: ["nft", "fail2ban-client"]) { return has(["-i", "--interactive"]) }
        if isOne(program, of: ["tmux"]) { return has(["-C"]) }
        if isOne(program, of: ["machinectl"]) { return operands.contains { $0 == "shell" || $0 == "login" } }
        if isOne(program, of: ["capsh"]), words.contains("--") { return !has(["-c"]) }
        if isOne(program, of: ["openvpn"]) { return words.contains("stdin") }
        if isOne(program, of: ["systemctl"]) { return words.contains("edit") && has(["--stdin"]) }
        if isOne(program, of: ["semanage"]) { return words.contains("import") && !has(["-f", "--input_file"]) }
        if isOne(program, of: ["ldapmodify", "ldapadd"]) {
            return words.contains { $0.contains("ldapi:") } && (!has(["-f"]) || words.contains(where: hasInputName))
        }
        if isOne(program, of: ["socat"]) {
            let opened = ["exec:", "system:", "shell:", "open:", "create:", "creat:", "gopen:", "file:"]
            return words.contains { word in opened.contains { word.lowercased().contains($0) } }
        }
        if isOne(program, of: ["parallel"]), operands.first?.hasPrefix("{") ?? false { return true }
        if isOne(program, of: ["git"]) {
            let setting = words.firstIndex(of: "-c").map { words[$0...].joined(separator: " ").lowercased() } ?? ""
            return hasEscape(
                setting, of: ["!", "pager", "editor", "command", "hook", "fsmonitor", "program", "askpass"])
        }
        return nil
    }

    private static func hasInputName(_ word: String) -> Bool { CommandInput.isNamed(by: Array(word.utf8)) }

    private static func hasEscape(_ text: String, of escapes: [String]) -> Bool {
        escapes.contains { text.firstRange(of: $0) != nil }
    }

    private static let queries: Set<String> = [
        "-c", "-f", "-e", "-l",
        "--command", "--file", "--execute", "--list", "--version", "--help", "-V", "-?",
    ]

    /// True for xargs and its like before a program that can do anything by its arguments.
    static func addsWords(_ command: ExecGrant) -> Bool {
        guard isOne(command.program, of: ["xargs", "parallel"]) else { return false }
        return CommandTree(command).runs.dropFirst().contains {
            power(of: $0.command.program).isVersatile || isManager($0.command.program)
        } || !configuration(of: command).isEmpty
    }

    // -c, --command=x, -ec, and -cX.
    private static func isOption(_ word: String, of options: Set<String>) -> Bool {
        guard word.hasPrefix("-") else { return false }
        if options.contains(String(word.prefix { $0 != "=" })) { return true }
        return ShortOptions(word)?.containsAny(where: { options.contains("-\($0)") }) ?? false
    }
}
