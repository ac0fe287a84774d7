import COpenSSL

/// The owner of one X509; nothing outside this target sees the pointer.
///
/// Unchecked: after `init` the object is only read, and OpenSSL locks what it caches lazily inside an X509.
final class CertificateHandle: @unchecked Sendable {
    let x509: OpaquePointer

    /// Takes over the reference.
    init(adopting x509: OpaquePointer) {
        self.x509 = x509
    }

    deinit {
        X509_free(x509)
    }

    /// The public key, owned by the certificate; nil when its algorithm is unknown or its encoding broken.
    var publicKey: OpaquePointer? { X509_get0_pubkey(x509) }
}
