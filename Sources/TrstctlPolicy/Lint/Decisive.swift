import TrstctlSystem

/// A file, or a directory of files, that decides which bytes run, for whichever plugin or for the host itself.
struct Decisive {
    /// Whose it is.
    enum Owner: Hashable {
        /// What `process.exec` allows this plugin depends on it.
        case plugin(ConnectorName)
        /// The host itself depends on it, for this reason; empty when the subject says it.
        case host(String)
    }

    let rule: PathGrant
    let code: LintCode
    /// What the finding is about.
    let object: Bytes
    /// What it is, behind "fs.write … reaches".
    let subject: String
    let owner: Owner
    let consequence: String
    /// Which files of the directory `rule` are meant; nil for all.
    var place: ConfigurationPlace?
    /// The command of which it is an argument, unless that is a command which runs others.
    var argumentOf: ExecGrant?

    /// True when a rule that meets this one's covers one of the files that are meant.
    func isMet(by other: PathGrant) -> Bool { place?.isMet(by: other, at: rule) ?? true }

    /// One sentence about the plugin that may write it.
    func sentence(_ reach: String, for name: ConnectorName) -> String {
        let whose =
            switch owner {
            case .plugin(name), .host(""): ""
            case .plugin(let other): " (process.exec of the connector \(other))"
            case .host(let what): " (\(what))"
            }
        return "\(reach) reaches \(subject)\(whose): \(consequence)"
    }

    /// The same at every spelling of its path.
    func spelled(_ context: LintContext) -> [Decisive] {
        rule.spellings(context, followingLeaf: true).map {
            Decisive(
                rule: $0, code: code, object: object, subject: subject, owner: owner, consequence: consequence,
                place: place, argumentOf: argumentOf)
        }
    }

    /// All of them.
    static func entries(_ manifest: Manifest, _ context: LintContext) -> [Decisive] {
        places(manifest, context)
            + manifest.plugins.flatMap { plugin in
                plugin.grants.exec.flatMap { CommandFiles($0).entries(.plugin(plugin.name)) }
            }
            + manifest.targets.flatMap { target in
                target.config.flatMap { field -> [Decisive] in
                    // The program's path needs to be absolute only, not canonical.
                    guard case .reference(.command(let words)) = field.value,
                        let program = words.first.flatMap({ AbsolutePath(loosely: Array($0.utf8)) }),
                        let command = try? ExecGrant(argv: [program.bytes] + words.dropFirst().map { Bytes($0) })
                    else { return [] }
                    return CommandFiles(command).entries(.host("the field \(field.key) of the target \(target.name)"))
                }
            }
    }

    // What the host itself runs, loads or believes.
    private static func places(_ manifest: Manifest, _ context: LintContext) -> [Decisive] {
        var entries: [Decisive] = []
        var known: Set<PathGrant> = []
        func add(_ rule: PathGrant?, _ what: String) {
            guard let rule, known.insert(rule).inserted else { return }
            entries.append(
                Decisive(
                    rule: rule, code: .replaces, object: rule.bytes, subject: "\(what), \(rule)", owner: .host(""),
                    consequence: "the connector could decide itself what runs"))
        }
        for path in context.manifest { add(PathGrant(file: path), "the manifest itself") }
        for path in context.pluginDirectories { add(PathGrant(below: path), "the directory of the connectors") }
        add(context.program.flatMap { PathGrant(file: $0) }, "the program of trstctl")
        add(context.journalDirectory.flatMap { PathGrant(below: $0) }, "the journals that a recovery obeys")
        for plugin in manifest.plugins {
            for key in plugin.signature?.keys ?? [] {
                if case .file(let path) = key.source { add(PathGrant(loosely: path.array), "a key that is trusted") }
            }
            add(plugin.script.flatMap { PathGrant(file: $0.interpreter) }, "the interpreter of a connector")
            for path in plugin.libraries { add(PathGrant(below: path), "libraries that a connector loads") }
        }
        return entries
    }
}

/// The files on which it depends what a command does.
struct CommandFiles {
    private let command: ExecGrant

    init(_ command: ExecGrant) {
        self.command = command
    }

    /// The program, its configuration, and what its arguments name.
    func entries(_ owner: Decisive.Owner) -> [Decisive] {
        let program = PathGrant(file: command.program).map {
            Decisive(
                rule: $0, code: .replaces, object: command.program.bytes,
                subject: "the program \(command.program), which may be run", owner: owner,
                consequence: "the connector could run anything")
        }
        let configuration = KnownPrograms.configuration(of: command)
        return [program].compactMap(\.self)
            + configuration.map { place in
                Decisive(
                    rule: place.rule, code: .configures, object: command.program.bytes,
                    subject: "\(place.text), from which \(command) takes what it does", owner: owner,
                    consequence: "a module to load, a file to serve, a user to run as; the connector could run "
                        + "anything; grant the certificate's and the key's exact files instead", place: place)
            }
            + named(isConfigured: !configuration.isEmpty).map { argument($0, !configuration.isEmpty, owner) }
    }

    private func argument(_ named: NamedFile, _ isConfigured: Bool, _ owner: Decisive.Owner) -> Decisive {
        if named.isRun {
            Decisive(
                rule: named.rule, code: .replaces, object: named.object,
                subject: "\(named.rule), which \(command) runs or loads", owner: owner,
                consequence: "the connector could run anything",
                argumentOf: command.isWrapper ? nil : command)
        } else if isConfigured {
            Decisive(
                rule: named.rule, code: .configures, object: command.program.bytes,
                subject: "\(named.rule), which \(command) takes its configuration from", owner: owner,
                consequence: "the connector could run anything")
        } else {
            Decisive(
                rule: named.rule, code: .writesArgument, object: named.object,
                subject: "\(named.rule), which \(command) reads", owner: owner,
                consequence: "make sure that it cannot hold commands")
        }
    }

    private func named(isConfigured: Bool) -> [NamedFile] {
        var files = NamedFile.all(in: command)
        guard isConfigured else { return files }
        // A server's own directory is given by one argument, the file in it by another, or not at all.
        let words = command.arguments.compactMap(\.literal).map(\.array)
            .filter { $0.first != slash && $0.first != UInt8(ascii: "-") && !$0.isEmpty }
        let inside = words + ["conf/nginx.conf", "conf/httpd.conf"].map { Array($0.utf8) }
        for directory in files where directory.rule.extent == .file {
            files += inside.compactMap { word in
                PathGrant(loosely: directory.rule.path.bytes.array + [slash] + word).map {
                    NamedFile(rule: $0, object: $0.bytes, isRun: false)
                }
            }
        }
        return files
    }
}
