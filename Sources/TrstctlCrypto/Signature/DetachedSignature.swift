/// A signature file, understood but not verified.
///
/// The form is told by the content: `{` begins a Sigstore bundle, `untrusted comment:` a minisign file, exactly 64 bytes
/// are a raw Ed25519 signature, and everything else has to be one line of base64, whose meaning the key decides. Two
/// values are equal when everything in them that verification looks at is equal.
package struct DetachedSignature: Equatable, Sendable {
    /// The forms of signature files.
    package enum Form: String, Sendable {
        /// One line of base64: DER ECDSA as `cosign sign-blob` writes it, or 64 bytes of Ed25519.
        case base64 = "base64"
        /// 64 bytes: Ed25519.
        case raw = "raw"
        /// Sigstore bundle v0.3 with a managed key.
        case sigstoreBundle = "sigstore-bundle"
        /// minisign, prehashed.
        case minisign = "minisign"
    }

    /// The most bytes of a signature file; the largest real ones, bundles with a log proof, have about 10 KiB.
    package static let byteLimit = 64 << 10

    enum Content: Equatable, Sendable {
        case base64([UInt8])
        case raw([UInt8])
        case bundle(SigstoreBundle)
        case minisign(MinisignSignature)
    }

    let content: Content

    /// Parses a signature file.
    ///
    /// - Parameter file: the whole content, at most `byteLimit`.
    /// - Throws: `SignatureError` when the content is none of the forms, or not exactly one of them.
    package init(file: [UInt8]) throws(SignatureError) {
        guard file.count <= DetachedSignature.byteLimit else {
            throw SignatureError(
                .tooLarge, "\(file.count) bytes, a signature has at most \(DetachedSignature.byteLimit)")
        }
        guard let first = file.first else { throw SignatureError(.empty, "the signature file is empty") }
        if file.count == DetachedSignature.ed25519Length {
            content = .raw(file)
        } else if first == UInt8(ascii: "{") {
            content = .bundle(try SigstoreBundle(file))
        } else if file.starts(with: MinisignSignature.untrustedMark) {
            content = .minisign(try MinisignSignature(file))
        } else {
            content = .base64(try DetachedSignature.line(file))
        }
    }

    /// Which form the file has.
    package var form: Form {
        switch content {
        case .base64: .base64
        case .raw: .raw
        case .bundle: .sigstoreBundle
        case .minisign: .minisign
        }
    }

    /// Bytes of an Ed25519 signature (RFC 8032).
    static let ed25519Length = 64

    /// One line of base64, with at most one line feed at its end.
    private static func line(_ file: [UInt8]) throws(SignatureError) -> [UInt8] {
        let text = file.last == UInt8(ascii: "\n") ? file.dropLast() : file[...]
        if let bytes = StrictBase64.decode(text) { return bytes }
        guard text.allSatisfy({ (0x20...0x7e).contains($0) || $0 == 0x0a || $0 == 0x0d || $0 == 0x09 }) else {
            let isDER = file.first == 0x30
            throw SignatureError(
                .unrecognised,
                isDER ? "binary DER; a detached ECDSA signature is base64" : "no known form of a signature",
                next: isDER ? "base64 -w0 SIGNATURE > SIGNATURE.b64" : "see spec/signatures.md for the forms")
        }
        throw SignatureError(
            .notBase64, "not one line of canonical base64 (RFC 4648, section 4; at most one line feed at the end)",
            next: "write it with `cosign sign-blob` or `base64 -w0`")
    }
}
