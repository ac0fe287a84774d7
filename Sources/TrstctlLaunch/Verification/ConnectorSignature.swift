import Glibc
import TrstctlCrypto
import TrstctlPolicy
import TrstctlSystem

/// Looks for a connector's signature and lets the policy decide about it, over the sealed bytes.
struct ConnectorSignature {
    private let rule: SignatureRule
    private let trust: Trust

    init(_ rule: SignatureRule, _ trust: Trust) {
        self.rule = rule
        self.trust = trust
    }

    /// Verifies.
    ///
    /// - Parameters:
    ///   - sealed: the bytes that are to run.
    ///   - now: seconds since 1970.
    /// - Returns: whose signature it is.
    /// - Throws: why the connector must not run, in words.
    func check(_ sealed: SealedExecutable, now: Int64 = Int64(time(nil))) throws(Refusal) -> SignatureState {
        var policy = SignaturePolicy(
            mode: rule.policy == .required ? .required : .ifPresent, keys: [],
            revokedKeys: Set(trust.revokedKeys.map(\.hex)), revokedDigests: Set(trust.revokedDigests.map(\.bytes)))
        for key in rule.keys { policy.keys.append(try trusted(key, for: sealed.candidate.name)) }
        let content: SealedContent
        do throws(SignatureError) {
            content = try SealedContent(descriptor: sealed.descriptor.raw)
        } catch {
            throw Refusal(word: error.code.rawValue, text: "\(error)")
        }
        let outcome = policy.evaluate(
            content, connector: sealed.candidate.name.text, digest: sealed.digest.bytes, now: now,
            signature: SignatureFinding { () throws(SignatureError) in try read(sealed.candidate) })
        switch outcome {
        case .verified(let signature, let key): return .valid(key: key, notes: signature.notes)
        case .missingAllowed(let warning): return .absent(warning: warning)
        case .refused(let refusal): throw Refusal(word: refusal.code.word, text: "\(refusal)")
        }
    }

    /// The signature's content: the file that the manifest names, else the first beside the executable, else the first
    /// beside what a symbolic link led to.
    private func read(_ candidate: Candidate) throws(SignatureError) -> [UInt8]? {
        if let file = rule.file { return try SignatureFile.read(file) }
        for path in [candidate.path] + [candidate.resolvedPath].compactMap(\.self) {
            for suffix in SignatureFile.suffixes {
                if let content = try SignatureFile.read(Bytes(path.array + Array(suffix.utf8))) { return content }
            }
        }
        return nil
    }

    private func trusted(_ rule: KeyRule, for connector: ConnectorName) throws(Refusal) -> TrustedKey {
        do throws(SignatureKeyError) {
            let key = try SignatureKey(text: try KeyFile.text(of: rule.source))
            return TrustedKey(
                name: rule.id.text, key: key, scope: .only([connector.text]), notBefore: rule.notBefore,
                notAfter: rule.notAfter)
        } catch {
            throw Refusal(word: "key-unusable", text: "the key \(rule.id) cannot be used: \(error)")
        }
    }

    /// Why the connector must not run.
    struct Refusal: Error {
        /// The stable word for reports and the audit log.
        let word: String
        let text: String
    }
}

/// Public keys in files: whoever can write one decides whose connectors run.
enum KeyFile {
    /// The text of a key, wherever it is.
    static func text(of source: KeyRule.Source) throws(SignatureKeyError) -> [UInt8] {
        switch source {
        case .text(let text): text.array
        case .file(let path): try read(path)
        }
    }

    private static func read(_ path: Bytes) throws(SignatureKeyError) -> [UInt8] {
        let shown = printable(path)
        let number = open(path.array.map { CChar(bitPattern: $0) } + [0], O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
        guard number != -1 else {
            throw SignatureKeyError(.unrecognised, "\(shown): \(SystemError.last("open").reason)")
        }
        let file = OwnedDescriptor(number)
        var status = stat()
        guard fstat(file.raw, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw SignatureKeyError(.unrecognised, "\(shown) is not a regular file")
        }
        guard status.st_uid == 0 || status.st_uid == geteuid(), status.st_mode & 0o022 == 0 else {
            throw SignatureKeyError(
                .unrecognised, "\(shown) has to belong to root or to you, and to be writable by its owner only",
                next: "chmod go-w \(shown)")
        }
        return FileSlice(file.raw, at: 0, count: SignatureKey.textLimit + 1).bytes
    }
}
