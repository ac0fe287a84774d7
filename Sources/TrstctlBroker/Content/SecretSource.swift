import Synchronization
package import TrstctlSystem

/// Where the broker finds secrets by name: a credential's key, a secret configuration field.
///
/// One serves all scopes of a target: what it finds out about its secrets it keeps.
package struct SecretSource: Sendable {
    /// The names that exist, for error texts.
    package let names: [String]
    /// Those of them that are secret configuration fields.
    package let fields: [String]
    private let find: @Sendable (String) -> Bytes?
    private let known: Known

    /// How its secrets are recognised, once somebody asked; goes with the last copy of the source.
    private final class Known: Sendable {
        let key: Mutex<KeyForms?>
        let fields = Mutex<SecretParts?>(nil)
        let archives = Mutex<SecretParts?>(nil)

        init(_ key: KeyForms?) { self.key = Mutex(key) }
    }

    /// Makes a source.
    ///
    /// - Parameters:
    ///   - names: the names that exist.
    ///   - fields: those of them that are secret configuration fields.
    ///   - keyForms: how the secret `key` is recognised, if that is known already.
    ///   - find: the bytes under a name, secret where they are (`Bytes.isSecret`): a certificate may be public.
    package init(
        names: [String], fields: [String] = [], keyForms: KeyForms? = nil, find: @escaping @Sendable (String) -> Bytes?
    ) {
        self.names = names
        self.fields = fields
        known = Known(keyForms)
        self.find = find
    }

    /// A source of these values; the fields are secret configuration fields.
    package init(
        _ values: [(name: String, bytes: Bytes)], fields: [(name: String, bytes: Bytes)] = [],
        keyForms: KeyForms? = nil
    ) {
        let all = values + fields
        self.init(names: all.map(\.name), fields: fields.map(\.name), keyForms: keyForms) { name in
            all.first { $0.name.utf8.elementsEqual(name.utf8) }?.bytes
        }
    }

    /// No secrets.
    package static let none = SecretSource([])

    /// The bytes under a name; nil when there is none.
    package func secret(named name: String) -> Bytes? { find(name) }

    /// How the secret `key` is recognised.
    var keyForms: KeyForms {
        known.key.withLock { key in
            func bytes(_ name: String) -> Bytes { secret(named: name) ?? Bytes() }
            let forms = key ?? KeyForms(bytes("key"), certificate: bytes("certificate"), chain: bytes("chain"))
            key = forms
            return forms
        }
    }

    /// How PKCS#12 files of the key are recognised that have a secret field for their password: what an operator puts there
    /// may be a word that everybody knows, or can try.
    var archiveParts: SecretParts {
        known.archives.withLock { known in
            if let known { return known }
            let parts = KeyForms.archiveParts(fields.flatMap { WrittenForms.archives(with: $0, in: self) })
            known = parts
            return parts
        }
    }

    /// How the values of the secret fields are recognised; an owner is the place of a name in `fields`.
    var fieldParts: SecretParts {
        known.fields.withLock { known in
            if let known { return known }
            let sources = fields.enumerated().flatMap { owner, field in
                secret(named: field).map { FieldForms.sources($0, owner: owner) } ?? []
            }
            let parts = SecretParts(sources)
            known = parts
            return parts
        }
    }
}
