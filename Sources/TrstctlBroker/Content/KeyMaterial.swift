import TrstctlCrypto
import TrstctlPolicy
import TrstctlSystem

/// Secrets do not travel to connectors: neither the deployment's key, nor one that lies in a file, nor the value of a secret
/// field.
extension SecretSource {
    /// Shorter values are not looked for: they occur by chance, and whoever sees them learns little.
    static let shortestRecognised = 8

    /// Refuses to hand out bytes in which a private key, or the value of a secret field, can be seen as it is.
    ///
    /// For everything whose bytes the connector may use again: files, answers of peers. Every form is recognised in which
    /// this host writes secrets; what somebody else transformed (compressed, encrypted, cut in two) is not.
    ///
    /// - Parameters:
    ///   - content: what would go to the connector.
    ///   - what: what it is, for the message.
    /// - Throws: `holdsKey`, `holdsSecret`.
    func refuseKey(in content: Bytes, _ what: String) throws(EffectError) {
        let fix = "compare it with Stat and compare_to instead of reading it"
        guard !content.holds("PRIVATE KEY-----"), !keyForms.occur(in: content) else {
            throw EffectError(
                .holdsKey, object: what, "\(what) holds a private key, which connectors do not get to see", fix: fix)
        }
        for field in fields where recognisedForms(of: field).contains(where: { content.holds($0) }) {
            throw EffectError(
                .holdsSecret, object: what,
                "\(what) holds the value of the secret field \(printable(field)), which connectors do not get to see",
                fix: fix)
        }
    }

    /// The bytes with an asterisk in the place of every byte that is part of a secret field's value.
    ///
    /// For what is read by people, the output of commands: it may show a password in an error message, and the exit
    /// status must still reach the connector.
    func masked(_ content: Bytes) -> Bytes {
        let values = fields.flatMap { recognisedForms(of: $0) }.filter { content.holds($0) }
        guard !values.isEmpty else { return content }
        var buffer = WipedBuffer(capacity: content.count, limit: content.count)
        content.withUnsafeBytes { bytes in
            _ = buffer.append { target in
                target.copyMemory(from: bytes)
                for value in values {
                    value.withUnsafeBytes { part in
                        var offset = 0
                        while let found = part.firstPlace(in: bytes, from: offset) {
                            for place in found..<found + part.count { target[place] = UInt8(ascii: "*") }
                            offset = found + 1
                        }
                    }
                }
                return bytes.count
            }
        }
        return buffer.bytes(isSecret: content.isSecret)
    }

    /// A field's value as it can be recognised; in no form when it is too short.
    private func recognisedForms(of field: String) -> [Bytes] {
        guard let value = secret(named: field), value.count >= SecretSource.shortestRecognised else { return [] }
        return forms(of: field)
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
