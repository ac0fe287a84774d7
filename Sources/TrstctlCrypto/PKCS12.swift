import COpenSSL
package import TrstctlSystem

/// PKCS#12 files (RFC 7292): a key, its certificate and the issuers, encrypted with a password.
///
/// The same content and profile give the same salts, so the same file: who deploys it can tell whether it is there
/// already. The salts come out of SHA-256 over the private key and the certificates, so nobody without the key can
/// predict them; the password is not in it, so they say nothing about it. Two files share a salt only when everything
/// that is encrypted is the same.
package enum PKCS12 {
    /// How the file is encrypted.
    package enum Profile: String, CaseIterable, Sendable {
        /// AES-256-CBC with PBKDF2 and HMAC-SHA-256 (RFC 8018, PBES2), MAC with SHA-256.
        case modern
        /// Three-key triple DES with SHA-1 (RFC 7292, appendix C), MAC with SHA-1: Windows Server 2016 and older.
        case legacyTripleDES = "legacy-3des"

        /// How often the derivation is repeated: what readers of the time take without complaint.
        var iterations: Int32 { self == .modern ? 10_000 : 2_048 }
        var saltBytes: Int { self == .modern ? 16 : 8 }
    }

    /// The longest password, in bytes.
    package static let longestPassword = 1_024

    /// Makes a file.
    ///
    /// - Parameters:
    ///   - key: the private key.
    ///   - certificate: its certificate.
    ///   - chain: the issuers, at most `PEM.certificateLimit`.
    ///   - password: UTF-8 without NUL, at most `longestPassword` bytes; empty means the empty password.
    ///   - profile: how it is encrypted.
    /// - Returns: DER, secret.
    /// - Throws: `PKCS12Error`.
    package static func encode(
        key: PrivateKey, certificate: Certificate, chain: [Certificate], password: Bytes, profile: Profile
    ) throws(PKCS12Error) -> Bytes {
        guard password.count <= longestPassword else {
            throw PKCS12Error(.badPassword, "the password is longer than \(longestPassword) bytes")
        }
        guard password.withUnsafeBytes({ !$0.contains(0) && $0.isUTF8 }) else {
            throw PKCS12Error(.badPassword, "the password is not UTF-8 without NUL")
        }
        guard chain.count <= PEM.certificateLimit else {
            throw PKCS12Error(.tooMany, "\(chain.count) issuers, at most \(PEM.certificateLimit)")
        }
        guard let parsed = ParsedKey(key.pem), let info = EVP_PKEY2PKCS8(parsed.pointer) else {
            throw PKCS12Error(.cryptography, OpenSSLError.take("the private key").description)
        }
        defer { PKCS8_PRIV_KEY_INFO_free(info) }
        let salts: Salts
        do throws(PrivateKeyError) {
            salts = Salts(try key.encoded(as: .der), [certificate] + chain, profile)
        } catch {
            throw PKCS12Error(.cryptography, error.reason)
        }
        // OpenSSL takes the password as a C string with its length.
        var text = WipedBuffer(capacity: password.count + 1, limit: password.count + 1)
        _ = text.append(password)
        _ = text.append(0)
        let secret = text.bytes()
        let encoded = secret.withUnsafeBytes { bytes -> Bytes? in
            guard let start = bytes.bindMemory(to: CChar.self).baseAddress else { return nil }
            let assembly = PKCS12Assembly(
                password: start, passwordCount: Int32(password.count), profile: profile, salts: salts)
            return assembly.file(info, certificate, chain)
        }
        guard let encoded else { throw PKCS12Error(.cryptography, OpenSSLError.take("PKCS#12").description) }
        OpenSSLError.clear()
        return encoded
    }

    /// The values that are random elsewhere.
    struct Salts {
        private let seed: [UInt8]
        private let count: Int

        init(_ key: Bytes, _ certificates: [Certificate], _ profile: Profile) {
            var hash = SHA256()
            Array("trstctl PKCS#12 \(profile.rawValue)\n".utf8).withUnsafeBytes { hash.update($0) }
            for certificate in certificates { certificate.fingerprint.withUnsafeBytes { hash.update($0) } }
            key.withUnsafeBytes { hash.update($0) }
            seed = hash.finalize() ?? []
            count = profile.saltBytes
        }

        /// The salt, or initialisation vector, of one part.
        func value(_ role: String, count wanted: Int? = nil) -> [UInt8] {
            Array(((seed + Array(role.utf8)).withUnsafeBytes { SHA256.digest($0) } ?? []).prefix(wanted ?? count))
        }
    }
}

/// Why there is no PKCS#12 file, without any of its content.
package struct PKCS12Error: Error, Equatable, Sendable, CustomStringConvertible {
    /// What is wrong.
    package enum Code: String, Sendable {
        case badPassword, tooMany, cryptography
    }

    /// What is wrong.
    package var code: Code
    /// One line for people.
    package var reason: String

    init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    package var description: String { reason }
}

extension UnsafeRawBufferPointer {
    /// Whether the bytes are UTF-8 (RFC 3629), found out without a copy.
    package var isUTF8: Bool {
        var decoder = UTF8()
        var bytes = makeIterator()
        while true {
            switch decoder.decode(&bytes) {
            case .scalarValue: continue
            case .emptyInput: return true
            case .error: return false
            }
        }
    }
}
