package import TrstctlSystem

/// Whose signature over a connector's bytes is asked for; the pin applies as well, always.
package struct SignatureRule: Hashable, Sendable {
    /// What a missing signature means; a wrong one is a refusal under both.
    package enum Policy: String, CaseIterable, Hashable, Sendable {
        /// Without a valid signature the connector does not run.
        case required
        /// A signature that is there has to be valid.
        case ifPresent = "if-present"
    }

    /// The most keys of one plugin.
    package static let maximumKeys = 16

    /// What a missing signature means.
    package var policy: Policy
    /// The keys of which one has to have signed, at least one.
    package var keys: [KeyRule]
    /// The signature's file; nil means the first of `.sig`, `.sigstore.json`, `.minisig` beside the executable.
    package var file: Bytes?

    package init(policy: Policy, keys: [KeyRule], file: Bytes? = nil) {
        self.policy = policy
        self.keys = keys
        self.file = file
    }
}

/// A public key that the operator trusts for one connector, and when.
package struct KeyRule: Hashable, Sendable {
    /// Where the key is.
    package enum Source: Hashable, Sendable {
        /// In the manifest itself: PEM, or what minisign writes.
        case text(Bytes)
        /// In this file, an absolute path.
        case file(Bytes)
    }

    /// How reports call it.
    package var id: EntryName
    /// Where it is.
    package var source: Source
    /// The first second of its validity, since 1970; nil means always before.
    package var notBefore: Int64?
    /// The last second of its validity, since 1970; nil means forever.
    package var notAfter: Int64?

    package init(id: EntryName, source: Source, notBefore: Int64? = nil, notAfter: Int64? = nil) {
        self.id = id
        self.source = source
        self.notBefore = notBefore
        self.notAfter = notAfter
    }
}

/// What must not be trusted any more, for all connectors: it outweighs every pin and every key.
package struct Trust: Hashable, Sendable {
    /// The most digests and the most keys.
    package static let maximumRevocations = 4_096

    /// Builds that must not run, pinned or not.
    package var revokedDigests: [SHA256Digest]
    /// Keys whose signatures do not count: SHA-256 of the DER SubjectPublicKeyInfo (RFC 5280, 4.1.2.7).
    package var revokedKeys: [SHA256Digest]

    package init(revokedDigests: [SHA256Digest] = [], revokedKeys: [SHA256Digest] = []) {
        self.revokedDigests = revokedDigests
        self.revokedKeys = revokedKeys
    }

    /// True when this build must not run.
    package func revokes(_ digest: SHA256Digest) -> Bool { revokedDigests.contains { $0.matches(digest) } }
}
