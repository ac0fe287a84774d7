import COpenSSL
import TrstctlSystem

/// A private key as OpenSSL has it, for as long as one operation takes: OpenSSL's memory is not locked.
struct ParsedKey: ~Copyable {
    let pointer: OpaquePointer

    /// Reads one PEM block; nil when OpenSSL cannot, and `OpenSSLError.take` says why.
    init?(_ block: Bytes) {
        OpenSSLError.clear()
        let parsed = block.withUnsafeBytes { bytes -> OpaquePointer? in
            guard let input = BIO_new_mem_buf(bytes.baseAddress, Int32(clamping: bytes.count)) else { return nil }
            defer { BIO_free_all(input) }
            return PEM_read_bio_PrivateKey(input, nil, ParsedKey.refuse, nil)
        }
        guard let parsed else { return nil }
        pointer = parsed
    }

    deinit {
        EVP_PKEY_free(pointer)
    }

    /// Answers a request for a passphrase with "there is none"; without it OpenSSL would open the terminal.
    static let refuse:
        @convention(c) (UnsafeMutablePointer<CChar>?, Int32, Int32, UnsafeMutableRawPointer?)
            -> Int32 = { _, _, _, _ in -1 }

    /// What OpenSSL writes into a memory BIO, which is wiped when it is freed; nil when it fails.
    borrowing func written(_ write: (_ output: OpaquePointer, _ key: OpaquePointer) -> Int32) -> Bytes? {
        defer { OpenSSLError.clear() }
        guard let output = BIO_new(BIO_s_secmem()) else { return nil }
        defer { BIO_free_all(output) }
        guard write(output, pointer) == 1 else { return nil }
        return Bytes(contentsOf: output, isSecret: true)
    }
}
