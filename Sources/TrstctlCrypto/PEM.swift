import COpenSSL
package import TrstctlSystem

/// PEM files (RFC 7468): reading with bounds, and writing.
///
/// Text outside the blocks is ignored, as every TLS server does. A BEGIN line that does not start its line (a byte order
/// mark before it, indentation) is refused: servers skip such a block silently, and would serve another certificate.
package enum PEM {
    /// The most bytes that are looked at: 1 MiB.
    package static let byteLimit = 1 << 20
    /// The most blocks of any kind in one file.
    package static let blockLimit = 64
    /// The most certificates in one file.
    package static let certificateLimit = 32

    /// Every block of a file, in order.
    ///
    /// - Parameter file: the file's bytes, at most `byteLimit`.
    /// - Returns: at most `blockLimit` blocks, none when nothing in the file begins like one.
    /// - Throws: `PEMError` when a bound is exceeded or a block cannot be read.
    package static func blocks(in file: Bytes) throws(PEMError) -> [PEMBlock] {
        guard file.count <= byteLimit else {
            throw PEMError(.tooBig, "\(file.count) bytes, the limit is \(byteLimit)")
        }
        guard !file.isEmpty else { return [] }
        OpenSSLError.clear()
        defer { OpenSSLError.clear() }
        let starts = try beginLines(in: file)
        return try file.withUnsafeBytes { (bytes) throws(PEMError) -> [PEMBlock] in
            // A memory BIO over existing bytes is read-only and copies nothing.
            guard let input = BIO_new_mem_buf(bytes.baseAddress, Int32(bytes.count)) else {
                throw PEMError(.cryptography, OpenSSLError.take("BIO_new_mem_buf").description)
            }
            defer { BIO_free_all(input) }
            var blocks: [PEMBlock] = []
            while let block = try next(of: input, of: bytes, number: blocks.count + 1) {
                guard blocks.count < blockLimit else {
                    throw PEMError(.tooManyBlocks, "more than \(blockLimit) PEM blocks")
                }
                blocks.append(block)
            }
            guard blocks.count == starts else {
                throw PEMError(.malformed, "\(starts) BEGIN lines but \(blocks.count) readable blocks")
            }
            return blocks
        }
    }

    /// One block: lines of 64 characters, LF, a final LF.
    ///
    /// - Parameters:
    ///   - label: the text between `BEGIN` and the dashes.
    ///   - contents: what is encoded; the result is secret when this is.
    /// - Returns: the block, or no bytes when OpenSSL has no memory.
    package static func encode(label: String, contents: Bytes) -> Bytes {
        guard let output = BIO_new(BIO_s_secmem()) else { return Bytes() }
        defer { BIO_free_all(output) }
        let written = contents.withUnsafeBytes { bytes in
            PEM_write_bio(
                output, label, "", bytes.bindMemory(to: UInt8.self).baseAddress, Int(bytes.count))
        }
        guard written > 0 else { return Bytes() }
        return Bytes(contentsOf: output, isSecret: contents.isSecret)
    }

    private static func next(
        of input: OpaquePointer, of file: UnsafeRawBufferPointer, number: Int
    ) throws(PEMError) -> PEMBlock? {
        var name: UnsafeMutablePointer<CChar>?
        var header: UnsafeMutablePointer<CChar>?
        var data: UnsafeMutablePointer<UInt8>?
        var count = 0
        let before = file.count - Int(BIO_ctrl_pending(input))
        let isRead = PEM_read_bio_ex(input, &name, &header, &data, &count, UInt32(PEM_FLAG_SECURE)) == 1
        // PEM_FLAG_SECURE: OpenSSL wipes its working buffers, and these three are ours to wipe.
        defer {
            CRYPTO_secure_clear_free(name, 0, #file, #line)
            CRYPTO_secure_clear_free(header, 0, #file, #line)
            CRYPTO_secure_clear_free(data, count, #file, #line)
        }
        guard isRead, let name, let header, let data else {
            let error = OpenSSLError.take("block \(number)")
            let isEnd = error.library == trstctl_ERR_LIB_PEM && error.reason == PEM_R_NO_START_LINE
            if isEnd { return nil }
            throw PEMError(.malformed, error.description)
        }
        let after = file.count - Int(BIO_ctrl_pending(input))
        guard before <= after, after <= file.count else { throw PEMError(.malformed, "block \(number)") }
        let label = String(cString: name)
        let isSecret = label.hasSuffix("PRIVATE KEY")
        let region = UnsafeRawBufferPointer(rebasing: file[before..<after])
        let start = region.firstRange(of: beginMark)?.lowerBound ?? 0
        return PEMBlock(
            label: PrintableText.of(label.utf8, limit: 64),
            hasEncryptionHeader: String(cString: header).contains("ENCRYPTED"),
            contents: Bytes(copying: .init(start: data, count: count), isSecret: isSecret),
            text: Bytes(copying: .init(rebasing: region[start...]), isSecret: isSecret))
    }

    private static let beginMark = Array("-----BEGIN ".utf8)

    /// How many blocks begin, all of them at the start of a line.
    private static func beginLines(in file: Bytes) throws(PEMError) -> Int {
        try file.withUnsafeBytes { (bytes) throws(PEMError) -> Int in
            var count = 0
            var offset = 0
            while let start = beginMark.withUnsafeBytes({ $0.firstPlace(in: bytes, from: offset) }) {
                guard start == 0 || bytes[start - 1] == UInt8(ascii: "\n") else {
                    throw PEMError(.malformed, "a BEGIN line with something before it, at byte \(start)")
                }
                count += 1
                offset = start + beginMark.count
            }
            return count
        }
    }
}
