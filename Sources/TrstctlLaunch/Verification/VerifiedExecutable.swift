package import TrstctlPolicy
import TrstctlProcess
package import TrstctlSystem

/// Bytes that may run: a sealed copy whose digest the operator pinned.
///
/// Only verification makes one, and only one can be started: that the bytes verified are the bytes executed is a
/// matter of types.
package struct VerifiedExecutable: Sendable {
    private let sealed: SealedExecutable
    /// False when the operator allowed this connector to run without a pin, which every report must say.
    package let isPinned: Bool
    /// What runs the connector when it is a script.
    package let interpreter: SealedInterpreter?
    /// Who signed it, as far as the manifest asks.
    package let signature: SignatureState

    /// Opens nothing: verifies the file that discovery opened.
    ///
    /// - Throws: a mismatch or a missing pin with everything the operator needs to decide.
    package init(
        verifying candidate: Candidate, pins: Pins, limit: Int64 = SealedExecutable.defaultLimit
    ) throws(VerificationError) {
        try self.init(SealedExecutable(copying: candidate, limit: limit), VerificationRules(pins))
    }

    /// Compares the digest of a sealed copy with the pins.
    package init(_ sealed: SealedExecutable, pins: Pins) throws(VerificationError) {
        try self.init(sealed, VerificationRules(pins))
    }

    /// Verifies a sealed copy by everything that the manifest says: the one way for a launch, `plugin pin` and
    /// `plugin verify`.
    ///
    /// - Throws: the first rule that the bytes break: revocation, pin, signature, interpreter, kind.
    package init(_ sealed: SealedExecutable, _ rules: VerificationRules) throws(VerificationError) {
        let candidate = sealed.candidate
        guard !rules.trust.revokes(sealed.digest) else {
            throw candidate.refusal(.revoked(found: sealed.digest), size: sealed.size)
        }
        isPinned = try rules.checkPin(of: sealed)
        signature = try rules.checkSignature(of: sealed)
        interpreter = try rules.checkScript(sealed)
        try rules.checkKind(of: sealed)
        self.sealed = sealed
    }

    package var name: ConnectorName { sealed.candidate.name }
    /// Where the file was found; only for reports, nothing opens it again.
    package var path: Bytes { sealed.candidate.path }
    package var digest: SHA256Digest { sealed.digest }
    /// Bytes.
    package var size: Int64 { sealed.size }
    package var kind: ExecutableKind { sealed.kind }
    /// The sealed memfd; valid while this value lives.
    package var descriptor: Int32 { sealed.descriptor.raw }
    /// What the kernel starts, for `SpawnRequest.Program.descriptor`: the sealed bytes, or a script's sealed interpreter.
    package var program: Int32 { interpreter?.descriptor.raw ?? descriptor }
    /// The words it is started with, as the kernel would make them from a script's first line (execve(2)).
    package var arguments: [Bytes] {
        guard let interpreter else { return [Bytes(name.executableFileName)] }
        return [interpreter.path.bytes] + (interpreter.argument.map { [$0] } ?? []) + [SpawnRequest.scriptPath]
    }
}
