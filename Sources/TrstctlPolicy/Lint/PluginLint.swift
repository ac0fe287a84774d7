import TrstctlSystem

/// The linter's work on one plugin.
struct PluginLint {
    private let plugin: Plugin
    /// The write rules behind the system's own links, in the order of the manifest.
    private let writes: [PathGrant]
    private var found: [LintFinding] = []
    private var used: Set<Acknowledgement> = []

    init(_ plugin: Plugin) {
        self.plugin = plugin
        writes = plugin.grants.write.map(\.withoutKnownLinks)
        if plugin.confinement == .off { used.insert(.unconfined) }
    }

    /// The findings, and the acknowledgements that silenced none.
    var result: [LintFinding] {
        found
            + plugin.acknowledged.enumerated().filter { !used.contains($0.element) }.map { index, text in
                LintFinding(
                    code: .unusedAcknowledgement, plugin: plugin.name, place: .acknowledgement(index),
                    object: text.text, sentence: "nothing needs this acknowledgement any more; remove it")
            }
    }

    private mutating func add(
        _ code: LintCode, _ object: Bytes, _ capability: Capability, _ index: Int, _ sentence: String
    ) {
        let finding = LintFinding(
            code: code, plugin: plugin.name, place: .rule(capability, index), object: object, sentence: sentence)
        if let text = finding.acknowledgement, plugin.acknowledged.contains(text) {
            used.insert(text)
        } else if !found.contains(where: { $0.code == code && $0.object == object }) {
            found.append(finding)
        }
    }

    /// Writing what decides which bytes run.
    mutating func checkReplacement(_ decisive: Decisive) {
        for (index, rule) in writes.enumerated() {
            for entry in decisive.objects where rule.meets(entry.rule) {
                add(
                    .replaces, entry.object, .fsWrite, index,
                    "fs.write \(plugin.grants.write[index]) reaches \(entry.what), \(printable(entry.object)): "
                        + "the connector could decide itself what runs")
            }
        }
    }

    /// Commands: what runs others, and what the connector may write of what they read.
    mutating func checkCommands() {
        for (index, grant) in plugin.grants.exec.enumerated() {
            let program = grant.program
            let isInterpreter = KnownPrograms.isInterpreter(program)
            if isInterpreter {
                add(
                    .interpreter, program.bytes, .processExec, index,
                    "\(program) runs what its arguments or its input say, so this command can amount to any other")
            }
            if KnownPrograms.controlsServices(grant) {
                add(
                    .controlsServices, program.bytes, .processExec, index,
                    "\(grant) changes what services are and what they run")
            }
            if let write = writer(of: program) {
                add(
                    .replaces, program.bytes, .fsWrite, write,
                    "fs.write \(plugin.grants.write[write]) reaches the program \(program), which process.exec allows to "
                        + "run: the connector could run anything")
            }
            checkHoles(grant, index)
            checkConfiguration(grant)
            checkArguments(grant, isInterpreter: isInterpreter)
        }
    }

    private mutating func checkHoles(_ grant: ExecGrant, _ index: Int) {
        if let choice = KnownPrograms.choice(by: grant) {
            add(
                .chooses, grant.program.bytes, .processExec, index,
                "\(grant) lets the connector choose \(choice); write one command for each case instead")
        } else if grant.arguments.flatMap(\.holes).contains(where: \.isOpen) {
            add(
                .openArgument, grant.program.bytes, .processExec, index,
                "\(grant) lets the connector choose a word of the command: make sure that each does no harm")
        }
    }

    private mutating func checkConfiguration(_ grant: ExecGrant) {
        for place in KnownPrograms.configuration(of: grant).map(\.withoutKnownLinks) {
            guard let write = writes.firstIndex(where: { $0.meets(place) }) else { continue }
            add(
                .configures, grant.program.bytes, .fsWrite, write,
                "fs.write \(plugin.grants.write[write]) reaches \(place), from which \(grant) takes what it does (a module "
                    + "to load, a file to serve, a user to run as): the connector could run anything; grant the "
                    + "certificate's and the key's exact files instead")
        }
    }

    private mutating func checkArguments(_ grant: ExecGrant, isInterpreter: Bool) {
        let isConfigured = !KnownPrograms.configuration(of: grant).isEmpty
        for named in grant.arguments.compactMap(\.namedFiles) {
            guard let write = writes.firstIndex(where: { $0.meets(named.withoutKnownLinks) }) else { continue }
            let rule = plugin.grants.write[write]
            let path = named.description
            if isInterpreter {
                add(
                    .replaces, named.bytes, .fsWrite, write,
                    "fs.write \(rule) reaches \(path), which \(grant) runs: the connector could run anything")
            } else if isConfigured {
                add(
                    .configures, grant.program.bytes, .fsWrite, write,
                    "fs.write \(rule) reaches \(path), which \(grant) takes its configuration from")
            } else {
                add(
                    .writesArgument, named.bytes, .fsWrite, write,
                    "fs.write \(rule) reaches \(path), which \(grant) reads: make sure that it cannot hold commands")
            }
        }
    }

    private func writer(of path: AbsolutePath) -> Int? {
        guard let rule = PathGrant(file: path)?.withoutKnownLinks else { return nil }
        return writes.firstIndex { $0.covers(rule.path) }
    }

    /// Writing where the system itself looks.
    mutating func checkPlaces(_ context: LintContext) {
        for (index, rule) in writes.enumerated() {
            let written = plugin.grants.write[index]
            for place in SensitivePlaces.written where place.rules.contains(where: { rule.meets($0) }) {
                add(place.code, written.bytes, .fsWrite, index, "fs.write \(written): \(place.sentence)")
            }
            if let state = context.stateDirectory.flatMap({ PathGrant(below: $0) }), rule.meets(state) {
                add(
                    .writesState, written.bytes, .fsWrite, index,
                    "fs.write \(written): the host keeps there what it puts back after a failure, and its audit log")
            }
            if rule.extent == .file, rule.path.parent == context.directory, !context.manifest.contains(rule.path) {
                add(
                    .writesManifestDirectory, written.bytes, .fsWrite, index,
                    "fs.write \(written): the file lies beside the manifest; keep what connectors write elsewhere")
            }
        }
    }

    /// Sockets whose other end obeys like root.
    mutating func checkSockets() {
        for (index, rule) in plugin.grants.dial.enumerated() {
            guard case .socket(let path) = rule.peer, let file = PathGrant(file: path)?.withoutKnownLinks else {
                continue
            }
            guard SensitivePlaces.sockets.contains(file.path) else { continue }
            add(
                .controlsHost, path.bytes, .netDial, index,
                "net.dial \(rule): whoever may talk to this socket controls the whole machine")
        }
    }

    /// Keys and other secrets that could be read, or credentials that could be changed.
    mutating func checkSecrets(_ manifest: Manifest, _ context: LintContext) {
        for (index, rule) in plugin.grants.read.enumerated() {
            let real = rule.withoutKnownLinks
            for place in SensitivePlaces.read where place.rules.contains(where: { real.meets($0) }) {
                add(place.code, rule.bytes, .fsRead, index, "fs.read \(rule): \(place.sentence)")
            }
        }
        for target in manifest.targets where target.connector == plugin.name {
            for path in target.keyPaths(context.directory) {
                guard let read = plugin.grants.read.firstIndex(where: { $0.covers(path) }),
                    plugin.grants.write.contains(where: { $0.covers(path) })
                else { continue }
                add(
                    .readsWrittenKey, path.bytes, .fsRead, read,
                    "fs.read \(plugin.grants.read[read]) reaches \(path), where the host puts the private key of target "
                        + "\(target.name): the connector could read the key that it otherwise never sees; grant fs.read "
                        + "on the certificate's exact file only")
            }
            if let source = manifest.credential(target.credential) { check(source) }
        }
    }

    private mutating func check(_ source: CredentialSource) {
        if let key = try? AbsolutePath(source.key), let read = plugin.grants.read.firstIndex(where: { $0.covers(key) })
        {
            add(
                .readsCredentialKey, key.bytes, .fsRead, read,
                "fs.read \(plugin.grants.read[read]) reaches the private key of the credential \(source.name): "
                    + "the connector could read it")
        }
        for file in [source.certificate, source.key] + [source.chain].compactMap(\.self) {
            guard let path = try? AbsolutePath(file), let write = writer(of: path) else { continue }
            add(
                .writesCredential, path.bytes, .fsWrite, write,
                "fs.write \(plugin.grants.write[write]) reaches \(path), which the credential \(source.name) is read from"
            )
        }
    }
}

extension ArgumentPattern {
    /// The files that the argument can name: one, or those of a directory when a hole stands in the path; nil for none.
    fileprivate var namedFiles: PathGrant? {
        let text = literal?.array ?? literalPrefix
        guard let start = text.firstIndex(of: slash) else { return nil }
        if literal != nil { return (try? AbsolutePath(Bytes(Array(text[start...])))).flatMap { PathGrant(file: $0) } }
        guard let end = text.lastIndex(of: slash), start < end else { return nil }
        return (try? AbsolutePath(Bytes(Array(text[start..<end])))).flatMap { PathGrant(below: $0) }
    }
}

extension Hole {
    /// True when it lets a connector choose a word, and not only a number or a digest.
    fileprivate var isOpen: Bool {
        if case .word = self { self != .fingerprint } else { false }
    }
}

extension Target {
    private static let keyWords = ["key", "pem", "bundle", "combined", "pfx", "p12", "pkcs"]

    /// The paths in the configuration that, by their field's name, receive a private key.
    fileprivate func keyPaths(_ directory: AbsolutePath) -> [AbsolutePath] {
        config.compactMap { field in
            let name = Array(field.key.utf8).map(lowerCased)
            guard Target.keyWords.contains(where: { name.firstRange(of: Array($0.utf8)) != nil }),
                case .string(let text) = field.value
            else { return nil }
            let bytes = Array(text.utf8)
            let base = directory.components.isEmpty ? [] : directory.bytes.array
            return try? AbsolutePath(Bytes(bytes.first == slash ? bytes : base + [slash] + bytes))
        }
    }
}
