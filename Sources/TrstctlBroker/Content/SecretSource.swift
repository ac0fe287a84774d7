package import TrstctlSystem

/// Where the broker finds secrets by name: a credential's key, a secret configuration field.
package struct SecretSource: Sendable {
    /// The names that exist, for error texts.
    package let names: [String]
    private let find: @Sendable (String) -> Bytes?

    /// Makes a source.
    ///
    /// - Parameters:
    ///   - names: the names that exist.
    ///   - find: the bytes under a name, secret where they are (`Bytes.isSecret`): a certificate may be public.
    package init(names: [String], find: @escaping @Sendable (String) -> Bytes?) {
        self.names = names
        self.find = find
    }

    /// A source of these values.
    package init(_ values: [(name: String, bytes: Bytes)]) {
        self.init(names: values.map(\.name)) { name in
            values.first { $0.name.utf8.elementsEqual(name.utf8) }?.bytes
        }
    }

    /// No secrets.
    package static let none = SecretSource([])

    /// The bytes under a name; nil when there is none.
    package func secret(named name: String) -> Bytes? { find(name) }
}
