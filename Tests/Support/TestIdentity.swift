import COpenSSL
import Glibc
package import TrstctlCrypto
package import TrstctlSystem

/// What a test certificate says about itself.
package struct CertificateRequest: Sendable {
    package var subject: String
    package var names: [String]
    /// Seconds from now.
    package var startsAt: Int64
    package var lasts: Int64
    package var isAuthority: Bool
    /// Any extension on top, as OpenSSL's configuration syntax: `(NID_…, "value")`.
    package var extensions: [(nid: Int32, value: String)]

    package init(
        subject: String, names: [String] = [], startsAt: Int64 = -3600, lasts: Int64 = 365 * 86400,
        isAuthority: Bool, extensions: [(nid: Int32, value: String)] = []
    ) {
        self.subject = subject
        self.names = names
        self.startsAt = startsAt
        self.lasts = lasts
        self.isAuthority = isAuthority
        self.extensions = extensions
    }
}

/// A certificate with its private key, in memory.
package final class TestIdentity: @unchecked Sendable {
    package let certificate: Certificate
    private let x509: OpaquePointer
    private let key: OpaquePointer

    /// Makes a key and a certificate for it; without an issuer the certificate signs itself.
    ///
    /// - Parameters:
    ///   - request: what the certificate says.
    ///   - algorithm: of the new key.
    ///   - issuer: who signs.
    ///   - other: takes this identity's key in place of a new one, for cross-signed certificates.
    /// - Throws: `TestPKI.Failure`.
    package init(
        _ request: CertificateRequest, algorithm: TestPKI.Algorithm, issuer: TestIdentity?,
        sharing other: TestIdentity? = nil
    ) throws {
        func check(_ result: Int32, _ stage: String) throws {
            guard result > 0 else { throw TestPKI.Failure(description: OpenSSLError.take(stage).description) }
        }
        func made(_ pointer: OpaquePointer?, _ stage: String) throws -> OpaquePointer {
            guard let pointer else { throw TestPKI.Failure(description: OpenSSLError.take(stage).description) }
            return pointer
        }
        if let other {
            try check(EVP_PKEY_up_ref(other.key), "EVP_PKEY_up_ref")
            key = other.key
        } else {
            key = try made(
                algorithm == .ecdsaP256 ? trstctl_EVP_EC_gen("P-256") : trstctl_EVP_RSA_gen(2048), "key generation")
        }
        x509 = try made(X509_new(), "X509_new")
        try check(X509_set_version(x509, 2), "X509_set_version")
        var serial: UInt64 = 0
        guard RAND_bytes(&serial, 8) == 1 else { throw TestPKI.Failure(description: "RAND_bytes") }
        try check(ASN1_INTEGER_set_uint64(X509_get_serialNumber(x509), serial >> 1), "serial number")
        let now = time(nil)
        guard ASN1_TIME_set(X509_getm_notBefore(x509), now + Int(request.startsAt)) != nil,
            ASN1_TIME_set(X509_getm_notAfter(x509), now + Int(request.startsAt + request.lasts)) != nil
        else { throw TestPKI.Failure(description: "validity") }
        let name = Array(request.subject.utf8)
        try check(
            X509_NAME_add_entry_by_txt(
                X509_get_subject_name(x509), "CN", MBSTRING_UTF8, name, Int32(name.count), -1, 0),
            "subject")
        try check(
            X509_set_issuer_name(x509, X509_get_subject_name(issuer?.x509 ?? x509)), "issuer")
        try check(X509_set_pubkey(x509, key), "X509_set_pubkey")

        var extensions: [(Int32, String)] = [
            (NID_basic_constraints, request.isAuthority ? "critical,CA:TRUE" : "critical,CA:FALSE"),
            (NID_key_usage, request.isAuthority ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature"),
            (NID_subject_key_identifier, "hash"),
        ]
        if issuer != nil { extensions.append((NID_authority_key_identifier, "keyid")) }
        if !request.isAuthority { extensions.append((NID_ext_key_usage, "serverAuth")) }
        if !request.names.isEmpty {
            let entries = request.names.map { TestIdentity.isAddress($0) ? "IP:\($0)" : "DNS:\($0)" }
            extensions.append((NID_subject_alt_name, entries.joined(separator: ",")))
        }
        extensions = extensions.filter { own in !request.extensions.contains { $0.nid == own.0 } }
        extensions += request.extensions.filter { !$0.value.isEmpty }.map { ($0.nid, $0.value) }
        var context = X509V3_CTX()
        X509V3_set_ctx(&context, issuer?.x509 ?? x509, x509, nil, nil, 0)
        for (nid, value) in extensions {
            let made = try made(X509V3_EXT_conf_nid(nil, &context, nid, value), "extension \(value)")
            defer { X509_EXTENSION_free(made) }
            try check(X509_add_ext(x509, made, -1), "X509_add_ext")
        }
        try check(X509_sign(x509, issuer?.key ?? key, EVP_sha256()), "X509_sign")

        var start: UnsafeMutablePointer<UInt8>?
        let count = i2d_X509(x509, &start)
        try check(count, "i2d_X509")
        defer { CRYPTO_free(start, #file, #line) }
        certificate = try Certificate(der: Bytes(copying: UnsafeRawBufferPointer(start: start, count: Int(count))))
    }

    deinit {
        X509_free(x509)
        EVP_PKEY_free(key)
    }

    /// The private key as PEM; encrypted with the passphrase `secret` where the format says so.
    package func keyPEM(_ format: TestPKI.KeyFormat) throws -> Bytes {
        guard let output = BIO_new(BIO_s_mem()) else { throw TestPKI.Failure(description: "BIO_new") }
        defer { BIO_free_all(output) }
        let phrase = Array("secret".utf8)
        let result: Int32 =
            switch format {
            case .pkcs8:
                PEM_write_bio_PKCS8PrivateKey(output, key, nil, nil, 0, nil, nil)
            case .traditional:
                PEM_write_bio_PrivateKey_traditional(output, key, nil, nil, 0, nil, nil)
            case .encryptedPKCS8:
                phrase.withUnsafeBytes { bytes in
                    let start = UnsafeMutableRawPointer(mutating: bytes.baseAddress)?.assumingMemoryBound(
                        to: CChar.self)
                    return PEM_write_bio_PKCS8PrivateKey(
                        output, key, EVP_aes_256_cbc(), start, Int32(bytes.count), nil, nil)
                }
            case .encryptedTraditional:
                PEM_write_bio_PrivateKey_traditional(
                    output, key, EVP_aes_256_cbc(), phrase, Int32(phrase.count), nil, nil)
            }
        guard result == 1 else { throw TestPKI.Failure(description: OpenSSLError.take("key PEM").description) }
        var start: UnsafeMutablePointer<CChar>?
        let count = trstctl_BIO_get_mem_data(output, &start)
        return Bytes(copying: UnsafeRawBufferPointer(start: start, count: count), isSecret: true)
    }

    private static func isAddress(_ name: String) -> Bool {
        var bytes = in6_addr()
        return inet_pton(AF_INET, name, &bytes) == 1 || inet_pton(AF_INET6, name, &bytes) == 1
    }
}
