import TrstctlPolicy
import TrstctlSystem

extension ManifestParser {
    /// The most pins of one plugin: one per build or platform.
    static let maximumPins = 16

    /// The keys of one plugin.
    static let pluginKeys = ["sha256", "grants", "signature", "confinement", "script", "libraries", "acknowledge"]

    /// One entry of `plugins:`.
    static func plugin(
        _ entry: YAMLNode.Entry, _ scope: ManifestScope
    ) throws(ManifestError) -> Plugin {
        let name = try connectorName(entry.key.text, at: entry.keyStart, scope)
        let what = "plugins.\(name)"
        let fields = try scope.mapping(entry.value, what, keys: pluginKeys)
        var plugin = Plugin(name: name, pins: [], grants: GrantSet())
        if let pins = fields["sha256"] {
            plugin.pins = try digests(
                pins.value, "\(what).sha256", atMost: maximumPins, nextStep: "run: trstctl plugin pin \(name)", scope)
        }
        if let grants = fields["grants"] { plugin.grants = try self.grants(grants.value, "\(what).grants", scope) }
        if let signature = fields["signature"] {
            plugin.signature = try self.signature(signature, "\(what).signature", scope)
        }
        if let script = fields["script"] { plugin.script = try self.script(script, "\(what).script", scope) }
        if let libraries = fields["libraries"] {
            plugin.libraries = try self.libraries(libraries.value, "\(what).libraries", scope)
        }
        if let acknowledge = fields["acknowledge"] {
            plugin.acknowledged = try acknowledgements(acknowledge.value, "\(what).acknowledge", scope)
        }
        if let confinement = fields["confinement"] {
            plugin.confinement = try self.confinement(confinement.value, what, plugin.acknowledged, scope)
        }
        return plugin
    }

    /// A list of SHA-256, without repetition.
    static func digests(
        _ node: YAMLNode, _ what: String, atMost limit: Int, nextStep: String, _ scope: ManifestScope
    ) throws(ManifestError) -> [SHA256Digest] {
        var digests: [SHA256Digest] = []
        for item in try scope.list(node, what, atMost: limit) {
            let text = try scope.text(item, "an item of \(what)")
            let digest: SHA256Digest
            do throws(GrammarError) {
                digest = try SHA256Digest.parse(text)
            } catch {
                throw scope.error(.badPin, at: item.start, "\(what): \(error)", nextStep: nextStep)
            }
            guard digest != SHA256Digest.ofNothing else {
                throw scope.error(
                    .badPin, at: item.start, "\(what): this is the SHA-256 of an empty file", nextStep: nextStep)
            }
            guard !digests.contains(digest) else {
                throw scope.error(
                    .badPin, at: item.start, "\(what): this pin stands in the list already",
                    nextStep: "keep one of the two")
            }
            digests.append(digest)
        }
        return digests
    }

    private static func grants(
        _ node: YAMLNode, _ what: String, _ scope: ManifestScope
    ) throws(ManifestError) -> GrantSet {
        var grants = GrantSet()
        for entry in try scope.mapping(node, what, keys: Capability.allCases.map(\.rawValue)) {
            guard let capability = Capability(rawValue: entry.key.text) else { continue }
            let name = "\(what).\(capability)"
            for item in try scope.list(entry.value, name, atMost: GrantSet.maximumRules) {
                try append(item, of: capability, name, to: &grants, scope)
            }
        }
        return grants
    }

    private static func append(
        _ item: YAMLNode, of capability: Capability, _ what: String, to grants: inout GrantSet,
        _ scope: ManifestScope
    ) throws(ManifestError) {
        let argv =
            capability == .processExec
            ? try strings(item, "a command of \(what)", atMost: ExecGrant.maximumArguments, scope)
            : [try scope.text(item, "an item of \(what)")]
        do throws(GrammarError) {
            switch capability {
            case .fsRead: grants.read.append(try PathGrant(resolved(argv, scope)))
            case .fsWrite: grants.write.append(try PathGrant(resolved(argv, scope)))
            case .netDial: grants.dial.append(try DialGrant(argv.first ?? ""))
            case .processExec: grants.exec.append(try ExecGrant(argv))
            }
        } catch {
            throw scope.error(
                .badGrant, at: item.start, "\(what): \(error)", nextStep: "see spec/grants.md for what can stand here")
        }
    }

    // The operator's own text is joined as it stands, so that a `..` in it is refused like everywhere else.
    private static func resolved(_ texts: [String], _ scope: ManifestScope) -> Bytes {
        let text = texts.first ?? ""
        return text.isEmpty ? Bytes() : scope.resolve(text)
    }

    /// A list of texts as they are written.
    static func strings(
        _ node: YAMLNode, _ what: String, atMost limit: Int, _ scope: ManifestScope
    ) throws(ManifestError) -> [String] {
        var texts: [String] = []
        for item in try scope.list(node, what, atMost: limit) {
            texts.append(try scope.text(item, "an item of \(what)"))
        }
        return texts
    }
}

extension ManifestScope {
    /// The text itself when it is absolute, otherwise joined to the manifest's directory; nothing is removed from it.
    func resolve(_ text: String) -> Bytes {
        let slash = UInt8(ascii: "/")
        if text.utf8.first == slash { return Bytes(text) }
        let base = directory.components.isEmpty ? [] : directory.bytes.array
        return Bytes(base + [slash] + Array(text.utf8))
    }
}
