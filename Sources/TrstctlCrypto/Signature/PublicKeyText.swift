/// Public keys as files and manifests carry them.
enum PublicKeyText {
    static let beginMark = Array("-----BEGIN ".utf8)
    private static let begin = Array("-----BEGIN PUBLIC KEY-----".utf8)
    private static let end = Array("-----END PUBLIC KEY-----".utf8)
    private static let minisignComment = Array("untrusted comment:".utf8)

    /// The DER of the one PEM block (RFC 7468) that the text consists of.
    ///
    /// Own and strict: OpenSSL's reader skips text around the block and takes the first of several.
    static func pem(_ text: [UInt8]) throws(SignatureKeyError) -> [UInt8] {
        let lines = try lines(of: text)
        guard let first = lines.first else { throw SignatureKeyError(.empty, "the key is empty") }
        guard first.elementsEqual(begin) else { throw otherBlock(first) }
        guard let last = lines.dropFirst().firstIndex(where: { $0.elementsEqual(end) }) else {
            throw SignatureKeyError(.malformed, "the PEM block has no END line")
        }
        guard last == lines.count - 1 else {
            throw SignatureKeyError(
                .trailingData, "something follows the PEM block; a key file holds exactly one key")
        }
        let body = lines[1..<last]
        guard body.allSatisfy({ !$0.isEmpty }), let der = StrictBase64.decode(Array(body.joined()))
        else { throw SignatureKeyError(.malformed, "the PEM block is not canonical base64") }
        return der
    }

    /// The key id and the point of a minisign public key: base64 of `Ed`, 8 bytes, 32 bytes, with or without the
    /// comment line above it.
    static func minisign(_ text: [UInt8]) throws(SignatureKeyError) -> (id: [UInt8], point: [UInt8]) {
        var lines = try lines(of: text)
        let hasComment = lines.first?.starts(with: minisignComment) == true
        if hasComment { lines.removeFirst() }
        guard let line = lines.first, hasComment || line.count == 56, let key = StrictBase64.decode(Array(line)) else {
            throw SignatureKeyError(
                .unrecognised, "neither a PEM public key nor a minisign public key",
                next: "give the content of cosign.pub, of minisign.pub, or of `openssl pkey -pubout`")
        }
        guard key.count == 42, key.starts(with: Array("Ed".utf8)) else {
            guard key.count <= 42 else {
                throw SignatureKeyError(
                    .privateKey, "too long for a minisign public key; is it the secret key?",
                    next: "give minisign.pub, and keep the secret key secret")
            }
            throw SignatureKeyError(.malformed, "not a minisign public key: 42 bytes that begin with `Ed`")
        }
        guard lines.count == 1 else { throw SignatureKeyError(.trailingData, "something follows the minisign key") }
        return (Array(key[2..<10]), Array(key[10...]))
    }

    private static func otherBlock(_ line: ArraySlice<UInt8>) -> SignatureKeyError {
        let label = PrintableText.of(line.dropFirst(beginMark.count), limit: 64)
        guard line.firstRange(of: Array("PRIVATE KEY".utf8)) == nil else {
            return SignatureKeyError(
                .privateKey, "this is a private key", next: "give the public key, and keep this one secret")
        }
        return SignatureKeyError(
            .unsupported, "a PEM block `\(label)` where `PUBLIC KEY-----` is expected",
            next: "openssl pkey -pubout writes the right form")
    }

    /// The lines, without the one line feed that may end the text.
    private static func lines(of text: [UInt8]) throws(SignatureKeyError) -> [ArraySlice<UInt8>] {
        guard !text.contains(UInt8(ascii: "\r")) else {
            throw SignatureKeyError(
                .malformed, "the key has carriage returns", next: "convert it to Unix line ends (dos2unix)")
        }
        let content = text.last == UInt8(ascii: "\n") ? text.dropLast() : text[...]
        return content.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    }
}
