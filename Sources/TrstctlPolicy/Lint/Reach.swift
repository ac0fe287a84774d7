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

    /// What a plugin reaches, in the order of the manifest.
    static func all(of plugin: Plugin, _ context: LintContext) -> [Reach] {
        var reached = plugin.grants.write.enumerated().map { index, rule in
            Reach(
                rules: rule.spellings(context, followingLeaf: false), capability: .fsWrite, index: index,
                object: rule.bytes, text: "fs.write \(rule)")
        }
        // What one copies another can copy on; a longer chain than this is found only in part.
        var left = plugin.grants.exec.enumerated().map { (index: $0.offset, copy: Copy($0.element)) }
            .filter { $0.copy != nil }
        for _ in 0..<3 {
            let ready = left.filter { $0.copy?.takes(from: reached) ?? false }
            guard !ready.isEmpty else { break }
            left.removeAll { entry in ready.contains { $0.index == entry.index } }
            for entry in ready {
                let command = plugin.grants.exec[entry.index]
                reached += (entry.copy?.destinations ?? []).map { destination in
                    Reach(
                        rules: destination.rules.flatMap { $0.spellings(context, followingLeaf: true) },
                        capability: .processExec, index: entry.index, object: destination.object,
                        text: "what the connector can have copied by \(command)")
                }
            }
        }
        return reached
    }
}

/// A command that writes to one file what it reads from another, or from its input.
private struct Copy {
    let destinations: [(object: Bytes, rules: [PathGrant])]
    private let sources: [PathGrant]
    private let readsInput: Bool

    private static let outputs: Set<String> = ["-o", "-O", "-t", "-out", "--output", "--target-directory"]
    private static let outputPrefixes = ["of=", "--output=", "--target-directory="]
    /// What writes to a file only when an option says so, and otherwise to its output.
    private static let printers: Set<String> = ["openssl", "dd", "sort", "base64", "base32", "iconv"]
    private static let inputs: Set<String> = ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"]

    /// Nil for a command that does not copy, as far as is known.
    init?(_ command: ExecGrant) {
        guard KnownPrograms.power(of: command.program).copies else { return nil }
        let name = KnownPrograms.names(command.program).first ?? ""
        let words = command.arguments.map { String(decoding: $0.literalPrefix, as: UTF8.self) }
        let paths = words.indices.filter { words[$0].contains("/") && !words[$0].hasPrefix("if=") }
        let named = command.arguments.map(\.wholeFile)
        var written = paths.filter { index in
            index > 0 && Copy.outputs.contains(words[index - 1])
                || Copy.outputPrefixes.contains(where: words[index].hasPrefix)
        }
        if name == "tee" || name == "sponge" { written = paths }
        if written.isEmpty, !Copy.printers.contains(name) { written = Array(paths.suffix(1)) }
        guard !written.isEmpty else { return nil }
        let sources = named.indices.filter { !written.contains($0) }.compactMap { named[$0] }
        self.sources = sources
        destinations = written.compactMap { index in
            named[index].map { file in (file.bytes, Copy.rules(file, sources, name)) }
        }
        readsInput =
            name == "tee" || name == "sponge" || words.contains(where: Copy.inputs.contains)
            || (name == "dd" && !words.contains { $0.hasPrefix("if=") })
            || (name == "openssl" && !words.contains("-in"))
    }

    /// The destination itself or, when that is a directory, what goes into it under the names of the sources.
    private static func rules(_ file: PathGrant, _ sources: [PathGrant], _ name: String) -> [PathGrant] {
        let inside = sources.compactMap { source in
            source.path.leaf.flatMap { PathGrant(loosely: file.path.bytes.array + [slash] + $0.array) }
        }
        return [file] + inside + inside.compactMap { PathGrant(below: $0.path) }
            + (name == "rsync" || name == "scp" ? [PathGrant(below: file.path)].compactMap(\.self) : [])
    }

    /// True when the connector decides what is copied.
    func takes(from reached: [Reach]) -> Bool {
        readsInput
            || sources.contains { source in
                // A directory is copied with what is in it.
                let below = PathGrant(below: source.path)
                return reached.contains { $0.rules.contains { $0.meets(source) || (below?.meets($0) ?? false) } }
            }
    }
}
