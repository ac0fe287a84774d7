import COpenSSL
import TrstctlSystem

/// The private key in an author's file.
enum PrivateKeyText {
    /// The one block that is an unencrypted private key; blocks that are none (EC PARAMETERS) are ignored.
    static func block(of file: Bytes) throws(SignatureKeyError) -> Bytes {
        guard !file.isEmpty else {
            throw SignatureKeyError(
                .empty, "the private key is empty", next: "did the command that should write it say something?")
        }
        let blocks: [PEMBlock]
        do throws(PEMError) {
            blocks = try PEM.blocks(in: file)
        } catch {
            throw SignatureKeyError(.malformed, "the private key is not PEM: \(error)")
        }
        let keys = blocks.filter { $0.label.hasSuffix("PRIVATE KEY") }
        guard let key = keys.first else {
            throw SignatureKeyError(
                .unrecognised, "no PEM private key in it",
                next: "openssl genpkey -algorithm ed25519 makes one; minisign keys sign with minisign -S")
        }
        guard keys.count == 1 else {
            throw SignatureKeyError(.trailingData, "\(keys.count) private keys where one is expected")
        }
        guard !key.label.hasPrefix("ENCRYPTED"), !key.hasEncryptionHeader else {
            throw SignatureKeyError(
                .encrypted, "the private key is encrypted (`\(key.label)`), and nobody is asked for a passphrase",
                next: "sign with the tool that made it (cosign sign-blob), or pipe the decrypted key: "
                    + "openssl pkey -in KEY | trstctl plugin sign --key - FILE")
        }
        guard key.label == "PRIVATE KEY" || key.label == "EC PRIVATE KEY" else {
            throw SignatureKeyError(
                .unsupported, "a block `\(key.label)`; only P-256 and Ed25519 keys are accepted")
        }
        return key.text
    }

    /// The key of a block, or nil.
    static func load(_ block: Bytes) -> OpaquePointer? {
        block.withUnsafeBytes { bytes in
            guard let input = BIO_new_mem_buf(bytes.baseAddress, Int32(clamping: bytes.count)) else { return nil }
            defer { BIO_free_all(input) }
            return PEM_read_bio_PrivateKey(input, nil, refuse, nil)
        }
    }

    /// Answers a request for a passphrase with "there is none"; without it OpenSSL would open the terminal.
    private static let refuse:
        @convention(c) (UnsafeMutablePointer<CChar>?, Int32, Int32, UnsafeMutableRawPointer?)
            -> Int32 = { _, _, _, _ in -1 }
}
