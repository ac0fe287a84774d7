import TrstctlSystem

extension PathGrant {
    /// The rule for exactly this file; nil for `/`.
    init?(file path: AbsolutePath) {
        guard let rule = try? PathGrant(path.bytes) else { return nil }
        self = rule
    }

    /// The rule for everything below this directory; nil for `/`.
    init?(below path: AbsolutePath) {
        guard let rule = try? PathGrant(Bytes(path.bytes.array + [slash])) else { return nil }
        self = rule
    }

    /// The rule for the file that these bytes name from `/`, read as the kernel reads a path without links; nil for `/`
    /// and for what is no path.
    init?(loosely text: [UInt8]) {
        guard let path = AbsolutePath(loosely: text) else { return nil }
        self.init(file: path)
    }

    /// True when some object is covered by both.
    func meets(_ other: PathGrant) -> Bool { covers(other) || other.covers(self) }

    /// The same rule behind the links that distributions with a merged /usr have, see file-hierarchy(7), and behind those
    /// in /proc that lead to `/`, see proc(5).
    var withoutKnownLinks: PathGrant {
        var array = PathGrant.withoutProcLinks(bytes.array)
        for link in PathGrant.knownLinks where array.starts(with: link.from.utf8) {
            array = Array(link.to.utf8) + array.dropFirst(link.from.utf8.count)
        }
        return (try? PathGrant(Bytes(array))) ?? self
    }

    // /proc/N/root, and cwd, of every process and thread: the host and its commands run in `/`.
    private static func withoutProcLinks(_ text: [UInt8]) -> [UInt8] {
        var text = text
        while true {
            // Empty, "proc", N, "root", what is behind it; with "task" and a thread's number between them.
            let parts = text.split(separator: slash, omittingEmptySubsequences: false)
            let place = parts.count > 4 && parts[3].elementsEqual("task".utf8) ? 5 : 3
            guard parts.count > place + 1, parts[1].elementsEqual("proc".utf8),
                parts[place].elementsEqual("root".utf8) || parts[place].elementsEqual("cwd".utf8)
            else { return text }
            text = parts[(place + 1)...].flatMap { [slash] + $0 }
        }
    }

    // In this order: what one leads to can begin with the next.
    private static let knownLinks: [(from: String, to: String)] = [
        ("/bin/", "/usr/bin/"), ("/sbin/", "/usr/sbin/"), ("/lib/", "/usr/lib/"), ("/lib32/", "/usr/lib32/"),
        ("/lib64/", "/usr/lib64/"), ("/var/run/", "/run/"), ("/var/lock/", "/run/lock/"),
        // Fedora and Arch: both are one directory. Elsewhere nobody keeps two programs of one name there.
        ("/usr/sbin/", "/usr/bin/"), ("/usr/local/sbin/", "/usr/local/bin/"),
    ]

    /// Every rule that is known to cover the same files: behind the known links, and behind those of this machine.
    ///
    /// - Parameters:
    ///   - context: knows the machine.
    ///   - followingLeaf: whether a link in the place of the file itself counts too; a write replaces the link.
    /// - Returns: at least one rule.
    func spellings(_ context: LintContext, followingLeaf: Bool) -> [PathGrant] {
        var rules = [withoutKnownLinks]
        func add(_ rule: PathGrant?) {
            guard let rule = rule?.withoutKnownLinks, !rules.contains(rule) else { return }
            rules.append(rule)
        }
        switch extent {
        case .below: add(context.resolve(path).flatMap { PathGrant(below: $0) })
        case .file:
            if let leaf = path.leaf, let parent = path.parent.flatMap({ context.resolve($0) }) {
                add(PathGrant(loosely: parent.bytes.array + [slash] + leaf.array))
            }
            if followingLeaf { add(context.resolve(path).flatMap { PathGrant(file: $0) }) }
        }
        return rules
    }
}

extension AbsolutePath {
    /// The path that these bytes name from `/`: without empty components and `.`, each `..` taken with what is before it;
    /// nil when it is none, or `/`.
    init?(loosely text: [UInt8]) {
        var parts: [ArraySlice<UInt8>] = []
        for part in text.split(separator: slash) where !part.elementsEqual([dot]) {
            if part.elementsEqual([dot, dot]) { _ = parts.popLast() } else { parts.append(part) }
        }
        guard !parts.isEmpty, let path = try? AbsolutePath(Bytes(parts.flatMap { [slash] + $0 })) else { return nil }
        self = path
    }
}

/// Values at path rules, found by a rule that has an object in common with theirs.
///
/// The search costs the depth of the path and what is found, not the number of values: a manifest can have 10000 plugins.
struct PathIndex<Value: Sendable>: Sendable {
    private let values: [(key: [UInt8], rule: PathGrant, value: Value)]
    private let places: [AbsolutePath: [Int]]

    init(_ values: [Value], at rule: (Value) -> PathGrant) {
        // Every path ends with a slash, so that those below a directory are neighbours.
        let sorted = values.enumerated().map { index, value in
            (key: rule(value).path.bytes.array + [slash], index: index, rule: rule(value), value: value)
        }.sorted {
            $0.key == $1.key ? $0.index < $1.index : $0.key.lexicographicallyPrecedes($1.key)
        }
        self.values = sorted.map { (key: $0.key, rule: $0.rule, value: $0.value) }
        places = Dictionary(grouping: sorted.indices) { sorted[$0].rule.path }
    }

    /// The values whose rule covers something that this rule covers.
    func meeting(_ rule: PathGrant) -> [Value] {
        var found: [Int] = []
        var place: AbsolutePath? = rule.path
        while let path = place {
            found += (places[path] ?? []).filter { values[$0].rule.meets(rule) }
            place = path.parent
        }
        guard rule.extent == .below else { return found.sorted().map { values[$0].value } }
        let prefix = rule.path.bytes.array + [slash]
        var low = 0
        var high = values.count
        while low < high {
            let middle = low + (high - low) / 2
            if values[middle].key.lexicographicallyPrecedes(prefix) { low = middle + 1 } else { high = middle }
        }
        while low < values.count, values[low].key.starts(with: prefix) {
            if values[low].key.count > prefix.count { found.append(low) }
            low += 1
        }
        return found.sorted().map { values[$0].value }
    }
}
