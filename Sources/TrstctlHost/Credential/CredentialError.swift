/// Why a credential is not deployed: found before anything was touched.
///
/// The texts name files, certificate subjects and dates; never the content of a key.
package struct CredentialError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What is wrong.
    package enum Code: String, CaseIterable, Sendable {
        // The files.
        case missing
        case unreadable
        case notRegular = "not-regular"
        case empty
        case tooBig = "too-big"
        case changing
        // What is in them.
        case notPEM = "not-pem"
        case malformed
        case noCertificate = "no-certificate"
        case tooManyCertificates = "too-many-certificates"
        case noKey = "no-key"
        case severalKeys = "several-keys"
        case keyEncrypted = "key-encrypted"
        case keyUnsupported = "key-unsupported"
        // How it fits together.
        case keyMismatch = "key-mismatch"
        case leafNotFirst = "leaf-not-first"
        case duplicateCertificate = "duplicate-certificate"
        case chainMisordered = "chain-misordered"
        case chainBroken = "chain-broken"
        // Time.
        case expired
        case notYetValid = "not-yet-valid"
        // OpenSSL itself failed.
        case cryptography
    }

    /// What is wrong.
    package var code: Code
    /// The file.
    package var object: String
    /// What a good credential has there.
    package var expected: String
    /// What this one has.
    package var found: String
    /// What to do or to type next.
    package var next: String

    /// Puts an error together.
    package init(_ code: Code, _ object: String, expected: String, found: String, next: String) {
        self.code = code
        self.object = object
        self.expected = expected
        self.found = found
        self.next = next
    }

    package var description: String {
        "credential \(object): expected \(expected), found \(found). \(next)"
    }
}

/// Something about a credential that an operator should know, and that does not keep it from being deployed.
package struct CredentialWarning: Equatable, Sendable, CustomStringConvertible {
    /// What to know.
    package enum Code: String, Sendable {
        /// Others than the owner may read or change the private key's file.
        case keyFilePermissions
        /// The chain ends in a self-signed certificate: clients ignore it (RFC 8446, 4.4.2).
        case rootInChain
        /// That self-signed certificate is outside its validity.
        case rootNotValid
    }

    /// What to know.
    package var code: Code
    /// One sentence, with the next step where there is one.
    package var description: String

    /// Puts a warning together.
    package init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}
