import COpenSSL
import TrstctlCrypto
import TrstctlPolicy
import TrstctlSystem

/// The signed statement with which a Google service account asks for a token (RFC 7523 section 2.1, with RS256).
///
/// https://developers.google.com/identity/protocols/oauth2/service-account#httprest
enum GoogleAssertion {
    /// Seconds for which the statement is valid; Google's maximum.
    static let lifetime: Int64 = 3_600

    /// Makes the statement.
    ///
    /// - Parameters:
    ///   - keyFile: the service account's JSON key file.
    ///   - audience: where it will be presented.
    ///   - scope: what is asked for.
    ///   - now: seconds since the Unix epoch.
    /// - Returns: the statement, secret because it is as good as the key until it expires.
    /// - Throws: `invalid` when the file is not such a file; its content is never in the message.
    static func make(
        _ keyFile: Bytes, audience: String, scope: String, now: Int64
    ) throws(EffectError) -> Bytes {
        guard let members = SecretJSON(keyFile), let pem = members.texts["private_key"],
            let account = members.texts["client_email"]?.text, isPlain(account)
        else { throw invalid("it has no client_email and private_key") }
        guard isPlain(scope), isPlain(audience) else {
            throw EffectError(.invalid, object: "scope", "the scope or the token URL cannot stand in a JSON text")
        }
        var header = #"{"alg":"RS256","typ":"JWT""#
        if let id = members.texts["private_key_id"]?.text, isPlain(id) { header += #","kid":"\#(id)""# }
        let claims =
            #"{"iss":"\#(account)","scope":"\#(scope)","aud":"\#(audience)","iat":\#(now),"exp":\#(now + lifetime)}"#
        let signed = base64URL(Bytes(header + "}")).array + [UInt8(ascii: ".")] + base64URL(Bytes(claims)).array
        let signature = try sign(signed, pem)
        return Bytes(signed + [UInt8(ascii: ".")] + base64URL(signature).array, isSecret: true)
    }

    private static func isPlain(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 4_096
            && text.utf8.allSatisfy {
                (0x20...0x7E).contains($0) && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\")
            }
    }

    private static func sign(_ content: [UInt8], _ pem: Bytes) throws(EffectError) -> Bytes {
        defer { OpenSSLError.clear() }
        guard let source = pem.withUnsafeBytes({ BIO_new_mem_buf($0.baseAddress, Int32(clamping: $0.count)) }) else {
            throw invalid("its private_key cannot be read")
        }
        defer {
            BIO_free(source)
            withExtendedLifetime(pem) {}
        }
        // A passphrase is never asked for: an encrypted key is no key here.
        let key = PEM_read_bio_PrivateKey(source, nil, { _, _, _, _ in -1 }, nil)
        guard let key else { throw invalid("its private_key cannot be read") }
        defer { EVP_PKEY_free(key) }
        guard EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA, let context = EVP_MD_CTX_new() else {
            throw invalid("its private_key is not for RSA")
        }
        defer { EVP_MD_CTX_free(context) }
        var signature = [UInt8](repeating: 0, count: 1_024)
        var count = signature.count
        guard EVP_DigestSignInit(context, nil, EVP_sha256(), nil, key) == 1,
            EVP_DigestSign(context, &signature, &count, content, content.count) == 1
        else { throw invalid("its private_key cannot sign") }
        return Bytes(Array(signature.prefix(count)))
    }

    private static func invalid(_ reason: String) -> EffectError {
        EffectError(
            .invalid, object: "secret_name", "the secret is not the JSON key file of a service account: \(reason)",
            fix: "gcloud iam service-accounts keys create FILE --iam-account=ACCOUNT")
    }
}

/// Base64 for URLs, without padding (RFC 4648 section 5).
func base64URL(_ source: Bytes) -> Bytes {
    let bytes = base64(source).array.filter { $0 != UInt8(ascii: "=") }.map { byte in
        switch byte {
        case UInt8(ascii: "+"): UInt8(ascii: "-")
        case UInt8(ascii: "/"): UInt8(ascii: "_")
        default: byte
        }
    }
    return Bytes(bytes, isSecret: source.isSecret)
}
