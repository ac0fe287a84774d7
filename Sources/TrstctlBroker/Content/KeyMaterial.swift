import TrstctlCrypto
import TrstctlPolicy
import TrstctlSystem

/// Secrets do not travel to connectors: neither the deployment's key, nor one that lies in a file, nor the value of a secret
/// field.
extension SecretSource {
    /// Shorter values are not looked for: they occur by chance, and whoever sees them learns little.
    static let shortestRecognised = 8

    /// Refuses to hand out bytes in which a private key, the value of a secret field, or a part of one, can be seen.
    ///
    /// For everything whose bytes the connector may use again: files, answers of peers. Every form is recognised in which
    /// this host writes secrets, and every part of one: of a key `KeyForms.window` bytes of what is private in it, of a
    /// field `FieldForms.window`. What somebody else transformed (compressed, encrypted, cut in smaller pieces) is not.
    ///
    /// - Parameters:
    ///   - content: what would go to the connector.
    ///   - what: what it is, for the message.
    ///   - isCut: whether the connector decides where it ends.
    /// - Throws: `holdsKey`, `holdsSecret`.
    func refuseKey(in content: Bytes, _ what: String, isCut: Bool = false) throws(EffectError) {
        let fix = "compare it with Stat and compare_to instead of reading it"
        guard !content.holds("PRIVATE KEY-----"), !keyForms.occur(in: content), !holdsArchive(content) else {
            throw EffectError(
                .holdsKey, object: what,
                "\(what) holds a private key, or a part of one, which connectors do not get to see", fix: fix)
        }
        guard let match = fieldParts.first(in: content, isCut: isCut) else { return }
        let field = fields.indices.contains(match.owner) ? fields[match.owner] : ""
        throw EffectError(
            .holdsSecret, object: what,
            "\(what) holds the value of the secret field \(printable(field)), or a part of it, "
                + "which connectors do not get to see", fix: fix)
    }

    private func holdsArchive(_ content: Bytes) -> Bool {
        guard KeyForms.mayHoldArchive(content) else { return false }
        return keyForms.archivesOccur(in: content) || !fields.isEmpty && archiveParts.first(in: content) != nil
    }

    /// The bytes with an asterisk in the place of every byte that is part of a secret field's value.
    ///
    /// For what is read by people, the output of commands: it may show a password in an error message, and the exit
    /// status must still reach the connector.
    func masked(_ content: Bytes) -> Bytes {
        let matches = fieldParts.all(in: content)
        guard !matches.isEmpty else { return content }
        var buffer = WipedBuffer(capacity: content.count, limit: content.count)
        content.withUnsafeBytes { bytes in
            _ = buffer.append { target in
                target.copyMemory(from: bytes)
                for match in matches {
                    for place in match.place { target[place] = UInt8(ascii: "*") }
                }
                return bytes.count
            }
        }
        return buffer.bytes(isSecret: content.isSecret)
    }

    /// Refuses permission bits with which others than the owner and the group could read key material, or others than
    /// the owner write it.
    ///
    /// - Parameters:
    ///   - content: what will be in the file.
    ///   - mode: the bits that the file will have.
    ///   - path: the file, for the message.
    /// - Throws: `looseMode`.
    static func checkMode(_ content: Bytes, _ mode: UInt32, _ path: AbsolutePath) throws(EffectError) {
        guard content.isSecret, mode & 0o027 != 0 else { return }
        throw EffectError(
            .looseMode, object: path.description,
            "\(path) would hold a private key with mode 0\(String(mode, radix: 8)); at most 0640 is allowed",
            fix: "set the mode to 0600 or 0640, in the target's configuration or with chmod")
    }
}
