import TrstctlSystem

/// Files whose content a plugin decides: through `fs.write`, or through a command that copies what it decides.
struct Reach {
    /// Under every spelling that is known.
    let rules: [PathGrant]
    /// The rule as the manifest has it.
    let capability: Capability
    let index: Int
    /// What a finding shows: the path.
    let object: Bytes
    /// How sentences begin.
    let text: String
    /// The command that copies it.
    var copied: ExecGrant?

    /// What a plugin reaches, in the order of the manifest.
    ///
    /// What one command copies another can copy on, also one of another connector; a chain longer than four is found
    /// only in part, and so is what more than 256 commands copy.
    static func all(of plugin: Plugin, _ context: LintContext, _ copies: CopyIndex) -> [Reach] {
        var reached = plugin.grants.write.enumerated().map { index, rule in
            Reach(
                rules: rule.spellings(context, followingLeaf: false), capability: .fsWrite, index: index,
                object: rule.bytes, text: "fs.write \(rule)")
        }
        var done: Set<Step> = []
        var fresh = reached
        for entry in copies.fed(by: plugin.name) {
            let found = entry.reaches(.processExec, entry.index, true, isOwn: true, from: "", context)
            guard done.insert(Step(entry: entry.number, isTree: true)).inserted else { continue }
            fresh += found
            reached += found
        }
        for _ in 0..<4 where !fresh.isEmpty {
            var next: [Reach] = []
            for reach in fresh {
                for (entry, isTree) in copies.taking(reach) where done.count < 256 {
                    let isDone = done.contains(Step(entry: entry.number, isTree: true))
                    guard !isDone, done.insert(Step(entry: entry.number, isTree: isTree)).inserted else { continue }
                    let isOwn = entry.owner == plugin.name
                    next += entry.reaches(
                        isOwn ? .processExec : reach.capability, isOwn ? entry.index : reach.index, isTree,
                        isOwn: isOwn, from: reach.text, context)
                }
            }
            reached += next
            fresh = next
        }
        return reached
    }

    private struct Step: Hashable {
        let entry: Int
        let isTree: Bool
    }
}

/// The commands of all plugins that copy, by what they read.
struct CopyIndex {
    struct Entry {
        let number: Int
        let copy: Copy
        let command: ExecGrant
        let owner: ConnectorName
        /// The position of the command's rule.
        let index: Int

        /// What it writes when a connector decides what it reads.
        func reaches(
            _ capability: Capability, _ index: Int, _ isTree: Bool, isOwn: Bool, from source: String,
            _ context: LintContext
        ) -> [Reach] {
            let text =
                isOwn
                ? "what the connector can have copied by \(command)"
                : "\(source), which the connector \(owner) copies by \(command),"
            return (isTree ? copy.trees : copy.destinations).map { destination in
                Reach(
                    rules: destination.rules.flatMap { $0.spellings(context, followingLeaf: true) },
                    capability: capability, index: index, object: destination.object, text: text, copied: command)
            }
        }
    }

    private struct Source {
        let rule: PathGrant
        let entry: Int
        /// True for what lies in the source when that is a directory.
        let isInside: Bool
    }

    private let entries: [Entry]
    private let sources: PathIndex<Source>
    private let byInput: [ConnectorName: [Int]]

    init(_ manifest: Manifest, _ context: LintContext) {
        var entries: [Entry] = []
        var sources: [Source] = []
        var byInput: [ConnectorName: [Int]] = [:]
        for plugin in manifest.plugins {
            for (index, grant) in plugin.grants.exec.enumerated() {
                for copy in Copy.all(in: grant) {
                    let number = entries.count
                    entries.append(
                        Entry(number: number, copy: copy, command: grant, owner: plugin.name, index: index))
                    if copy.readsInput { byInput[plugin.name, default: []].append(number) }
                    for source in copy.sources.flatMap({ $0.spellings(context, followingLeaf: true) }) {
                        sources.append(Source(rule: source, entry: number, isInside: false))
                        guard source.extent == .file, let below = PathGrant(below: source.path) else { continue }
                        sources.append(Source(rule: below, entry: number, isInside: true))
                    }
                }
            }
        }
        self.entries = entries
        self.byInput = byInput
        self.sources = PathIndex(sources) { $0.rule }
    }

    /// The commands of the connector that copy what it gives them as their input.
    func fed(by name: ConnectorName) -> [Entry] {
        (byInput[name] ?? []).compactMap { entries.indices.contains($0) ? entries[$0] : nil }
    }

    /// The commands that copy what is reached, and whether it can be a directory with what is in it.
    func taking(_ reach: Reach) -> [(Entry, isTree: Bool)] {
        reach.rules.flatMap { rule in
            sources.meeting(rule).compactMap { source in
                guard entries.indices.contains(source.entry) else { return nil }
                let isFile = rule.extent == .file && !source.isInside && source.rule.extent == .file
                return (entries[source.entry], !isFile)
            }
        }
    }
}
