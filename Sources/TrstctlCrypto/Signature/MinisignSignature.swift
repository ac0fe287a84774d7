/// A minisign signature file of the prehashed kind, parsed.
///
/// Four lines (minisign's documentation, "Signature format"): an untrusted comment, base64 of `ED`, key id and the
/// signature over BLAKE2b-512 of the file, the trusted comment, base64 of the global signature over the signature and
/// the trusted comment. The untrusted comment is dropped here, so that nobody can show it.
struct MinisignSignature: Equatable, Sendable {
    /// Eight bytes that name the key.
    let keyID: [UInt8]
    /// Ed25519 over BLAKE2b-512 of the file, 64 bytes.
    let signature: [UInt8]
    let comment: TrustedComment
    /// Ed25519 over `signature` and the comment's bytes, 64 bytes.
    let globalSignature: [UInt8]

    static let untrustedMark = Array("untrusted comment:".utf8)
    private static let trustedMark = Array("trusted comment: ".utf8)

    init(_ file: [UInt8]) throws(SignatureError) {
        guard !file.contains(UInt8(ascii: "\r")) else {
            throw SignatureError(.notMinisign, "the minisign file has carriage returns")
        }
        let text = file.last == UInt8(ascii: "\n") ? file.dropLast() : file[...]
        let lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        guard lines.count >= 2, lines.count <= 4 else {
            throw SignatureError(.notMinisign, "a minisign file has four lines, not \(lines.count)")
        }
        let body = try MinisignSignature.base64(lines[1], length: 74, "the signature, line 2,")
        guard !body.starts(with: Array("Ed".utf8)) else {
            throw SignatureError(
                .legacyMinisign, "a legacy minisign signature (`Ed`, not prehashed)",
                next: "sign again without -l (minisign 0.10 and later prehash by default)")
        }
        guard body.starts(with: Array("ED".utf8)) else {
            throw SignatureError(.notMinisign, "the minisign signature's algorithm is not `ED`")
        }
        guard lines.count == 4, lines[2].starts(with: MinisignSignature.trustedMark) else {
            throw SignatureError(
                .noGlobalSignature, "the minisign file has no trusted comment with its global signature (lines 3, 4)")
        }
        keyID = Array(body[2..<10])
        signature = Array(body[10...])
        comment = try TrustedComment(Array(lines[2].dropFirst(MinisignSignature.trustedMark.count)))
        globalSignature = try MinisignSignature.base64(
            lines[3], length: DetachedSignature.ed25519Length, "the global signature, line 4,")
    }

    private static func base64(
        _ line: ArraySlice<UInt8>, length: Int, _ what: String
    ) throws(SignatureError) -> [UInt8] {
        guard let bytes = StrictBase64.decode(line), bytes.count == length else {
            throw SignatureError(.notMinisign, "\(what) is not the base64 of \(length) bytes")
        }
        return bytes
    }
}
