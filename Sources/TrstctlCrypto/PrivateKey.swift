import COpenSSL
package import TrstctlSystem

/// A private key that was read and understood; it never leaves this target as a pointer, and never as text.
///
/// It is kept as the block of its file, in memory for secrets, and parsed for each operation: what OpenSSL makes of it
/// lives for a moment only.
package final class PrivateKey: Sendable {
    /// The encodings that the tools which obtain certificates write.
    package enum Kind: String, Sendable {
        /// `PRIVATE KEY` (RFC 5958): certbot.
        case pkcs8 = "PKCS#8"
        /// `EC PRIVATE KEY` (RFC 5915): acme.sh, lego.
        case sec1 = "SEC1"
        /// `RSA PRIVATE KEY` (RFC 8017): older tools.
        case pkcs1 = "PKCS#1"
    }

    /// How the file encodes the key.
    package let kind: Kind
    /// The key's block as it stands in its file; wiped when the last reference goes away.
    package let pem: Bytes

    /// Reads the one private key among the blocks of a file; other blocks are ignored.
    ///
    /// An encrypted key is an error: there is nobody to ask for a passphrase, and OpenSSL is kept from asking.
    ///
    /// - Parameter blocks: what `PEM.blocks` found in the file.
    /// - Throws: `PrivateKeyError`: no key, several, encrypted, of a kind that is not supported, or malformed.
    package init(blocks: [PEMBlock]) throws(PrivateKeyError) {
        let candidates = blocks.filter { $0.isPrivateKey }
        guard let block = candidates.first else { throw PrivateKeyError(.missing, "no private key") }
        guard candidates.count == 1 else {
            throw PrivateKeyError(.several, "\(candidates.count) private keys")
        }
        guard block.label != "ENCRYPTED PRIVATE KEY", !block.hasEncryptionHeader else {
            throw PrivateKeyError(.encrypted, "an encrypted private key")
        }
        let kind: Kind
        switch block.label {
        case "PRIVATE KEY": kind = .pkcs8
        case "EC PRIVATE KEY": kind = .sec1
        case "RSA PRIVATE KEY": kind = .pkcs1
        default: throw PrivateKeyError(.unsupported, "a block `\(block.label)`")
        }
        guard ParsedKey(block.text) != nil else {
            throw PrivateKeyError(.malformed, OpenSSLError.take("the \(kind.rawValue) private key").description)
        }
        self.kind = kind
        pem = block.text
    }

    /// True when this is the private key of the certificate.
    ///
    /// The public halves must be equal, and the private half must sign what the certificate's key verifies: a file whose
    /// halves do not belong together has the right public key and still breaks every handshake.
    ///
    /// - Parameter certificate: the leaf, usually.
    /// - Returns: false also when either key is of a kind that cannot sign.
    package func matches(_ certificate: Certificate) -> Bool {
        defer { OpenSSLError.clear() }
        guard let other = certificate.handle.publicKey, let key = ParsedKey(pem),
            EVP_PKEY_eq(key.pointer, other) == 1
        else { return false }
        return PrivateKey.signs(key, for: other)
    }

    private static func signs(_ key: borrowing ParsedKey, for publicKey: OpaquePointer) -> Bool {
        guard let signer = EVP_MD_CTX_new() else { return false }
        defer { EVP_MD_CTX_free(signer) }
        guard let verifier = EVP_MD_CTX_new() else { return false }
        defer { EVP_MD_CTX_free(verifier) }
        let challenge = Array("trstctl: does this private key sign?".utf8)
        var count = 0
        // No digest named: OpenSSL takes the key's default one, and none for Ed25519.
        guard EVP_DigestSignInit(signer, nil, nil, nil, key.pointer) == 1,
            EVP_DigestSign(signer, nil, &count, challenge, challenge.count) == 1, (1...65536).contains(count)
        else { return false }
        var signature = [UInt8](repeating: 0, count: count)
        guard EVP_DigestSign(signer, &signature, &count, challenge, challenge.count) == 1, count <= signature.count,
            EVP_DigestVerifyInit(verifier, nil, nil, nil, publicKey) == 1
        else { return false }
        return EVP_DigestVerify(verifier, signature, count, challenge, challenge.count) == 1
    }
}

/// Why a file gives no usable private key, without any of its content.
package struct PrivateKeyError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What is wrong.
    package enum Code: String, Sendable {
        case missing, several, encrypted, unsupported, malformed
    }

    /// What is wrong.
    package var code: Code
    /// What was found, one line for people.
    package var reason: String

    /// Puts an error together.
    package init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    package var description: String { reason }
}
