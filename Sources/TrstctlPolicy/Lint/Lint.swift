import TrstctlSystem

/// Says which grants of a manifest amount to more than they seem to.
///
/// The linter decides nothing about an operation, `authorize` does; it tells the operator what a set of grants means
/// together. It compares paths as text, with the links that every distribution has (`/bin` is `/usr/bin`), and looks at
/// no file.
package enum Lint {
    /// Every finding that the manifest does not acknowledge, in the order of the plugins; acknowledgements that silence
    /// nothing are findings too.
    ///
    /// - Parameters:
    ///   - manifest: as it was read.
    ///   - context: where things are on this machine.
    /// - Returns: the findings; a manifest with one that `isRefusal` must not be used.
    package static func findings(in manifest: Manifest, _ context: LintContext) -> [LintFinding] {
        let decisive = Decisive(manifest, context)
        return manifest.plugins.flatMap { plugin in
            var lint = PluginLint(plugin)
            lint.checkReplacement(decisive)
            lint.checkCommands()
            lint.checkPlaces(context)
            lint.checkSockets()
            lint.checkSecrets(manifest, context)
            return lint.result
        }
    }
}

/// What decides which bytes run, whoever writes it.
struct Decisive {
    let objects: [(rule: PathGrant, object: Bytes, what: String)]

    init(_ manifest: Manifest, _ context: LintContext) {
        var objects: [(PathGrant, Bytes, String)] = []
        func add(_ rule: PathGrant?, _ what: String) {
            guard let rule else { return }
            objects.append((rule.withoutKnownLinks, rule.bytes, what))
        }
        for path in Set(context.manifest) { add(PathGrant(file: path), "the manifest itself") }
        for path in Set(context.pluginDirectories) { add(PathGrant(below: path), "the directory of the connectors") }
        var keys: Set<Bytes> = []
        for plugin in manifest.plugins {
            for key in plugin.signature?.keys ?? [] {
                if case .file(let path) = key.source { keys.insert(path) }
            }
        }
        for path in keys { add((try? AbsolutePath(path)).flatMap { PathGrant(file: $0) }, "a key that is trusted") }
        for path in Set(manifest.plugins.compactMap { $0.script?.interpreter }) {
            add(PathGrant(file: path), "the interpreter of a connector")
        }
        for path in Set(manifest.plugins.flatMap(\.libraries)) {
            add(PathGrant(below: path), "libraries that a connector loads")
        }
        self.objects = objects.map { (rule: $0.0, object: $0.1, what: $0.2) }
    }
}

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

    /// True when some object is covered by both.
    func meets(_ other: PathGrant) -> Bool { covers(other) || other.covers(self) }

    /// The same rule behind the links that distributions with a merged /usr have, see file-hierarchy(7).
    var withoutKnownLinks: PathGrant {
        let links: [(from: String, to: String)] = [
            ("/bin/", "/usr/bin/"), ("/sbin/", "/usr/sbin/"), ("/lib/", "/usr/lib/"), ("/lib64/", "/usr/lib64/"),
            ("/var/run/", "/run/"), ("/var/lock/", "/run/lock/"),
        ]
        let array = bytes.array
        for link in links where array.starts(with: link.from.utf8) {
            let rest = array.dropFirst(link.from.utf8.count)
            return (try? PathGrant(Bytes(Array(link.to.utf8) + rest))) ?? self
        }
        return self
    }
}
