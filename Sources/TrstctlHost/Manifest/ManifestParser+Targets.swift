import TrstctlPolicy
import TrstctlSystem

extension ManifestParser {
    /// The most fields in one target's configuration, and items in one of its lists.
    static let maximumFields = 256

    /// One entry of `credentials:`.
    static func credential(
        _ entry: YAMLNode.Entry, _ scope: ManifestScope
    ) throws(ManifestError) -> CredentialSource {
        let name = try entryName(entry.key.text, "a credential", at: entry.keyStart, scope)
        let what = "credentials.\(name)"
        let fields = try scope.mapping(entry.value, what, keys: ["certificate", "key", "chain"])
        guard let certificate = fields["certificate"] else {
            throw scope.missing("certificate", in: what, at: entry.keyStart)
        }
        guard let key = fields["key"] else { throw scope.missing("key", in: what, at: entry.keyStart) }
        var source = CredentialSource(
            name: name, certificate: try path(certificate.value, "\(what).certificate", scope),
            key: try path(key.value, "\(what).key", scope))
        if let chain = fields["chain"] { source.chain = try path(chain.value, "\(what).chain", scope) }
        return source
    }

    /// The path of a file, absolute.
    static func path(_ node: YAMLNode, _ what: String, _ scope: ManifestScope) throws(ManifestError) -> Bytes {
        let text = try scope.text(node, what)
        let path = scope.resolve(text)
        guard !text.isEmpty, text.utf8.last != UInt8(ascii: "/"), !text.utf8.contains(0) else {
            throw scope.error(
                .badPath, at: node.start, "expected the path of a file as \(what), found \"\(printable(text))\"",
                nextStep: "write the file's path, absolute or relative to the manifest")
        }
        guard path.count <= AbsolutePath.maximumBytes else {
            throw scope.error(
                .badPath, at: node.start, "\(what) is longer than \(AbsolutePath.maximumBytes) bytes",
                nextStep: "use a shorter path")
        }
        return path
    }

    /// One entry of `targets:`.
    static func target(
        _ entry: YAMLNode.Entry, credentials: Set<EntryName>, _ scope: ManifestScope
    ) throws(ManifestError) -> Target {
        let name = try entryName(entry.key.text, "a target", at: entry.keyStart, scope)
        let what = "targets.\(name)"
        let fields = try scope.mapping(
            entry.value, what, keys: ["connector", "credential", "config", "probe", "proxy", "layout"])
        guard let connector = fields["connector"] else {
            throw scope.missing("connector", in: what, at: entry.keyStart)
        }
        guard let credential = fields["credential"] else {
            throw scope.missing("credential", in: what, at: entry.keyStart)
        }
        var target = Target(
            name: name,
            connector: try connectorName(
                try scope.text(connector.value, "\(what).connector"), at: connector.value.start, scope),
            credential: try entryName(
                try scope.text(credential.value, "\(what).credential"), "a credential", at: credential.value.start,
                scope))
        guard credentials.contains(target.credential) else {
            let meant = suggestion(for: Array(target.credential.text.utf8), among: credentials.map(\.text).sorted())
            throw scope.error(
                .unknownReference, at: credential.value.start,
                "expected the name of an entry of credentials: as \(what).credential, found \"\(target.credential)\"",
                nextStep: meant.map { "did you mean \"\($0)\"?" }
                    ?? "add it to credentials: with its certificate and key")
        }
        if let config = fields["config"] { target.config = try self.config(config.value, "\(what).config", scope) }
        if let probe = fields["probe"] { target.probe = try self.probe(probe, "\(what).probe", scope) }
        if let proxy = fields["proxy"] { target.proxy = try self.proxy(proxy, "\(what).proxy", scope) }
        if let layout = fields["layout"] { target.layout = try self.layout(layout.value, "\(what).layout", scope) }
        return target
    }

    private static func layout(
        _ node: YAMLNode, _ what: String, _ scope: ManifestScope
    ) throws(ManifestError) -> Target.Layout {
        let text = try scope.text(node, what)
        guard let layout = Target.Layout(rawValue: text) else {
            throw scope.error(
                .wrongType, at: node.start, "expected plain or versioned as \(what), found \"\(printable(text))\"",
                nextStep: "write layout: versioned to let the files become visible together, or leave it out")
        }
        return layout
    }

    private static func config(
        _ node: YAMLNode, _ what: String, _ scope: ManifestScope
    ) throws(ManifestError) -> [Target.Field] {
        let entries = try scope.mapping(node, what)
        guard entries.count <= maximumFields else {
            throw scope.error(
                .tooMany, at: node.start, "expected at most \(maximumFields) fields in \(what), found \(entries.count)",
                nextStep: "remove some")
        }
        var fields: [Target.Field] = []
        for entry in entries {
            guard isFieldName(entry.key.bytes) else {
                throw scope.error(
                    .badName, at: entry.keyStart,
                    "expected the name of a field in \(what), 1 to 63 of a-z A-Z 0-9 . _ - beginning with a letter, "
                        + "found \"\(printable(Bytes(entry.key.bytes)))\"",
                    nextStep:
                        "run: \(NextCommand.trstctl("plugin", "inspect", "NAME")), which lists the connector's fields")
            }
            let value = try value(entry.value, "\(what).\(entry.key.text)", scope)
            fields.append(Target.Field(key: entry.key.text, value: value))
        }
        return fields
    }

    private static func isFieldName(_ bytes: [UInt8]) -> Bool {
        guard let first = bytes.first, first.isASCIILetter, bytes.count <= 63 else { return false }
        return bytes.allSatisfy { $0.isASCIIAlphanumeric || [0x2D, 0x2E, 0x5F].contains($0) }
    }

    private static func value(
        _ node: YAMLNode, _ what: String, _ scope: ManifestScope
    ) throws(ManifestError) -> ConfigValue {
        switch node.content {
        case .mapping: return .reference(try reference(node, what, scope))
        case .sequence: return .list(try strings(node, what, atMost: maximumFields, scope))
        case .scalar(let scalar):
            switch scalar.plainMeaning {
            case .none: return .string(scalar.text)
            case .boolean(let value): return .boolean(value)
            case .integer(let value): return .integer(value)
            case .null: throw scope.wrongType(node, what, "a text, number, boolean or list of texts")
            case .hugeInteger:
                throw scope.error(
                    .outOfRange, at: node.start, "\(what): \(printable(scalar.text)) does not fit into 64 bits",
                    nextStep: "put it in quotes if it is meant as a text")
            case .ambiguous:
                throw scope.error(
                    .wrongType, at: node.start,
                    "\(what): \(scalar.text) means a text to some readers of YAML and something else to others",
                    nextStep: "write true or false for a boolean, \"\(scalar.text)\" in quotes for a text")
            }
        }
    }

    /// Where the value of a secret field comes from: `{ file: PATH }`, one key.
    static func reference(
        _ node: YAMLNode, _ what: String, _ scope: ManifestScope
    ) throws(ManifestError) -> SecretOrigin {
        let entries = try scope.mapping(node, what, keys: ["env", "file", "cmd", "credential"])
        guard entries.count == 1, let entry = entries.first else {
            throw scope.error(
                .wrongType, at: node.start, "expected one of env, file, cmd, credential in \(what)",
                nextStep: "write, for example, { file: /run/secrets/token }")
        }
        let name = "\(what).\(entry.key.text)"
        let words =
            entry.key.text == "cmd" ? try strings(entry.value, name, atMost: SecretOrigin.maximumWords, scope) : []
        let text = entry.key.text == "cmd" ? "" : try scope.text(entry.value, name)
        do throws(SecretOriginError) {
            switch entry.key.text {
            case "env": return try .environment(named: text)
            case "cmd": return try .command(running: words)
            case "credential": return try .credential(named: text)
            default:
                _ = try SecretOrigin.file(at: text)
                return .file(scope.resolve(text))
            }
        } catch {
            let example =
                switch entry.key.text {
                case "env": "{ env: F5_PASSWORD }"
                case "cmd": "{ cmd: [/usr/bin/pass, show, f5] }"
                case "credential": "{ credential: f5 }"
                default: "{ file: /run/secrets/f5 }"
                }
            throw scope.error(
                .badPath, at: entry.value.start, "\(name): \(error)", nextStep: "write, for example, \(example)")
        }
    }
}
