package import TrstctlPolicy
package import TrstctlSystem

/// Bytes that may run: a sealed copy whose digest the operator pinned.
///
/// Only verification makes one, and only one can be started: that the bytes verified are the bytes executed is a
/// matter of types.
package struct VerifiedExecutable: Sendable {
    private let sealed: SealedExecutable
    /// False when the operator allowed this connector to run without a pin, which every report must say.
    package let isPinned: Bool

    /// Opens nothing: verifies the file that discovery opened.
    ///
    /// - Throws: a mismatch or a missing pin with everything the operator needs to decide.
    package init(
        verifying candidate: Candidate, pins: Pins, limit: Int64 = SealedExecutable.defaultLimit
    ) throws(VerificationError) {
        try self.init(SealedExecutable(copying: candidate, limit: limit), pins: pins)
    }

    /// Compares the digest of a sealed copy with the pins.
    package init(_ sealed: SealedExecutable, pins: Pins) throws(VerificationError) {
        let candidate = sealed.candidate
        guard !pins.digests.isEmpty else {
            throw candidate.refusal(.unpinned(found: sealed.digest), size: sealed.size)
        }
        guard pins.accept(sealed.digest) else {
            throw candidate.refusal(
                .mismatch(found: sealed.digest, expected: pins.digests), size: sealed.size,
                cause: MismatchCause.guess(sealed))
        }
        self.init(sealed, isPinned: true)
    }

    /// The development override, which runs what is there; the caller warns, every time.
    package static func withoutPin(_ sealed: SealedExecutable) -> VerifiedExecutable {
        VerifiedExecutable(sealed, isPinned: false)
    }

    private init(_ sealed: SealedExecutable, isPinned: Bool) {
        self.sealed = sealed
        self.isPinned = isPinned
    }

    package var name: ConnectorName { sealed.candidate.name }
    /// Where the file was found; only for reports, nothing opens it again.
    package var path: Bytes { sealed.candidate.path }
    package var digest: SHA256Digest { sealed.digest }
    /// Bytes.
    package var size: Int64 { sealed.size }
    package var kind: ExecutableKind { sealed.kind }
    /// The sealed memfd, for `SpawnRequest.Program.descriptor`; valid while this value lives.
    package var descriptor: Int32 { sealed.descriptor.raw }
}
