/// A key with what the operator lets it do.
package struct TrustedKey: Sendable {
    /// The connectors that a key may sign for.
    package enum Scope: Sendable {
        case all
        /// These names, compared byte by byte; none when empty.
        case only([String])

        func includes(_ connector: String) -> Bool {
            switch self {
            case .all: true
            case .only(let names): names.contains { $0.utf8.elementsEqual(connector.utf8) }
            }
        }
    }

    /// What the operator calls the key, for example `rel-2026`.
    package var name: String
    package var key: SignatureKey
    package var scope: Scope
    /// The first second at which signatures count, Unix time; nil: always did.
    package var notBefore: Int64?
    /// The last second at which signatures count, Unix time; nil: always will.
    ///
    /// By the host's clock when it verifies, not by when it was signed: nothing in a signature proves its time.
    package var notAfter: Int64?

    /// Puts an entry together.
    package init(
        name: String, key: SignatureKey, scope: Scope, notBefore: Int64? = nil, notAfter: Int64? = nil
    ) {
        self.name = name
        self.key = key
        self.scope = scope
        self.notBefore = notBefore
        self.notAfter = notAfter
    }
}
