import TrstctlPolicy
import TrstctlSystem

extension ManifestParser {
    /// The most pins of one plugin: one per build or platform.
    static let maximumPins = 16

    /// The keys of one plugin.
    static let pluginKeys = [
        "sha256", "grants", "signature", "confinement", "script", "libraries", "acknowledge", "needs_key",
    ]

    /// One entry of `plugins:`.
    static func plugin(
        _ entry: YAMLNode.Entry, _ scope: ManifestScope
    ) throws(ManifestError) -> Plugin {
        let name = try connectorName(entry.key.text, at: entry.keyStart, scope)
        let what = "plugins.\(name)"
        let fields = try scope.mapping(entry.value, what, keys: pluginKeys)
        var plugin = Plugin(name: name, pins: [], grants: GrantSet())
        plugin.isDecided = fields["sha256"] != nil || fields["grants"] != nil
        if let pins = fields["sha256"] {
            (plugin.pins, plugin.invalidPins) = try self.pins(pins.value, "\(what).sha256", scope)
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
        if let needsKey = fields["needs_key"] {
            plugin.needsKey = try scope.boolean(needsKey.value, "\(what).needs_key")
        }
        if let confinement = fields["confinement"] {
            plugin.confinement = try self.confinement(confinement.value, what, plugin.acknowledged, scope)
        }
        return plugin
    }

    /// The pins of a plugin, and the items that are texts but no pins: these stop this connector only.
    private static func pins(
        _ node: YAMLNode, _ what: String, _ scope: ManifestScope
    ) throws(ManifestError) -> ([SHA256Digest], [InvalidPin]) {
        var pins: [SHA256Digest] = []
        var invalid: [InvalidPin] = []
        for (index, item) in try scope.list(node, what, atMost: maximumPins).enumerated() {
            let text = try scope.text(item, "an item of \(what)")
            do throws(PinFault) {
                try append(text, to: &pins)
            } catch {
                invalid.append(InvalidPin(index: index, cause: "\(what): \(error.cause)"))
            }
        }
        return (pins, invalid)
    }

    /// Why a text is no digest of a list.
    private struct PinFault: Error {
        var cause: String
        var nextStep: String?
    }

    private static func append(_ text: String, to digests: inout [SHA256Digest]) throws(PinFault) {
        let digest: SHA256Digest
        do throws(GrammarError) {
            digest = try SHA256Digest.parse(text)
        } catch {
            throw PinFault(cause: "\(error)")
        }
        guard digest != SHA256Digest.ofNothing else { throw PinFault(cause: "this is the SHA-256 of an empty file") }
        guard !digests.contains(digest) else {
            throw PinFault(cause: "this pin stands in the list already", nextStep: "keep one of the two")
        }
        digests.append(digest)
    }

    /// A list of SHA-256, without repetition.
    static func digests(
        _ node: YAMLNode, _ what: String, atMost limit: Int, nextStep: String, _ scope: ManifestScope
    ) throws(ManifestError) -> [SHA256Digest] {
        var digests: [SHA256Digest] = []
        for item in try scope.list(node, what, atMost: limit) {
            let text = try scope.text(item, "an item of \(what)")
            do throws(PinFault) {
                try append(text, to: &digests)
            } catch {
                throw scope.error(
                    .badPin, at: item.start, "\(what): \(error.cause)", nextStep: error.nextStep ?? nextStep)
            }
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
        let command = capability == .processExec ? try self.command(item, "a command of \(what)", scope) : nil
        let text = command == nil ? try scope.text(item, "an item of \(what)") : ""
        do throws(GrammarError) {
            switch capability {
            case .fsRead: grants.read.append(try PathGrant(resolved(text, scope)))
            case .fsWrite: grants.write.append(try PathGrant(resolved(text, scope)))
            case .netDial: grants.dial.append(try DialGrant(text))
            case .processExec:
                grants.exec.append(try ExecGrant(command?.rule ?? [], terms: command?.terms ?? ExecTerms()))
            }
        } catch {
            throw scope.error(
                .badGrant, at: item.start, "\(what): \(error)", nextStep: "see spec/grants.md for what can stand here")
        }
    }

    /// A command: its texts, or a mapping of them and of what is asked of the program.
    private static func command(
        _ item: YAMLNode, _ what: String, _ scope: ManifestScope
    ) throws(ManifestError) -> (rule: [String], terms: ExecTerms) {
        guard case .mapping = item.content else {
            return (try strings(item, what, atMost: ExecGrant.maximumArguments, scope), ExecTerms())
        }
        let fields = try scope.mapping(item, what, keys: ["argv", "sha256", "setuid"])
        guard let argv = fields["argv"] else { throw scope.missing("argv", in: what, at: item.start) }
        var pins: [SHA256Digest] = []
        if let sha256 = fields["sha256"] {
            pins = try digests(
                sha256.value, "sha256 of \(what)", atMost: ExecTerms.maximumPins,
                nextStep: "run: sha256sum on the program's file", scope)
            guard !pins.isEmpty else {
                throw scope.error(
                    .badPin, at: sha256.value.start, "expected a digest in sha256 of \(what), found none",
                    nextStep: "run: sha256sum on the program's file, or remove the key: any content is then accepted")
            }
        }
        var allowsSetuid = false
        if let setuid = fields["setuid"] {
            guard case .scalar(let scalar) = setuid.value.content, case .boolean(let value) = scalar.plainMeaning else {
                throw scope.wrongType(setuid.value, "setuid of \(what)", "true or false")
            }
            allowsSetuid = value
        }
        return (
            try strings(argv.value, "argv of \(what)", atMost: ExecGrant.maximumArguments, scope),
            ExecTerms(pins: pins, allowsSetuid: allowsSetuid)
        )
    }

    // The operator's own text is joined as it stands, so that a `..` in it is refused like everywhere else.
    private static func resolved(_ text: String, _ scope: ManifestScope) -> Bytes {
        text.isEmpty ? Bytes() : scope.resolve(text)
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
