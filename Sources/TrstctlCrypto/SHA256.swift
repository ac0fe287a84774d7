import COpenSSL

/// An incremental SHA-256, by OpenSSL (FIPS 180-4).
package struct SHA256: ~Copyable {
    private let context: OpaquePointer?
    private var isSound: Bool

    /// Looked up once: each use of what `EVP_sha256()` returns is another look-up (EVP_DigestInit(3), fetching).
    nonisolated(unsafe) private static let algorithm = EVP_MD_fetch(nil, "SHA256", nil)

    package init() {
        context = EVP_MD_CTX_new()
        isSound = EVP_DigestInit_ex(context, SHA256.algorithm, nil) == 1
    }

    deinit {
        EVP_MD_CTX_free(context)
    }

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        isSound = isSound && EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) == 1
    }

    /// The 32 bytes of the digest, or nil when OpenSSL failed at any step.
    package consuming func finalize() -> [UInt8]? {
        var digest = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 0
        guard isSound, EVP_DigestFinal_ex(context, &digest, &length) == 1, length == 32 else { return nil }
        return digest
    }

    /// The digest of bytes in memory.
    package static func digest(_ bytes: UnsafeRawBufferPointer) -> [UInt8]? {
        var hash = SHA256()
        hash.update(bytes)
        return hash.finalize()
    }
}
