import COpenSSL

/// A public key that connectors' signatures are verified with: P-256 or Ed25519, nothing else.
///
/// One key has one encoding here, so its id is its identity: compressed points, explicit curve parameters and any other
/// spelling are refused. Two keys are equal when they are the same public key, wherever they came from.
package struct SignatureKey: Sendable {
    /// The kinds of keys.
    package enum Kind: String, Sendable {
        /// ECDSA over NIST P-256 with SHA-256, what cosign generates.
        case p256 = "P-256"
        /// Pure Ed25519 (RFC 8032).
        case ed25519 = "Ed25519"
    }

    /// The most bytes of a text that holds a key.
    package static let textLimit = 8 << 10

    package let kind: Kind
    /// The key as DER SubjectPublicKeyInfo (RFC 5280, 4.1.2.7): 91 bytes for P-256, 44 for Ed25519.
    package let subjectPublicKeyInfo: [UInt8]
    /// SHA-256 of `subjectPublicKeyInfo`, 32 bytes.
    package let fingerprint: [UInt8]
    /// The eight bytes by which minisign names the key; nil for a key that did not come from minisign.
    package let minisignKeyID: [UInt8]?
    let handle: SignatureKeyHandle

    /// Reads a key from text: a PEM block `PUBLIC KEY`, or what minisign writes into `minisign.pub` (two lines, or the
    /// base64 line alone).
    ///
    /// - Parameter text: at most `textLimit` bytes; one line feed may follow the key, nothing else.
    /// - Throws: `SignatureKeyError`: another kind of key, another form, anything beside the key, a point that is none.
    package init(text: [UInt8]) throws(SignatureKeyError) {
        guard !text.isEmpty else { throw SignatureKeyError(.empty, "the key is empty") }
        guard text.count <= SignatureKey.textLimit else {
            throw SignatureKeyError(.tooLarge, "\(text.count) bytes, a key has at most \(SignatureKey.textLimit)")
        }
        if text.starts(with: PublicKeyText.beginMark) {
            try self.init(subjectPublicKeyInfo: PublicKeyText.pem(text))
        } else {
            let (id, point) = try PublicKeyText.minisign(text)
            try self.init(ed25519: point, minisignKeyID: id)
        }
    }

    /// Reads a key from its DER.
    ///
    /// - Parameter der: exactly one SubjectPublicKeyInfo.
    /// - Throws: as `init(text:)`.
    package init(subjectPublicKeyInfo der: [UInt8]) throws(SignatureKeyError) {
        if der.count == 44, der.starts(with: PublicKeyEncoding.ed25519Prefix) {
            try self.init(ed25519: Array(der.dropFirst(12)), minisignKeyID: nil)
        } else if der.count == 91, der.starts(with: PublicKeyEncoding.p256Prefix) {
            try self.init(kind: .p256, der, minisignKeyID: nil)
        } else {
            throw PublicKeyEncoding.refusal(of: der)
        }
    }

    private init(ed25519 point: [UInt8], minisignKeyID: [UInt8]?) throws(SignatureKeyError) {
        guard EdwardsPoint.isSound(point) else {
            throw SignatureKeyError(
                .invalidPoint, "the Ed25519 key is not a usable point of its curve", next: "copy the whole key again")
        }
        try self.init(kind: .ed25519, PublicKeyEncoding.ed25519Prefix + point, minisignKeyID: minisignKeyID)
    }

    private init(kind: Kind, _ der: [UInt8], minisignKeyID: [UInt8]?) throws(SignatureKeyError) {
        OpenSSLError.clear()
        defer { OpenSSLError.clear() }
        guard let handle = SignatureKeyHandle(der: der) else {
            throw SignatureKeyError(
                .invalidPoint, "the \(kind.rawValue) key is not a point of its curve", next: "copy the whole key again")
        }
        guard let fingerprint = der.withUnsafeBytes({ SHA256.digest($0) }) else {
            throw SignatureKeyError(.cryptography, OpenSSLError.take("SHA-256").description)
        }
        self.kind = kind
        self.subjectPublicKeyInfo = der
        self.fingerprint = fingerprint
        self.minisignKeyID = minisignKeyID
        self.handle = handle
    }

    /// The key's name everywhere: lower-case hexadecimal SHA-256 of the SubjectPublicKeyInfo, 64 digits.
    ///
    /// The same as `openssl pkey -pubin -in key.pub -outform DER | sha256sum`.
    package var keyID: String { Hexadecimal.lower(fingerprint) }

    /// The key as a PEM block with a final line feed.
    package var pem: String {
        let text = Array(StrictBase64.encode(subjectPublicKeyInfo).utf8)
        var lines = ["-----BEGIN PUBLIC KEY-----"]
        for start in stride(from: 0, to: text.count, by: 64) {
            lines.append(String(decoding: text.dropFirst(start).prefix(64), as: UTF8.self))
        }
        return (lines + ["-----END PUBLIC KEY-----", ""]).joined(separator: "\n")
    }
}

extension SignatureKey: Hashable {
    package static func == (left: SignatureKey, right: SignatureKey) -> Bool {
        left.subjectPublicKeyInfo == right.subjectPublicKeyInfo
    }
    package func hash(into hasher: inout Hasher) { hasher.combine(subjectPublicKeyInfo) }
}

/// The owner of one EVP_PKEY with a public key in it.
///
/// Unchecked: only read after `init`, and OpenSSL counts references and caches under its own locks.
final class SignatureKeyHandle: @unchecked Sendable {
    let key: OpaquePointer

    /// Loads a SubjectPublicKeyInfo; nil when OpenSSL does not take all of it, or the point is not on its curve.
    init?(der: [UInt8]) {
        var cursor: UnsafePointer<UInt8>?
        let loaded = der.withUnsafeBufferPointer { bytes -> OpaquePointer? in
            cursor = bytes.baseAddress
            guard let key = d2i_PUBKEY(nil, &cursor, bytes.count) else { return nil }
            guard let start = bytes.baseAddress, let cursor, cursor - start == bytes.count else {
                EVP_PKEY_free(key)
                return nil
            }
            return key
        }
        guard let loaded else { return nil }
        key = loaded
        guard let context = EVP_PKEY_CTX_new_from_pkey(nil, key, nil) else { return nil }
        defer { EVP_PKEY_CTX_free(context) }
        // On the curve, of its order, not the point at infinity (EVP_PKEY_public_check(3)).
        guard EVP_PKEY_public_check(context) == 1 else { return nil }
    }

    deinit {
        EVP_PKEY_free(key)
    }
}
