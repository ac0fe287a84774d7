import TrstctlCrypto
import TrstctlPolicy
import TrstctlSystem

extension ManifestParser {
    /// What `trust:` revokes.
    static func trust(_ node: YAMLNode, _ scope: ManifestScope) throws(ManifestError) -> Trust {
        let fields = try scope.mapping(node, "trust", keys: ["revoked_sha256", "revoked_keys"])
        var trust = Trust()
        if let entry = fields["revoked_sha256"] {
            trust.revokedDigests = try digests(
                entry.value, "trust.revoked_sha256", atMost: Trust.maximumRevocations,
                nextStep: "write the SHA-256 of the build that must not run", scope)
        }
        if let entry = fields["revoked_keys"] {
            trust.revokedKeys = try digests(
                entry.value, "trust.revoked_keys", atMost: Trust.maximumRevocations,
                nextStep: "run: openssl pkey -pubin -in KEY.pub -outform DER | sha256sum", scope)
        }
        return trust
    }

    /// Whose signature a plugin needs.
    static func signature(
        _ entry: YAMLNode.Entry, _ what: String, _ scope: ManifestScope
    ) throws(ManifestError) -> SignatureRule {
        let fields = try scope.mapping(entry.value, what, keys: ["policy", "keys", "file"])
        guard let keys = fields["keys"] else { throw scope.missing("keys", in: what, at: entry.keyStart) }
        var rule = SignatureRule(policy: .required, keys: [])
        if let policy = fields["policy"] {
            rule.policy = try word(policy.value, "\(what).policy", scope)
        }
        for item in try scope.list(keys.value, "\(what).keys", atMost: SignatureRule.maximumKeys) {
            let key = try self.key(item, "\(what).keys", scope)
            guard !rule.keys.contains(where: { $0.id == key.id }) else {
                throw scope.error(
                    .badKey, at: item.start, "\(what).keys: a key \"\(key.id)\" stands in the list already",
                    nextStep: "give each key its own id")
            }
            rule.keys.append(key)
        }
        guard !rule.keys.isEmpty else {
            throw scope.error(
                .badKey, at: keys.value.start, "expected at least one key in \(what).keys, found none",
                nextStep: "add one, or remove \(what)")
        }
        if let file = fields["file"] { rule.file = try path(file.value, "\(what).file", scope) }
        return rule
    }

    private static func key(
        _ node: YAMLNode, _ what: String, _ scope: ManifestScope
    ) throws(ManifestError) -> KeyRule {
        let fields = try scope.mapping(
            node, "a key of \(what)", keys: ["id", "key", "file", "not_before", "not_after"])
        guard let id = fields["id"] else { throw scope.missing("id", in: "a key of \(what)", at: node.start) }
        let name = try entryName(try scope.text(id.value, "\(what): id"), "a key", at: id.value.start, scope)
        var key = KeyRule(id: name, source: .text(Bytes()))
        switch (fields["key"], fields["file"]) {
        case (let text?, nil): key.source = .text(try keyText(text.value, "\(what): \(name): key", scope))
        case (nil, let file?): key.source = .file(try path(file.value, "\(what): \(name): file", scope))
        default:
            throw scope.error(
                .badKey, at: node.start, "\(what): expected either key: or file: for the key \"\(name)\"",
                nextStep: "write key: with the PEM text, or file: with the path of the public key")
        }
        if let entry = fields["not_before"] {
            key.notBefore = try time(entry.value, "\(what): not_before", .start, scope)
        }
        if let entry = fields["not_after"] { key.notAfter = try time(entry.value, "\(what): not_after", .end, scope) }
        if let from = key.notBefore, let until = key.notAfter, from > until {
            throw scope.error(
                .badTime, at: node.start, "\(what): the key \"\(name)\" ends before it begins",
                nextStep: "correct not_before or not_after")
        }
        return key
    }

    /// The text of a public key, checked to be one.
    private static func keyText(
        _ node: YAMLNode, _ what: String, _ scope: ManifestScope
    ) throws(ManifestError) -> Bytes {
        let text = Bytes(try scope.text(node, what))
        do throws(SignatureKeyError) {
            _ = try SignatureKey(text: text.array)
        } catch {
            throw scope.error(
                .badKey, at: node.start, "\(what): \(error.reason)",
                nextStep: error.nextStep.isEmpty
                    ? "write key: | and below it, deeper, the lines of the public key" : error.nextStep)
        }
        return text
    }

    private static func time(
        _ node: YAMLNode, _ what: String, _ edge: UTCText.Edge, _ scope: ManifestScope
    ) throws(ManifestError) -> Int64 {
        let text = try scope.text(node, what)
        guard let seconds = UTCText.seconds(text, edge) else {
            throw scope.error(
                .badTime, at: node.start,
                "expected a day or an instant in UTC as \(what), found \"\(printable(text))\"",
                nextStep: "write 2027-01-31 or 2027-01-31T08:00:00Z")
        }
        return seconds
    }

    /// What a script runs under.
    static func script(
        _ entry: YAMLNode.Entry, _ what: String, _ scope: ManifestScope
    ) throws(ManifestError) -> ScriptRule {
        let fields = try scope.mapping(entry.value, what, keys: ["interpreter", "sha256"])
        guard let interpreter = fields["interpreter"] else {
            throw scope.missing("interpreter", in: what, at: entry.keyStart)
        }
        guard let pins = fields["sha256"] else { throw scope.missing("sha256", in: what, at: entry.keyStart) }
        let text = try scope.text(interpreter.value, "\(what).interpreter")
        let path: AbsolutePath
        do throws(GrammarError) {
            path = try AbsolutePath(text)
        } catch {
            throw scope.error(
                .badPath, at: interpreter.value.start, "\(what).interpreter: \(error)",
                nextStep: "write the absolute path of the interpreter, as in the script's first line")
        }
        let digests = try self.digests(
            pins.value, "\(what).sha256", atMost: ScriptRule.maximumPins,
            nextStep: "run: sha256sum \(path), and keep the first 64 characters", scope)
        guard !digests.isEmpty else {
            throw scope.error(
                .badPin, at: pins.value.start, "expected at least one SHA-256 in \(what).sha256, found none",
                nextStep: "run: sha256sum \(path)")
        }
        return ScriptRule(interpreter: path, pins: digests)
    }

    /// Directories of libraries; never the whole file system, because a connector can read all that is beneath.
    static func libraries(
        _ node: YAMLNode, _ what: String, _ scope: ManifestScope
    ) throws(ManifestError) -> [AbsolutePath] {
        var paths: [AbsolutePath] = []
        for item in try scope.list(node, what, atMost: Plugin.maximumLibraries) {
            let text = try scope.text(item, "an item of \(what)")
            let path: AbsolutePath
            do throws(GrammarError) {
                path = try AbsolutePath(text)
            } catch {
                throw scope.error(
                    .badPath, at: item.start, "an item of \(what): \(error)",
                    nextStep: "write the absolute path of a directory that holds libraries and nothing else")
            }
            guard path.components.count > 1 else {
                throw scope.error(
                    .badPath, at: item.start, "an item of \(what) is too wide: \(path)",
                    nextStep: "write the absolute path of a directory that holds libraries and nothing else")
            }
            paths.append(path)
        }
        return paths
    }

    /// The risks that are accepted by name.
    static func acknowledgements(
        _ node: YAMLNode, _ what: String, _ scope: ManifestScope
    ) throws(ManifestError) -> [Acknowledgement] {
        var found: [Acknowledgement] = []
        for item in try scope.list(node, what, atMost: Acknowledgement.maximumCount) {
            let text = try scope.text(item, "an item of \(what)")
            let acknowledgement = Acknowledgement(text)
            guard acknowledgement.isWellFormed else {
                throw scope.error(
                    .badAcknowledgement, at: item.start,
                    "expected code:object, as trstctl manifest validate shows it, or \(Acknowledgement.unconfined), "
                        + "found \"\(printable(text))\"",
                    nextStep: "copy the acknowledgement from the finding")
            }
            found.append(acknowledgement)
        }
        return found
    }

    /// How much of the confinement may be missing; `off` only with the words that accept it.
    static func confinement(
        _ node: YAMLNode, _ what: String, _ acknowledged: [Acknowledgement], _ scope: ManifestScope
    ) throws(ManifestError) -> ConfinementRule {
        let rule: ConfinementRule = try word(node, "\(what).confinement", scope)
        guard rule != .off || acknowledged.contains(.unconfined) else {
            throw scope.error(
                .notAcknowledged, at: node.start,
                "\(what).confinement: off lets the connector do everything that you may do",
                nextStep: "write best-effort, or add to \(what): acknowledge: [\(Acknowledgement.unconfined)]")
        }
        return rule
    }

    /// One of a few words.
    private static func word<Word: RawRepresentable & CaseIterable>(
        _ node: YAMLNode, _ what: String, _ scope: ManifestScope
    ) throws(ManifestError) -> Word where Word.RawValue == String {
        let text = try scope.text(node, what)
        guard let word = Word.allCases.first(where: { $0.rawValue.utf8.elementsEqual(text.utf8) }) else {
            let known = Word.allCases.map(\.rawValue).joined(separator: ", ")
            throw scope.error(
                .wrongType, at: node.start, "expected one of \(known) as \(what), found \"\(printable(text))\"",
                nextStep: "write one of them")
        }
        return word
    }
}
