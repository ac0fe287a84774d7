import TrstctlSystem

/// What an operator demands of a connector's signature; the pin applies besides, always.
package struct SignaturePolicy: Sendable {
    /// What happens without a signature.
    package enum Mode: String, Sendable {
        /// The connector is refused.
        case required = "required"
        /// The connector runs, with a warning. Who can delete a file can delete a signature: then only the pin protects.
        case ifPresent = "if-present"
    }

    package var mode: Mode
    /// Whose signatures count; none means that every signature is refused.
    package var keys: [TrustedKey]
    /// `SignatureKey.keyID` of keys that no longer count, whatever `keys` says.
    package var revokedKeys: Set<String>
    /// SHA-256, 32 bytes each, of executables that must not run, whoever signed them and whether or not they are pinned.
    package var revokedDigests: Set<[UInt8]>

    /// Puts a policy together.
    package init(
        mode: Mode, keys: [TrustedKey], revokedKeys: Set<String> = [], revokedDigests: Set<[UInt8]> = []
    ) {
        self.mode = mode
        self.keys = keys
        self.revokedKeys = revokedKeys
        self.revokedDigests = revokedDigests
    }

    /// Decides about one connector.
    ///
    /// Pure: everything that reads or calculates is in `verify`.
    ///
    /// - Parameters:
    ///   - connector: its name, which the trusted comment's `name:` has to be when there is one.
    ///   - version: its version where it is known, likewise for `version:`.
    ///   - digest: SHA-256 of the bytes that are to run, 32 bytes.
    ///   - now: Unix seconds.
    ///   - signature: what was found beside the executable.
    ///   - verify: verifies the signature with one key, over the bytes whose digest is `digest`.
    /// - Returns: the only way to `verified` is a `verify` that returned, with a key that counts now and here.
    package func evaluate(
        connector: String, version: String? = nil, digest: [UInt8], now: Int64, signature: SignatureFinding,
        verify: (DetachedSignature, SignatureKey) throws(SignatureError) -> VerifiedSignature
    ) -> SignatureOutcome {
        guard !revokedDigests.contains(digest) else {
            return refused(.revokedDigest, "the executable \(Hexadecimal.lower(digest)) is revoked")
        }
        let found: DetachedSignature
        switch signature {
        case .missing: return withoutSignature(connector)
        case .unusable(let error): return .refused(SignatureRefusal(error))
        case .found(let parsed): found = parsed
        }
        guard !keys.isEmpty else {
            return refused(.noKeys, "there is a signature, and the manifest has no key to verify it with")
        }
        var refusals: [SignatureRefusal] = []
        // Keys that count first, so that a good signature costs one verification; the others explain a refusal.
        let ranked = keys.map { (key: $0, objection: objection(to: $0, connector, now)) }
        for (trusted, objection) in ranked.filter({ $0.objection == nil }) + ranked.filter({ $0.objection != nil }) {
            let verified: VerifiedSignature
            do throws(SignatureError) {
                verified = try verify(found, trusted.key)
            } catch {
                refusals.append(SignatureRefusal(error))
                continue
            }
            guard let refusal = objection ?? self.objection(to: verified, connector, version) else {
                return .verified(verified, key: trusted.name)
            }
            return .refused(refusal)
        }
        // "Another key" says little when some key was of the right kind and did not verify.
        return .refused(refusals.first { !$0.isAboutAnotherKey } ?? refusals.first ?? SignatureRefusal(.noKeys, ""))
    }

    /// Decides about the bytes of one connector, reading them where that is needed.
    ///
    /// - Parameters:
    ///   - content: the sealed bytes that are to run.
    ///   - connector: its name.
    ///   - version: its version where it is known.
    ///   - digest: SHA-256 of `content`, 32 bytes.
    ///   - now: Unix seconds.
    ///   - signature: what was found beside the executable.
    /// - Returns: what the policy says.
    package func evaluate(
        _ content: SealedContent, connector: String, version: String? = nil, digest: [UInt8], now: Int64,
        signature: SignatureFinding
    ) -> SignatureOutcome {
        evaluate(connector: connector, version: version, digest: digest, now: now, signature: signature) {
            (signature, key) throws(SignatureError) in
            try SignatureVerifier.verify(content: content, digest: digest, signature: signature, key: key)
        }
    }

    private func withoutSignature(_ connector: String) -> SignatureOutcome {
        switch mode {
        case .required:
            refused(
                .missing, "the connector \(connector) has no signature, and its policy is `required`",
                next: "put one beside the executable, \(SignatureFile.suffixes.joined(separator: " or ")), "
                    + "or set the policy to `if-present`")
        case .ifPresent:
            .missingAllowed(warning: "the connector \(connector) is not signed; only its pin was checked")
        }
    }

    private func objection(to trusted: TrustedKey, _ connector: String, _ now: Int64) -> SignatureRefusal? {
        let name = "the key `\(trusted.name)` (\(trusted.key.keyID))"
        guard !revokedKeys.contains(trusted.key.keyID) else {
            return SignatureRefusal(.keyRevoked, "\(name) is revoked")
        }
        guard trusted.scope.includes(connector) else {
            return SignatureRefusal(
                .keyScope, "\(name) may not sign for the connector \(connector)",
                next: "add the connector to the key's `connectors`, if that is meant")
        }
        if let notBefore = trusted.notBefore, now < notBefore {
            return SignatureRefusal(.keyNotYetValid, "\(name) is valid from \(UTCTime(notBefore)) on")
        }
        if let notAfter = trusted.notAfter, now > notAfter {
            return SignatureRefusal(
                .keyExpired, "\(name) was valid until \(UTCTime(notAfter))",
                next: "get a build signed with a current key, or extend the key's `not_after`")
        }
        return nil
    }

    private func objection(
        to verified: VerifiedSignature, _ connector: String, _ version: String?
    ) -> SignatureRefusal? {
        guard let comment = verified.trustedComment else { return nil }
        guard comment.allows("name", connector) else {
            return SignatureRefusal(
                .nameMismatch, "the signature is not for the connector \(connector); it says: \(comment.text)")
        }
        if let version, !comment.allows("version", version) {
            return SignatureRefusal(
                .versionMismatch, "the signature is not for version \(version); it says: \(comment.text)")
        }
        return nil
    }

    private func refused(_ code: SignatureRefusal.Code, _ text: String, next: String = "") -> SignatureOutcome {
        .refused(SignatureRefusal(code, text, next: next))
    }
}
