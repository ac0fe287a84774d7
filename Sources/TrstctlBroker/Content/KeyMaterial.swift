import CTrstctlSystem
import Glibc
import TrstctlPolicy
import TrstctlSystem

/// Private keys do not travel to connectors: neither the deployment's, nor one that lies in a file.
extension SecretSource {
    /// Refuses to hand out bytes in which a private key can be seen.
    ///
    /// - Parameters:
    ///   - content: what would go to the connector.
    ///   - what: what it is, for the message.
    /// - Throws: `holdsKey`.
    func refuseKey(in content: Bytes, _ what: String) throws(EffectError) {
        let key = secret(named: "key").flatMap { $0.isEmpty ? nil : $0 }
        guard content.holds("PRIVATE KEY-----") || key.map({ content.holds($0) }) ?? false else { return }
        throw EffectError(
            .holdsKey, object: what, "\(what) holds a private key, which connectors do not get to see",
            fix: "compare it with Stat and compare_to instead of reading it")
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

extension Bytes {
    /// Whether the other bytes occur in these.
    func holds(_ other: Bytes) -> Bool {
        withUnsafeBytes { bytes in
            other.withUnsafeBytes { part in
                guard let base = bytes.baseAddress, let from = part.baseAddress else { return part.isEmpty }
                return trstctl_find(base, bytes.count, from, part.count) != 0
            }
        }
    }
}
