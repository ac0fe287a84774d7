import TrstctlLaunch
import TrstctlPolicy
import TrstctlSystem

/// An executable that was found, and what came of verifying it: a refusal has to say which bytes were refused.
struct ExaminedExecutable: Sendable {
    /// Where the file was found.
    let path: Bytes
    /// Nil when its bytes could not be copied.
    let digest: SHA256Digest?
    /// How it is linked; nil like the digest.
    let kind: ExecutableKind?
    let verified: Result<VerifiedExecutable, VerificationError>

    /// Copies, seals and verifies a candidate.
    ///
    /// - Parameters:
    ///   - candidate: what discovery found.
    ///   - rules: what its bytes have to satisfy.
    ///   - patience: how long reading it may take, in milliseconds.
    init(_ candidate: Candidate, _ rules: VerificationRules, patience: Int64) {
        path = candidate.path
        do throws(VerificationError) {
            let sealed = try SealedExecutable(copying: candidate, patience: patience)
            digest = sealed.digest
            kind = sealed.kind
            verified = Result { () throws(VerificationError) in try VerifiedExecutable(sealed, rules) }
        } catch {
            digest = nil
            kind = nil
            verified = .failure(error)
        }
    }
}

extension ConnectorReport {
    /// Notes which bytes it is about, whether they may run or not.
    mutating func note(_ examined: ExaminedExecutable) {
        path = printable(examined.path)
        sha256 = examined.digest?.hex ?? ""
        link = examined.kind.map { "\($0)" } ?? ""
        guard case .failure(let error) = examined.verified else { return }
        switch error.code {
        case .mismatch: pin = "mismatch"
        case .unpinned: pin = "unpinned"
        default: pin = "refused"
        }
    }
}
