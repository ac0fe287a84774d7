import TrstctlSystem

extension PluginLint {
    /// Keys and other secrets that could be read, or changed, of whichever target they are.
    mutating func checkSecrets(_ secrets: PathIndex<SecretFile>) {
        for (index, rule) in plugin.grants.read.enumerated() {
            let rules = rule.spellings(context, followingLeaf: false)
            let place = LintFinding.Place.rule(.fsRead, index)
            for (_, known) in rules.flatMap(SensitivePlaces.read.meeting) {
                add(known.code, rule.bytes, place, "fs.read \(rule): \(known.sentence)")
            }
            if let state = context.stateDirectory.flatMap({ PathGrant(below: $0) })?.withoutKnownLinks,
                rules.contains(where: state.meets)
            {
                add(
                    .readsSecret, rule.bytes, place,
                    "fs.read \(rule): the host keeps there what it puts back after a failure, old keys too")
            }
            for secret in rules.flatMap(secrets.meeting) {
                guard let code = secret.kind.whenRead else { continue }
                add(
                    code, secret.object, place,
                    "fs.read \(rule) reaches \(printable(secret.object)), \(secret.what): the connector could read it"
                        + (code == .readsWrittenKey ? "; grant fs.read on the certificate's exact file only" : ""))
            }
        }
        for reach in reaches {
            for secret in reach.rules.flatMap(secrets.meeting) {
                guard let code = secret.kind.whenWritten else { continue }
                add(
                    code, secret.object, .rule(reach.capability, reach.index),
                    "\(reach.text) reaches \(printable(secret.object)), \(secret.what): the connector could change it")
            }
        }
    }

    /// A connector that gets private keys themselves.
    mutating func checkKey(_ manifest: Manifest) {
        guard plugin.needsKey else { return }
        let targets = manifest.targets.filter { $0.connector == plugin.name }.map(\.name.text)
        let whose = targets.isEmpty ? "every target that names it" : targets.prefix(8).joined(separator: ", ")
        add(
            .receivesKey, Bytes(plugin.name.text), .field("needs_key"),
            "needs_key: the connector receives the private key itself, of \(whose)\(targets.count > 8 ? " and more" : ""), and "
                + "can send it wherever it may")
    }
}

/// A file that holds a secret, or that a credential is read from.
struct SecretFile {
    enum Kind {
        /// A private key of `credentials:`.
        case key
        /// A certificate of `credentials:`.
        case certificate
        /// What the value of a secret field is read from.
        case field
        /// Where a connector puts a private key.
        case deployedKey
        /// A signature that `signature.file` names.
        case signature

        var whenRead: LintCode? {
            switch self {
            case .key: .readsCredentialKey
            case .field: .readsSecret
            case .deployedKey: .readsWrittenKey
            case .certificate, .signature: nil
            }
        }

        var whenWritten: LintCode? {
            switch self {
            case .key, .certificate, .field: .writesCredential
            case .signature: .writesSignature
            case .deployedKey: nil
            }
        }
    }

    let rule: PathGrant
    let kind: Kind
    let object: Bytes
    /// What it is, behind its path.
    let what: String

    private init?(_ path: Bytes, _ kind: Kind, _ what: String) {
        guard let rule = PathGrant(loosely: path.array) else { return nil }
        self.init(rule: rule, kind: kind, object: rule.bytes, what: what)
    }

    private init(rule: PathGrant, kind: Kind, object: Bytes, what: String) {
        self.rule = rule
        self.kind = kind
        self.object = object
        self.what = what
    }

    /// The same at every spelling of its path.
    func spelled(_ context: LintContext) -> [SecretFile] {
        rule.spellings(context, followingLeaf: true).map {
            SecretFile(rule: $0, kind: kind, object: object, what: what)
        }
    }

    /// All of them.
    static func entries(_ manifest: Manifest, _ context: LintContext) -> [SecretFile] {
        let credentials = manifest.credentials.flatMap { source in
            let files = [source.certificate] + [source.chain].compactMap(\.self)
            return [SecretFile(source.key, .key, "the private key of the credential \(source.name)")]
                + files.map { SecretFile($0, .certificate, "which the credential \(source.name) is read from") }
        }
        let writes = Dictionary(
            manifest.plugins.map { plugin in
                let rules = plugin.grants.write.flatMap { $0.spellings(context, followingLeaf: false) }
                return (plugin.name, PathIndex(rules) { $0 })
            }, uniquingKeysWith: { first, _ in first })
        let targets = manifest.targets.flatMap { target in
            target.secretFields(context).map { field, path in
                SecretFile(path, .field, "which the field \(field) of the target \(target.name) is read from")
            }
                + target.deployedKeys(writes[target.connector], context).map { path in
                    SecretFile(
                        path.bytes, .deployedKey, "where the host puts the private key of the target \(target.name)")
                }
        }
        let signatures = manifest.plugins.map { plugin in
            plugin.signature?.file.flatMap {
                SecretFile($0, .signature, "the signature of the connector \(plugin.name)")
            }
        }
        return (credentials + targets + signatures).compactMap(\.self)
    }
}

extension Target {
    private static let keyWords = ["key", "pem", "bundle", "combined", "pfx", "p12", "pkcs"].map { Bytes($0) }

    /// The files that its secret fields are read from.
    fileprivate func secretFields(_ context: LintContext) -> [(String, Bytes)] {
        config.compactMap { field in
            guard case .reference(let origin) = field.value else { return nil }
            switch origin {
            case .file(let path): return (field.key, path)
            case .credential(let name):
                return context.credentialsDirectory.map {
                    (field.key, Bytes($0.bytes.array + [slash] + Array(name.utf8)))
                }
            case .environment, .descriptor, .command: return nil
            }
        }
    }

    /// The paths in the configuration that, by their field's name, receive a private key, and that its connector may
    /// write.
    fileprivate func deployedKeys(_ writes: PathIndex<PathGrant>?, _ context: LintContext) -> [AbsolutePath] {
        guard let writes else { return [] }
        let base = context.directory.components.isEmpty ? [] : context.directory.bytes.array
        let paths = config.compactMap { field -> AbsolutePath? in
            let name = Bytes(Array(field.key.utf8).map(\.asciiLowerCased))
            guard Target.keyWords.contains(where: name.holds),
                case .string(let text) = field.value
            else { return nil }
            let bytes = Array(text.utf8)
            return try? AbsolutePath(Bytes(bytes.first == slash ? bytes : base + [slash] + bytes))
        }
        return paths.filter { path in
            let spellings = PathGrant(file: path)?.spellings(context, followingLeaf: false) ?? []
            return spellings.contains { !writes.meeting($0).isEmpty }
        }
    }
}
