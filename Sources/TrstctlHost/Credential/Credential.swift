package import TrstctlBroker
package import TrstctlCrypto
package import TrstctlSystem

/// A certificate chain and its private key that passed every check before deployment.
package struct Credential: Sendable {
    /// The server's own certificate; its key is `privateKey`.
    package var leaf: Certificate
    /// The issuers, each the issuer of the one before; empty when the leaf is self-signed or its issuer is a root.
    package var chain: [Certificate]
    /// The leaf's key.
    package let privateKey: PrivateKey
    /// How the key is recognised in what a connector would get to see.
    package let keyForms: KeyForms
    /// What the operator should know.
    package var warnings: [CredentialWarning]

    /// Puts a credential together, unchecked; `CredentialLoader` checks.
    package init(
        leaf: Certificate, chain: [Certificate], privateKey: PrivateKey, warnings: [CredentialWarning] = []
    ) {
        self.leaf = leaf
        self.chain = chain
        self.privateKey = privateKey
        keyForms = KeyForms(privateKey.pem, certificate: leaf.pem, chain: Credential.chainPEM(chain))
        self.warnings = warnings
    }

    /// The leaf alone, as PEM that this host wrote: one form, whatever the source's line ends and comments are.
    package var certificatePEM: Bytes { leaf.pem }
    /// The issuers as PEM; empty when there are none.
    package var chainPEM: Bytes { Credential.chainPEM(chain) }
    /// Leaf first, then each issuer.
    package var fullchainPEM: Bytes { Bytes(([leaf] + chain).flatMap { $0.pem.array }) }
    /// The private key's block as it stands in its file; wiped when the last reference goes away.
    package var keyPEM: Bytes { privateKey.pem }

    /// Lower-case hexadecimal SHA-256 of the leaf's DER.
    package var fingerprint: String { leaf.fingerprintText }
    /// The DNS names, then the IP addresses, that the leaf is for.
    package var names: [String] { leaf.dnsNames + leaf.ipAddresses }
    /// The first valid second of the leaf, Unix time.
    package var notBefore: Int64 { leaf.notBefore }
    /// The last valid second of the leaf, Unix time.
    package var notAfter: Int64 { leaf.notAfter }

    private static func chainPEM(_ chain: [Certificate]) -> Bytes { Bytes(chain.flatMap { $0.pem.array }) }
}
