import TrstctlSystem

/// A command that writes to files what it reads from others, or from its input.
struct Copy {
    /// The files it writes, and for a directory those in it under the names of the sources.
    private(set) var destinations: [(object: Bytes, rules: [PathGrant])]
    /// The same when a source can be a directory, with what is in it.
    private(set) var trees: [(object: Bytes, rules: [PathGrant])]
    private(set) var sources: [PathGrant]
    /// True when the connector that runs it decides what is copied, by its input.
    private(set) var readsInput: Bool

    /// What the command copies, and the commands that it runs, and the shell that directs their output to files.
    static func all(in command: ExecGrant) -> [Copy] {
        let tree = CommandTree(command)
        let copies = tree.runs.compactMap { run -> Copy? in
            guard var copy = Copy(run.command) else { return nil }
            if copy.readsInput { copy.sources += run.sources }
            copy.readsInput = copy.readsInput && run.isFed
            copy.start(in: run.directories)
            return copy
        }
        return copies + tree.redirections.map { Copy($0) }
    }

    private init(_ redirection: Redirection) {
        destinations = [(object: redirection.target.bytes, rules: [redirection.target])]
        (trees, sources, readsInput) = (destinations, redirection.sources, redirection.isFed)
    }

    // Which of its paths are relative is forgotten; to look for the others there too does no harm.
    private mutating func start(in directories: [PathGrant]) {
        func moved(_ rules: [PathGrant]) -> [PathGrant] {
            directories.flatMap { directory in
                rules.compactMap { try? PathGrant(Bytes(directory.path.bytes.array + $0.bytes.array)) }
            }
        }
        sources += moved(sources)
        destinations += destinations.flatMap { moved($0.rules) }.map { (object: $0.bytes, rules: [$0]) }
        trees += trees.flatMap { moved($0.rules) }.map { (object: $0.bytes, rules: [$0]) }
    }

    /// Nil for a command that does not copy, as far as is known.
    private init?(_ command: ExecGrant) {
        if let unpacking = Unpacking(command), let directory = unpacking.directory {
            let destination = [(object: directory.bytes, rules: [directory])]
            (destinations, trees, sources, readsInput) = (destination, destination, [], true)
            return
        }
        guard KnownPrograms.power(of: command.program).copies else { return nil }
        let name = KnownPrograms.names(command.program).first ?? ""
        let syntax = CopySyntax.of(name)
        let parsed = syntax.read(command)
        let written = parsed.written
        sources = parsed.sources
        // Beneath the root everything is reached that anybody looks at.
        let root = parsed.writesRoot ? PathGrant.everything : []
        guard !written.isEmpty || parsed.writesRoot else { return nil }
        let leaves = parsed.sources.compactMap { $0.path.leaf?.array }
        let files = written.map { file in
            let base = file.path.bytes.array + [slash]
            return (object: file.bytes, rules: [file] + leaves.compactMap { PathGrant(loosely: base + $0) })
        }
        let besides = leaves.compactMap { PathGrant(loosely: [slash] + $0) }
        destinations = files + (parsed.writesRoot ? [(object: Bytes("/"), rules: besides)] : [])
        // What `split` writes has names that begin with what it is given.
        let isPrefix = name == "split" || name == "csplit"
        guard parsed.isRecursive || isPrefix else {
            trees = destinations
            readsInput = parsed.readsInput
            return
        }
        trees =
            files.map { file in
                let path = PathGrant(loosely: file.object.array)?.path
                let below = (isPrefix ? path?.parent : path).flatMap { PathGrant(below: $0) }
                return (object: file.object, rules: file.rules + [below].compactMap(\.self))
            } + (parsed.writesRoot ? [(object: Bytes("/"), rules: besides + root)] : [])
        readsInput = parsed.readsInput
    }
}
