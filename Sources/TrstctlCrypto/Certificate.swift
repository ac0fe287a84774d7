import COpenSSL
package import TrstctlSystem

/// An X.509 certificate, parsed once; everything people and decisions need is read at that time.
///
/// Two certificates are equal when their DER is.
package struct Certificate: Sendable {
    let handle: CertificateHandle

    /// The encoding: exactly what a TLS server sends.
    package let der: Bytes
    /// SHA-256 of `der`: 32 bytes.
    package let fingerprint: [UInt8]
    /// The subject as RFC 2253 text, printable ASCII, at most 512 characters.
    package let subject: String
    /// The issuer's name as RFC 2253 text, printable ASCII, at most 512 characters.
    package let issuer: String
    /// The DNS names of the subject alternative name extension, in order; see `PrintableText` for odd bytes.
    package let dnsNames: [String]
    /// The IP addresses of the same extension as text (inet_ntop(3)).
    package let ipAddresses: [String]
    /// The first valid second, Unix time.
    package let notBefore: Int64
    /// The last valid second, Unix time (RFC 5280, 4.1.2.5: inclusive).
    package let notAfter: Int64

    /// Parses one certificate.
    ///
    /// BER that is not DER is refused: OpenSSL would re-encode it, and the bytes served would not be the bytes hashed.
    /// - Parameter der: one certificate and nothing after it.
    /// - Throws: `CertificateError` when the bytes are anything else.
    package init(der: Bytes) throws(CertificateError) {
        OpenSSLError.clear()
        let parsed = der.withUnsafeBytes { (bytes) -> (x509: OpaquePointer, rest: Int)? in
            guard let start = bytes.bindMemory(to: UInt8.self).baseAddress else { return nil }
            var cursor: UnsafePointer<UInt8>? = start
            guard let x509 = d2i_X509(nil, &cursor, bytes.count), let end = cursor else { return nil }
            return (x509, bytes.count - (end - start))
        }
        guard let parsed else {
            throw CertificateError(.malformed, OpenSSLError.take("d2i_X509").description)
        }
        handle = CertificateHandle(adopting: parsed.x509)
        guard parsed.rest == 0 else {
            throw CertificateError(.trailingBytes, "\(parsed.rest) bytes follow the certificate")
        }
        guard let encoded = Certificate.encoding(of: handle), encoded == der else {
            throw CertificateError(.notDER, "the encoding is not DER")
        }
        guard let digest = der.withUnsafeBytes({ SHA256.digest($0) }) else {
            throw CertificateError(.cryptography, OpenSSLError.take("SHA-256").description)
        }
        guard let from = ASN1Time.seconds(X509_get0_notBefore(handle.x509)),
            let until = ASN1Time.seconds(X509_get0_notAfter(handle.x509))
        else { throw CertificateError(.malformed, "the validity is not a readable time") }
        let names = CertificateNames(of: handle)
        self.der = der
        fingerprint = digest
        subject = CertificateNames.text(X509_get_subject_name(handle.x509))
        issuer = CertificateNames.text(X509_get_issuer_name(handle.x509))
        dnsNames = names.dns
        ipAddresses = names.ip
        notBefore = from
        notAfter = until
    }

    /// The fingerprint as 64 lower-case hexadecimal digits.
    package var fingerprintText: String { Hexadecimal.lower(fingerprint) }

    /// The certificate as one PEM block.
    package var pem: Bytes { PEM.encode(label: "CERTIFICATE", contents: der) }

    private static func encoding(of handle: CertificateHandle) -> Bytes? {
        var start: UnsafeMutablePointer<UInt8>?
        let count = i2d_X509(handle.x509, &start)
        defer { CRYPTO_free(start, #file, #line) }
        guard count > 0, let start else { return nil }
        return Bytes(copying: UnsafeRawBufferPointer(start: start, count: Int(count)))
    }
}

extension Certificate: CustomStringConvertible {
    package var description: String { "\(subject) \(fingerprintText)" }
}

extension Certificate: Hashable {
    package static func == (left: Certificate, right: Certificate) -> Bool { left.der == right.der }
    package func hash(into hasher: inout Hasher) { hasher.combine(fingerprint) }
}

/// Why bytes are not a certificate that this host works with.
package struct CertificateError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What is wrong.
    package enum Code: String, Sendable {
        case malformed, trailingBytes, notDER, cryptography
    }

    /// What is wrong.
    package var code: Code
    /// One line for people.
    package var reason: String

    /// Puts an error together.
    package init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    package var description: String { reason }
}
