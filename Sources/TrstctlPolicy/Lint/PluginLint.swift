import TrstctlSystem

/// The linter's work on one plugin: what it found so far, and which acknowledgements it used.
struct PluginLint {
    let plugin: Plugin
    let context: LintContext
    /// The files that the plugin decides about.
    let reaches: [Reach]
    private var found: [LintFinding] = []
    private var used: Set<Acknowledgement> = []

    init(_ plugin: Plugin, _ context: LintContext, _ copies: CopyIndex) {
        self.plugin = plugin
        self.context = context
        reaches = Reach.all(of: plugin, context, copies)
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

    mutating func add(_ code: LintCode, _ object: Bytes, _ place: LintFinding.Place, _ sentence: String) {
        let finding = LintFinding(
            code: code, plugin: plugin.name, place: place, object: object, sentence: sentence)
        if let text = finding.acknowledgement, plugin.acknowledged.contains(text) {
            used.insert(text)
        } else if !found.contains(where: { $0.code == code && $0.object == object }) {
            found.append(finding)
        }
    }

    /// Writing what decides which bytes run, for this plugin, for any other, or for the host.
    mutating func checkReplacement(_ decisive: PathIndex<Decisive>) {
        for reach in reaches {
            let met = reach.rules.flatMap { rule in decisive.meeting(rule).filter { $0.isMet(by: rule) } }
                .filter { entry in
                    // That a command names the file that it copies to says nothing.
                    reach.copied.map { entry.code != .writesArgument && entry.argumentOf != $0 } ?? true
                }
            let own = met.filter { $0.owner == .plugin(plugin.name) }
            // A finding about another plugin that is also one about this is told once, about this.
            for entry in own + met.filter({ $0.owner != .plugin(plugin.name) }) {
                add(
                    entry.code, entry.object, .rule(reach.capability, reach.index),
                    entry.sentence(reach.text, for: plugin.name))
            }
        }
    }

    /// Commands: what runs others, and what a hole would choose.
    mutating func checkCommands() {
        for (index, grant) in plugin.grants.exec.enumerated() {
            let program = grant.program
            if KnownPrograms.power(of: program).isInterpreter {
                add(
                    .interpreter, program.bytes, .rule(.processExec, index),
                    "\(program) runs what its arguments or its input say, so this command can amount to any other")
            }
            if KnownPrograms.controlsServices(grant) {
                add(
                    .controlsServices, program.bytes, .rule(.processExec, index),
                    "\(grant) changes what services are and what they run")
            }
            switch CommandInput.choice(in: grant) {
            case .taken(let choice):
                add(
                    .chooses, program.bytes, .rule(.processExec, index),
                    "\(grant) takes \(choice) from its input, which the connector gives it; let it read a file that the "
                        + "connector cannot write")
            case .unreadable(let what):
                add(
                    .chooses, program.bytes, .rule(.processExec, index),
                    "\(grant) has \(what) in the text of a shell, which cannot be read without running it, so that it counts "
                        + "as able to do all that a shell can do with its input, which the connector gives it; write plain "
                        + "commands, or put the text into a file")
            case nil: break
            }
            if let choice = KnownPrograms.choice(by: grant) {
                add(
                    .chooses, program.bytes, .rule(.processExec, index),
                    "\(grant) lets the connector choose \(choice); write one command for each case instead")
            } else if grant.arguments.flatMap(\.holes).contains(where: \.isOpen) {
                add(
                    .openArgument, program.bytes, .rule(.processExec, index),
                    "\(grant) lets the connector choose a word of the command: make sure that each does no harm")
            }
        }
    }
}

extension Hole {
    /// True when it lets a connector choose a word, and not only a number or a digest.
    fileprivate var isOpen: Bool {
        if case .word = self { self != .fingerprint } else { false }
    }
}
