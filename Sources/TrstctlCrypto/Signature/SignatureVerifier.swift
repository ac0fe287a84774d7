import COpenSSL

/// A signature that verified: nothing but `SignatureVerifier` makes one.
///
/// It holds no bytes of the signature, on purpose: anybody can turn a valid ECDSA signature (r, s) into another valid
/// one, (r, n - s), so a signature names neither a file nor a release.
package struct VerifiedSignature: Hashable, Sendable {
    /// How the file was written.
    package let form: DetachedSignature.Form
    /// What verified it.
    package let algorithm: SignatureKey.Kind
    /// `SignatureKey.keyID` of the key.
    package let keyID: String
    /// For minisign: the comment, which the signature covers.
    package let trustedComment: TrustedComment?
    /// What the file holds and nobody checked, one line each, for the report.
    package let notes: [String]

    fileprivate init(_ form: DetachedSignature.Form, _ key: SignatureKey, comment: TrustedComment?, notes: [String]) {
        self.form = form
        algorithm = key.kind
        keyID = key.keyID
        trustedComment = comment
        self.notes = notes
    }
}

/// Verifies detached signatures, with OpenSSL, over sealed bytes.
package enum SignatureVerifier {
    /// Verifies one signature with one key.
    ///
    /// P-256 and minisign read the content in pieces; pure Ed25519 needs it in one, and maps the sealed memfd.
    ///
    /// - Parameters:
    ///   - content: the bytes that are to run.
    ///   - digest: their SHA-256, 32 bytes; a bundle has to name the same. No signature is verified over it.
    ///   - signature: the parsed file.
    ///   - key: the key to verify with.
    /// - Returns: what verified.
    /// - Throws: `SignatureError`: `wrongKeyType`, `wrongKey`, `wrongDigest`, `mismatch`, `globalMismatch`, `notDER`,
    ///   `wrongLength`, or that something could not be read or calculated.
    package static func verify(
        content: SealedContent, digest: [UInt8], signature: DetachedSignature, key: SignatureKey
    ) throws(SignatureError) -> VerifiedSignature {
        guard digest.count == 32 else { throw SignatureError(.cryptography, "the content's SHA-256 is missing") }
        OpenSSLError.clear()
        defer { OpenSSLError.clear() }
        var comment: TrustedComment?
        var notes: [String] = []
        switch signature.content {
        case .base64(let bytes):
            switch key.kind {
            case .p256: try verifyECDSA(bytes, content, key)
            case .ed25519: try verifyEd25519(bytes, content, key)
            }
        case .raw(let bytes):
            try expect(.ed25519, key, "64 raw bytes are an Ed25519 signature")
            try verifyEd25519(bytes, content, key)
        case .bundle(let bundle):
            try expect(.p256, key, "bundles are verified with P-256 keys")
            try verify(bundle, content, digest, key)
            if bundle.hasUncheckedProofs { notes.append("transparency log entries and timestamps were not checked") }
        case .minisign(let minisign):
            try expect(.ed25519, key, "minisign signs with Ed25519")
            try verify(minisign, content, key)
            comment = minisign.comment
        }
        return VerifiedSignature(signature.form, key, comment: comment, notes: notes)
    }

    private static func expect(
        _ kind: SignatureKey.Kind, _ key: SignatureKey, _ why: String
    ) throws(SignatureError) {
        guard key.kind == kind else {
            throw SignatureError(.wrongKeyType, "\(why), and the key \(key.keyID) is \(key.kind.rawValue)")
        }
    }

    private static func verify(
        _ bundle: SigstoreBundle, _ content: SealedContent, _ digest: [UInt8], _ key: SignatureKey
    ) throws(SignatureError) {
        if let hint = bundle.hint, hint != key.fingerprint {
            throw SignatureError(
                .wrongKey, "the bundle was signed with the key \(Hexadecimal.lower(hint)), not with \(key.keyID)")
        }
        guard bundle.digest == digest else {
            throw SignatureError(
                .wrongDigest,
                "the bundle is for a file with SHA-256 \(Hexadecimal.lower(bundle.digest)), "
                    + "not \(Hexadecimal.lower(digest))")
        }
        // The digest in the bundle proves nothing: the signature has to be over the bytes.
        try verifyECDSA(bundle.signature, content, key)
    }

    private static func verify(
        _ minisign: MinisignSignature, _ content: SealedContent, _ key: SignatureKey
    ) throws(SignatureError) {
        guard let keyID = key.minisignKeyID else {
            throw SignatureError(
                .wrongKey, "a minisign signature names its key, and the key \(key.keyID) has no minisign key id",
                next: "give the key as minisign.pub")
        }
        guard minisign.keyID == keyID else {
            throw SignatureError(
                .wrongKey, "the minisign signature was made with key id \(text(minisign.keyID)), not \(text(keyID))")
        }
        let hash = try blake2b512(content)
        let isSigned = hash.withUnsafeBytes { SignatureCheck.oneShot(key, minisign.signature, over: $0) }
        guard isSigned else { throw mismatch(key) }
        let covered = minisign.signature + minisign.comment.bytes
        let isGlobal = covered.withUnsafeBytes { SignatureCheck.oneShot(key, minisign.globalSignature, over: $0) }
        guard isGlobal else {
            throw SignatureError(.globalMismatch, "the trusted comment is not the one that was signed")
        }
    }

    private static func verifyECDSA(
        _ signature: [UInt8], _ content: SealedContent, _ key: SignatureKey
    ) throws(SignatureError) {
        guard ECDSASignature.isCanonical(signature) else {
            throw SignatureError(
                .notDER, "\(signature.count) bytes that are not the DER of a P-256 signature",
                next: "is it a signature with another key type?")
        }
        guard try SignatureCheck.streamed(key, signature, over: content) else { throw mismatch(key) }
    }

    private static func verifyEd25519(
        _ signature: [UInt8], _ content: SealedContent, _ key: SignatureKey
    ) throws(SignatureError) {
        guard signature.count == DetachedSignature.ed25519Length else {
            throw SignatureError(
                .wrongLength, "\(signature.count) bytes; an Ed25519 signature has \(DetachedSignature.ed25519Length)",
                next: "is it a signature with another key type?")
        }
        let isSigned = try content.withMapping { SignatureCheck.oneShot(key, signature, over: $0) }
        guard isSigned else { throw mismatch(key) }
    }

    private static func mismatch(_ key: SignatureKey) -> SignatureError {
        SignatureError(
            .mismatch, "the signature is not one of these bytes with the \(key.kind.rawValue) key \(key.keyID)",
            next: "get the executable and its signature again from one release, and check the key")
    }

    /// minisign shows key ids as a little-endian number in upper-case hexadecimal.
    private static func text(_ keyID: [UInt8]) -> String { Hexadecimal.lower(keyID.reversed()).uppercased() }

    private static func blake2b512(_ content: SealedContent) throws(SignatureError) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 64)
        var length: UInt32 = 0
        guard let context = EVP_MD_CTX_new() else { throw failure("EVP_MD_CTX_new") }
        defer { EVP_MD_CTX_free(context) }
        guard EVP_DigestInit_ex(context, EVP_blake2b512(), nil) == 1,
            try content.stream({ EVP_DigestUpdate(context, $0.baseAddress, $0.count) == 1 }),
            EVP_DigestFinal_ex(context, &digest, &length) == 1, length == 64
        else { throw failure("BLAKE2b-512") }
        return digest
    }

    private static func failure(_ stage: String) -> SignatureError {
        SignatureError(.cryptography, OpenSSLError.take(stage).description)
    }
}

/// OpenSSL's answer about one signature; every answer but "it verifies" is no.
enum SignatureCheck {
    /// ECDSA with SHA-256 over content that is read in pieces.
    static func streamed(
        _ key: SignatureKey, _ signature: [UInt8], over content: SealedContent
    ) throws(SignatureError) -> Bool {
        guard key.kind == .p256, let context = EVP_MD_CTX_new() else { return false }
        defer { EVP_MD_CTX_free(context) }
        guard EVP_DigestVerifyInit(context, nil, EVP_sha256(), nil, key.handle.key) == 1,
            try content.stream({ EVP_DigestVerifyUpdate(context, $0.baseAddress, $0.count) == 1 })
        else { return false }
        // 0 is a wrong signature, a negative number an error: only 1 is a yes (EVP_DigestVerifyFinal(3)).
        return EVP_DigestVerifyFinal(context, signature, signature.count) == 1
    }

    /// Pure Ed25519 over bytes in memory.
    static func oneShot(_ key: SignatureKey, _ signature: [UInt8], over bytes: UnsafeRawBufferPointer) -> Bool {
        guard key.kind == .ed25519, let context = EVP_MD_CTX_new() else { return false }
        defer { EVP_MD_CTX_free(context) }
        guard EVP_DigestVerifyInit(context, nil, nil, nil, key.handle.key) == 1 else { return false }
        let start = bytes.bindMemory(to: UInt8.self).baseAddress
        return EVP_DigestVerify(context, signature, signature.count, start, bytes.count) == 1
    }
}
