/// What counts in a Sigstore bundle v0.3 that was made with a managed key (`cosign sign-blob --key … --bundle`).
///
/// Source: sigstore/protobuf-specs, `sigstore_bundle.proto`, in its JSON form. Log entries and timestamps are not read:
/// they prove when something was signed, to somebody who has a trusted root; the key is what is trusted here.
struct SigstoreBundle: Equatable, Sendable {
    /// SHA-256 of the signed bytes, as the bundle claims; 32 bytes.
    let digest: [UInt8]
    /// DER ECDSA.
    let signature: [UInt8]
    /// Which key: SHA-256 of its SubjectPublicKeyInfo, as cosign writes it; nil when the bundle does not say.
    let hint: [UInt8]?
    /// True when the bundle has log entries or timestamps, which nobody checks.
    let hasUncheckedProofs: Bool

    static let mediaType = "application/vnd.dev.sigstore.bundle.v0.3+json"
    private static let mediaTypes = [
        Array(mediaType.utf8), Array("application/vnd.dev.sigstore.bundle+json;version=0.3".utf8),
    ]

    init(_ file: [UInt8]) throws(SignatureError) {
        let json: StrictJSON
        do throws(StrictJSON.Failure) {
            json = try StrictJSON(file)
        } catch {
            throw SignatureError(.notJSON, "the bundle is not JSON: \(error.reason), at byte \(error.offset)")
        }
        guard let members = json.members else { throw SignatureError(.notJSON, "the bundle is not a JSON object") }
        try SigstoreBundle.checkVersion(members["mediaType"]?.text)
        let bundle = try Fields(
            json, "the bundle", required: ["mediaType", "verificationMaterial"],
            optional: ["messageSignature", "dsseEnvelope"])
        let material = try Fields(
            bundle["verificationMaterial"], "verificationMaterial", required: [],
            optional: ["publicKey", "certificate", "x509CertificateChain", "tlogEntries", "timestampVerificationData"])
        guard material["certificate"] == nil, material["x509CertificateChain"] == nil else {
            throw SignatureError(
                .keyless, "the bundle has a certificate: keyless signatures (Fulcio) are not supported",
                next: "sign with a key: cosign sign-blob --key cosign.key --bundle FILE")
        }
        guard let publicKey = material["publicKey"] else {
            throw SignatureError(.badBundle, "verificationMaterial names no publicKey")
        }
        guard bundle["dsseEnvelope"] == nil, let message = bundle["messageSignature"] else {
            throw SignatureError(
                .badBundle, "the bundle is not for a file: messageSignature is expected, not a dsseEnvelope",
                next: "sign the file itself with cosign sign-blob, not an attestation")
        }
        hint = try SigstoreBundle.hint(of: publicKey)
        let fields = try Fields(message, "messageSignature", required: ["messageDigest", "signature"])
        digest = try SigstoreBundle.digest(of: fields["messageDigest"])
        signature = try SigstoreBundle.base64(fields["signature"], "messageSignature.signature")
        hasUncheckedProofs = material["tlogEntries"] != nil || material["timestampVerificationData"] != nil
    }

    private static func checkVersion(_ type: [UInt8]?) throws(SignatureError) {
        let next = "write the bundle with cosign 3, or with cosign 2.4 and later and --new-bundle-format"
        guard let type else { throw SignatureError(.badBundle, "the bundle has no mediaType", next: next) }
        guard mediaTypes.contains(type) else {
            throw SignatureError(
                .bundleVersion, "the bundle's mediaType is `\(PrintableText.of(type, limit: 96))`, not `\(mediaType)`",
                next: next)
        }
    }

    private static func hint(of publicKey: StrictJSON) throws(SignatureError) -> [UInt8]? {
        let fields = try Fields(publicKey, "publicKey", required: [], optional: ["hint"])
        guard let hint = fields["hint"] else { return nil }
        let bytes = try base64(hint, "publicKey.hint")
        guard bytes.count == 32 else {
            throw SignatureError(.badBundle, "publicKey.hint is not the base64 of a SHA-256")
        }
        return bytes
    }

    private static func digest(of value: StrictJSON?) throws(SignatureError) -> [UInt8] {
        let fields = try Fields(value, "messageDigest", required: ["algorithm", "digest"])
        guard fields["algorithm"]?.text == Array("SHA2_256".utf8) else {
            throw SignatureError(.badBundle, "messageDigest.algorithm is not `SHA2_256`", next: "sign with a P-256 key")
        }
        let bytes = try base64(fields["digest"], "messageDigest.digest")
        guard bytes.count == 32 else { throw SignatureError(.badBundle, "messageDigest.digest has not 32 bytes") }
        return bytes
    }

    private static func base64(_ value: StrictJSON?, _ what: String) throws(SignatureError) -> [UInt8] {
        guard let text = value?.text, let bytes = StrictBase64.decode(text) else {
            throw SignatureError(.notBase64, "\(what) is not a string of canonical base64")
        }
        return bytes
    }

    /// The members of an object, of which none is unknown and none that is needed is missing.
    private struct Fields {
        private let members: [[UInt8]: StrictJSON]

        init(
            _ value: StrictJSON?, _ what: String, required: [String], optional: [String] = []
        ) throws(SignatureError) {
            guard let members = value?.members else { throw SignatureError(.badBundle, "\(what) is not an object") }
            for name in required where members[Array(name.utf8)] == nil {
                throw SignatureError(.badBundle, "\(what) has no `\(name)`")
            }
            let known = (required + optional).map { Array($0.utf8) }
            for name in members.keys where !known.contains(name) {
                throw SignatureError(.badBundle, "\(what) has an unknown key `\(PrintableText.of(name, limit: 64))`")
            }
            self.members = members
        }

        subscript(_ name: String) -> StrictJSON? { members[Array(name.utf8)] }
    }
}

extension [[UInt8]: StrictJSON] {
    fileprivate subscript(_ name: String) -> StrictJSON? { self[Array(name.utf8)] }
}
