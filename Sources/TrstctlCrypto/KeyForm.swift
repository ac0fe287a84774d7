import COpenSSL
package import TrstctlSystem

extension PrivateKey {
    /// How a private key is written for those who read one form only.
    package enum Form: String, CaseIterable, Sendable {
        /// `PRIVATE KEY` (RFC 5958): every kind of key.
        case pkcs8 = "PKCS#8"
        /// `EC PRIVATE KEY` (RFC 5915).
        case sec1 = "SEC1"
        /// `RSA PRIVATE KEY` (RFC 8017).
        case pkcs1 = "PKCS#1"
        /// PKCS#8 without PEM around it.
        case der = "DER"
    }

    /// What kind of key it is, for messages: `RSA`, `EC`, `ED25519`; as OpenSSL calls it.
    package var algorithm: String {
        guard let key = ParsedKey(pem), let name = EVP_PKEY_get0_type_name(key.pointer) else { return "unknown" }
        return String(cString: name)
    }

    /// The key in another form, unencrypted.
    ///
    /// - Parameter form: how.
    /// - Returns: secret bytes.
    /// - Throws: `PrivateKeyError` with `unsupported` when a key of this kind has no such form.
    package func encoded(as form: Form) throws(PrivateKeyError) -> Bytes {
        guard let key = ParsedKey(pem) else {
            throw PrivateKeyError(.malformed, OpenSSLError.take("the private key").description)
        }
        let kind = EVP_PKEY_get_base_id(key.pointer)
        let isPossible =
            switch form {
            case .pkcs8, .der: true
            case .sec1: kind == EVP_PKEY_EC
            case .pkcs1: kind == EVP_PKEY_RSA
            }
        guard isPossible else {
            throw PrivateKeyError(.unsupported, "\(form.rawValue) is no form of \(algorithm) keys")
        }
        let bytes =
            switch form {
            case .pkcs8:
                key.written { PEM_write_bio_PKCS8PrivateKey($0, $1, nil, nil, 0, ParsedKey.refuse, nil) }
            case .sec1, .pkcs1:
                key.written { PEM_write_bio_PrivateKey_traditional($0, $1, nil, nil, 0, ParsedKey.refuse, nil) }
            case .der:
                key.written { i2d_PKCS8PrivateKey_bio($0, $1, nil, nil, 0, ParsedKey.refuse, nil) }
            }
        guard let bytes else {
            throw PrivateKeyError(.malformed, "OpenSSL could not write the key as \(form.rawValue)")
        }
        return bytes
    }
}
