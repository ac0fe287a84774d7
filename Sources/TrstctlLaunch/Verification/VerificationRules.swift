package import TrstctlPolicy

/// What a connector's bytes have to satisfy before they may run.
package struct VerificationRules: Sendable {
    /// When bytes without a matching pin may run.
    package enum Pinning: Sendable {
        /// Never.
        case required
        /// When the manifest has no pin at all for this connector: the development override. A pin that does not match
        /// is still a refusal.
        case allowsUnpinned
        /// Always: the connector is asked what it is, confined and without any grant, before the operator pins it.
        case asking
    }

    /// What is pinned.
    package var pins: Pins
    /// When bytes without a matching pin may run.
    package var pinning = Pinning.required
    /// What is revoked.
    package var trust = Trust()
    /// What may run a script.
    package var script: ScriptRule?
    /// Whose signature is asked for.
    package var signature: SignatureRule?
    /// When the manifest was last written, in seconds since 1970: a younger file was probably built again.
    package var manifestModified: Int64?

    package init(_ pins: Pins) {
        self.pins = pins
    }

    /// Everything that a plugin's entry says; no entry means no pin.
    package init(_ plugin: Plugin?, trust: Trust, pinning: Pinning = .required, manifestModified: Int64? = nil) {
        pins = Pins(plugin?.pins ?? [])
        script = plugin?.script
        signature = plugin?.signature
        self.trust = trust
        self.pinning = pinning
        self.manifestModified = manifestModified
    }

    /// True when a pin matches; false when none does and the rules let that pass.
    func checkPin(of sealed: SealedExecutable) throws(VerificationError) -> Bool {
        if pins.accept(sealed.digest) { return true }
        switch pinning {
        case .asking: return false
        case .allowsUnpinned where pins.digests.isEmpty: return false
        case .allowsUnpinned, .required: break
        }
        guard !pins.digests.isEmpty else {
            throw sealed.candidate.refusal(
                .unpinned(found: sealed.digest), size: sealed.size, cause: MismatchCause.beginning(of: sealed))
        }
        throw sealed.candidate.refusal(
            .mismatch(found: sealed.digest, expected: pins.digests), size: sealed.size,
            cause: MismatchCause.guess(sealed, pins, manifestModified: manifestModified))
    }

    /// Who signed the bytes.
    func checkSignature(of sealed: SealedExecutable) throws(VerificationError) -> SignatureState {
        guard let signature else { return .notAsked }
        do throws(ConnectorSignature.Refusal) {
            return try ConnectorSignature(signature, trust).check(sealed)
        } catch {
            throw sealed.candidate.refusal(.signature(word: error.word, reason: error.text), size: sealed.size)
        }
    }

    /// Refuses what no machine, or not this one, would start, whoever pinned it.
    func checkKind(of sealed: SealedExecutable) throws(VerificationError) {
        switch sealed.kind {
        case .staticELF, .dynamicELF, .script: return
        case .foreignELF, .brokenELF, .unknown:
            throw sealed.candidate.refusal(
                .notRunnable(sealed.kind), size: sealed.size, cause: MismatchCause.beginning(of: sealed))
        }
    }

    /// The interpreter that a script runs under; nil for what is no script.
    func checkScript(_ sealed: SealedExecutable) throws(VerificationError) -> SealedInterpreter? {
        guard sealed.kind == .script else { return nil }
        guard let script else {
            let interpreter = SealedInterpreter.named(in: sealed)
            throw sealed.candidate.refusal(.scriptNotAllowed(interpreter: interpreter), size: sealed.size)
        }
        do throws(InterpreterFault) {
            return try SealedInterpreter(of: sealed, rule: script)
        } catch {
            throw sealed.candidate.refusal(.interpreter(error), size: sealed.size)
        }
    }
}

/// Who signed a connector, as far as the manifest asks.
package enum SignatureState: Hashable, Sendable, CustomStringConvertible {
    /// The manifest asks for no signature.
    case notAsked
    /// None is there, and the manifest lets that pass.
    case absent(warning: String)
    /// By the key that the manifest calls so, with what nobody checked.
    case valid(key: String, notes: [String])

    package var description: String {
        switch self {
        case .notAsked: "none"
        case .absent: "absent"
        case .valid(let key, _): "valid (\(key))"
        }
    }

    /// What every report has to say besides.
    package var warnings: [String] {
        switch self {
        case .notAsked: []
        case .absent(let warning): [warning]
        case .valid(_, let notes): notes
        }
    }
}
