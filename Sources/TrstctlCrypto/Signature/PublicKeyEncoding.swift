/// The two SubjectPublicKeyInfo encodings that are accepted, and words for those that are not.
enum PublicKeyEncoding {
    /// SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING { 04 …64 bytes } } (RFC 5480).
    static let p256Prefix: [UInt8] = [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
        0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
    ]
    /// SEQUENCE { SEQUENCE { id-Ed25519 }, BIT STRING { …32 bytes } } (RFC 8410).
    static let ed25519Prefix: [UInt8] = [
        0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
    ]

    /// Why a SubjectPublicKeyInfo is not one of the two.
    static func refusal(of der: [UInt8]) -> SignatureKeyError {
        let next = "use a P-256 key (cosign generate-key-pair) or an Ed25519 key"
        if let size = outerSize(of: der), size < der.count {
            return SignatureKeyError(.trailingData, "\(der.count - size) bytes follow the key")
        }
        guard let size = outerSize(of: der), size == der.count else {
            return SignatureKeyError(.malformed, "the block is not a DER public key", next: next)
        }
        let head = der.prefix(64)
        if head.firstRange(of: idECPublicKey) != nil, head.firstRange(of: prime256v1) != nil {
            if der.count == 59 {
                return SignatureKeyError(
                    .compressedPoint, "the P-256 key is compressed, which gives one key two names",
                    next: "openssl ec -pubin -in KEY -conv_form uncompressed -pubout")
            }
            return SignatureKeyError(.malformed, "a P-256 key in an unusual encoding", next: next)
        }
        for (identifier, name) in others where head.firstRange(of: identifier) != nil {
            return SignatureKeyError(
                .unsupported, "the key is \(name); only P-256 and Ed25519 keys are accepted", next: next)
        }
        return SignatureKeyError(
            .unsupported, "a key of an unknown kind; only P-256 and Ed25519 keys are accepted", next: next)
    }

    private static let idECPublicKey: [UInt8] = [0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01]
    private static let prime256v1: [UInt8] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07]
    private static let others: [(identifier: [UInt8], name: String)] = [
        ([0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01], "RSA"),
        ([0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a], "RSA-PSS"),
        ([0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22], "P-384"),
        ([0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23], "P-521"),
        ([0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a], "secp256k1"),
        ([0x06, 0x03, 0x2b, 0x65, 0x71], "Ed448"),
        ([0x06, 0x03, 0x2b, 0x65, 0x70], "Ed25519 in an unusual encoding"),
        ([0x06, 0x03, 0x2b, 0x65, 0x6e], "X25519"),
        ([0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x01], "DSA"),
        (idECPublicKey, "of an elliptic curve that is not P-256"),
    ]

    /// The bytes that the outer SEQUENCE says it has, header included; nil when it is not one in definite form.
    private static func outerSize(of der: [UInt8]) -> Int? {
        guard der.count >= 4, der[0] == 0x30 else { return nil }
        switch der[1] {
        case 0..<0x80: return 2 + Int(der[1])
        case 0x81: return 3 + Int(der[2])
        case 0x82: return 4 + Int(der[2]) << 8 + Int(der[3])
        default: return nil
        }
    }
}
