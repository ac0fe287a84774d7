import COpenSSL

extension Certificate {
    /// True when subject and issuer are the same name (RFC 5280, 3.2).
    package var isSelfIssued: Bool {
        X509_NAME_cmp(X509_get_subject_name(handle.x509), X509_get_issuer_name(handle.x509)) == 0
    }

    /// True when the certificate carries its own key's signature: a root, or a self-signed leaf.
    package var isSelfSigned: Bool { isSelfIssued && isSigned(by: self) }

    /// True when the certificate may issue others (X509_check_ca(3): basic constraints and key usage).
    package var isAuthority: Bool {
        defer { OpenSSLError.clear() }
        return X509_check_ca(handle.x509) != 0
    }

    /// True when `issuer` is this certificate's issuer: its name, its key identifier when one is named, its right to
    /// sign certificates, and the signature (X509_check_issued(3), X509_verify(3)).
    ///
    /// The issuer's basic constraints are a question of its own: `isAuthority`.
    package func isIssued(by issuer: Certificate) -> Bool {
        defer { OpenSSLError.clear() }
        return X509_check_issued(issuer.handle.x509, handle.x509) == X509_V_OK && isSigned(by: issuer)
    }

    /// True when both certificates are for the same public key.
    package func hasSamePublicKey(as other: Certificate) -> Bool {
        defer { OpenSSLError.clear() }
        // EVP_PKEY_eq(3) calls two missing keys equal.
        guard let mine = handle.publicKey, let theirs = other.handle.publicKey else { return false }
        return EVP_PKEY_eq(mine, theirs) == 1
    }

    private func isSigned(by issuer: Certificate) -> Bool {
        defer { OpenSSLError.clear() }
        guard let key = issuer.handle.publicKey else { return false }
        return X509_verify(handle.x509, key) == 1
    }
}
