import COpenSSL
package import TrstctlSystem

/// Makes signatures for authors: `trstctl plugin sign`.
///
/// Each signature is verified with the public key before it is returned: a key whose halves do not belong together, or
/// a computation that went wrong, gives no file.
package final class Signer: @unchecked Sendable {
    /// What is written.
    package enum Output: String, Sendable {
        /// One line of base64: DER ECDSA with a P-256 key, as `cosign sign-blob` writes it; 64 bytes of Ed25519.
        case base64 = "base64"
        /// The smallest Sigstore bundle v0.3; P-256 only.
        case sigstoreBundle = "sigstore-bundle"
    }

    // Unchecked Sendable: only read after init, and OpenSSL counts references and caches under its own locks.
    private let key: OpaquePointer
    /// What users verify with; give them `publicKey.pem`.
    package let publicKey: SignatureKey

    /// Reads a private key.
    ///
    /// - Parameter pem: a file with one unencrypted private key, P-256 (PKCS#8 or SEC1) or Ed25519 (PKCS#8).
    /// - Throws: `SignatureKeyError`; `encrypted` for every kind of encrypted key, because nobody is asked.
    package init(privateKey pem: Bytes) throws(SignatureKeyError) {
        OpenSSLError.clear()
        defer { OpenSSLError.clear() }
        let block = try PrivateKeyText.block(of: pem)
        guard let key = PrivateKeyText.load(block) else {
            throw SignatureKeyError(.malformed, OpenSSLError.take("the private key").description)
        }
        do throws(SignatureKeyError) {
            publicKey = try SignatureKey(subjectPublicKeyInfo: Signer.publicHalf(of: key))
        } catch {
            EVP_PKEY_free(key)
            throw error
        }
        self.key = key
    }

    deinit {
        EVP_PKEY_free(key)
    }

    /// Signs.
    ///
    /// - Parameters:
    ///   - content: the executable.
    ///   - output: the form.
    /// - Returns: the file's content, text that ends in a line feed.
    /// - Throws: `SignatureError` when reading, signing, or the verification afterwards fails; `wrongKeyType` for a
    ///   bundle with an Ed25519 key.
    package func sign(_ content: SealedContent, as output: Output) throws(SignatureError) -> [UInt8] {
        OpenSSLError.clear()
        defer { OpenSSLError.clear() }
        guard output == .base64 || publicKey.kind == .p256 else {
            throw SignatureError(.wrongKeyType, "a Sigstore bundle needs a P-256 key; this one is Ed25519")
        }
        let signature =
            switch publicKey.kind {
            case .p256: try streamed(content)
            case .ed25519: try oneShot(content)
            }
        let digest = try sha256(content)
        let text = StrictBase64.encode(signature)
        let file =
            switch output {
            case .base64: Array("\(text)\n".utf8)
            case .sigstoreBundle: Array(bundle(signature: text, digest: StrictBase64.encode(digest)).utf8)
            }
        _ = try SignatureVerifier.verify(
            content: content, digest: digest, signature: DetachedSignature(file: file), key: publicKey)
        return file
    }

    private func bundle(signature: String, digest: String) -> String {
        let hint = StrictBase64.encode(publicKey.fingerprint)
        // Base64 needs no escapes in JSON.
        return """
            {"mediaType":"\(SigstoreBundle.mediaType)","verificationMaterial":{"publicKey":{"hint":"\(hint)"}},\
            "messageSignature":{"messageDigest":{"algorithm":"SHA2_256","digest":"\(digest)"},\
            "signature":"\(signature)"}}

            """
    }

    private func streamed(_ content: SealedContent) throws(SignatureError) -> [UInt8] {
        guard let context = EVP_MD_CTX_new() else { throw Signer.failure("EVP_MD_CTX_new") }
        defer { EVP_MD_CTX_free(context) }
        var signature = [UInt8](repeating: 0, count: 128)
        var count = signature.count
        guard EVP_DigestSignInit(context, nil, EVP_sha256(), nil, key) == 1,
            try content.stream({ EVP_DigestSignUpdate(context, $0.baseAddress, $0.count) == 1 }),
            EVP_DigestSignFinal(context, &signature, &count) == 1, count <= signature.count
        else { throw Signer.failure("signing with P-256") }
        return Array(signature.prefix(count))
    }

    private func oneShot(_ content: SealedContent) throws(SignatureError) -> [UInt8] {
        guard let context = EVP_MD_CTX_new() else { throw Signer.failure("EVP_MD_CTX_new") }
        defer { EVP_MD_CTX_free(context) }
        var signature = [UInt8](repeating: 0, count: DetachedSignature.ed25519Length)
        var count = signature.count
        guard EVP_DigestSignInit(context, nil, nil, nil, key) == 1 else { throw Signer.failure("EVP_DigestSignInit") }
        let isSigned = try content.withMapping { bytes in
            let start = bytes.bindMemory(to: UInt8.self).baseAddress
            return EVP_DigestSign(context, &signature, &count, start, bytes.count) == 1
        }
        guard isSigned, count == signature.count else { throw Signer.failure("signing with Ed25519") }
        return signature
    }

    private func sha256(_ content: SealedContent) throws(SignatureError) -> [UInt8] {
        var hash = SHA256()
        _ = try content.stream { piece in
            hash.update(piece)
            return true
        }
        guard let digest = hash.finalize() else { throw Signer.failure("SHA-256") }
        return digest
    }

    /// The public half as DER; a key that was stored with a compressed point is written with the whole one.
    private static func publicHalf(of key: OpaquePointer) throws(SignatureKeyError) -> [UInt8] {
        if EVP_PKEY_get_base_id(key) == EVP_PKEY_EC {
            _ = EVP_PKEY_set_utf8_string_param(key, "point-format", "uncompressed")
        }
        var start: UnsafeMutablePointer<UInt8>?
        let count = i2d_PUBKEY(key, &start)
        defer { CRYPTO_free(start, #file, #line) }
        guard count > 0, let start else {
            throw SignatureKeyError(.malformed, OpenSSLError.take("i2d_PUBKEY").description)
        }
        return Array(UnsafeBufferPointer(start: start, count: Int(count)))
    }

    private static func failure(_ stage: String) -> SignatureError {
        SignatureError(.cryptography, OpenSSLError.take(stage).description)
    }
}
