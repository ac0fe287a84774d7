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
        let place = SignaturePlace(of: sealed.candidate, file: rule.file)
        let outcome = policy.evaluate(
            content, connector: sealed.candidate.name.text, digest: sealed.digest.bytes, now: now,
            signature: place.finding)
        switch outcome {
        case .verified(let signature, let key): return .valid(key: key, notes: signature.notes + place.notes)
        case .missingAllowed(let warning): return .absent(warning: warning)
        case .refused(let refusal): throw Refusal(word: refusal.code.word, text: place.explain("\(refusal)"))
        }
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

/// The one signature file that counts for a connector: the one that the manifest names, else the first that exists.
///
/// The first is final. If it is broken, the next one is not tried: what an operator sees verified would then depend on
/// which of several files happen to be damaged. Who moves to another form names its file in the manifest.
struct SignaturePlace {
    /// What stands in it.
    let finding: SignatureFinding
    /// Which file it is; nil when there is none.
    private let path: Bytes?
    /// Further signature files, which nobody reads.
    private let others: [Bytes]

    /// Looks.
    ///
    /// - Parameters:
    ///   - candidate: the executable that was found.
    ///   - file: the file that the manifest names; then nothing else is looked at.
    init(of candidate: Candidate, file: Bytes?) {
        var found: Bytes?
        var others: [Bytes] = []
        var finding = SignatureFinding.missing
        for path in file.map({ [$0] }) ?? SignaturePlace.paths(candidate) {
            guard found == nil else {
                if SignaturePlace.exists(path) { others.append(path) }
                continue
            }
            finding = SignatureFinding { () throws(SignatureError) in try SignatureFile.read(path) }
            if case .missing = finding { continue }
            found = path
        }
        self.finding = finding
        path = found
        self.others = others
    }

    /// Behind the executable's path, then behind the path that a symbolic link leads to.
    private static func paths(_ candidate: Candidate) -> [Bytes] {
        ([candidate.path] + [candidate.resolvedPath].compactMap(\.self)).flatMap { path in
            SignatureFile.suffixes.map { Bytes(path.array + Array($0.utf8)) }
        }
    }

    private static func exists(_ path: Bytes) -> Bool {
        var status = stat()
        return path.withCString { lstat($0, &status) } == 0
    }

    /// What a report has to say beside a signature that counts.
    var notes: [String] {
        others.isEmpty ? [] : ["only \(shown) was looked at, not \(shownOthers)"]
    }

    /// A refusal's text with the file that it is about.
    func explain(_ refusal: String) -> String {
        guard path != nil else { return refusal }
        guard !others.isEmpty else { return "\(shown): \(refusal)" }
        return "\(shown): \(refusal); \(shownOthers) was not looked at: "
            + "remove the one that should not count, or name the other with `signature: file:`"
    }

    private var shown: String { path.map { printable($0) } ?? "" }
    private var shownOthers: String { others.map { printable($0) }.joined(separator: " and ") }
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
        let number = path.withCString { open($0, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) }
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
