package import TrstctlPolicy
package import TrstctlSystem

/// A private copy of a candidate's bytes that nobody can change any more, with its digest; not yet trusted.
///
/// The bytes are read once, from the descriptor that discovery checked. Whatever happens to the file afterwards, a
/// rename, a write into it, another link, changes nothing.
package final class SealedExecutable: Sendable {
    /// The largest executable that is copied, in bytes.
    package static let defaultLimit: Int64 = 1 << 30
    /// How long reading one may take, in milliseconds.
    package static let defaultPatience: Int64 = 60_000

    package let candidate: Candidate
    /// The sealed memfd.
    package let descriptor: OwnedDescriptor
    package let digest: SHA256Digest
    /// Bytes of the copy.
    package let size: Int64
    package let kind: ExecutableKind

    /// Copies, hashes and seals; no memory but the copy depends on the size.
    ///
    /// - Parameters:
    ///   - candidate: what discovery found; its file offset is not used.
    ///   - limit: the largest size in bytes.
    ///   - patience: how long reading may take, in milliseconds; looked at between two reads.
    /// - Throws: `tooLarge`, `tooSlow`, `changedWhileReading`, or the system call that failed.
    package init(
        copying candidate: Candidate, limit: Int64 = SealedExecutable.defaultLimit,
        patience: Int64 = SealedExecutable.defaultPatience
    ) throws(VerificationError) {
        do throws(Stop) {
            // What is too large already is not copied first; what grows meanwhile is found by the copying.
            guard candidate.size <= limit else { throw Stop(.tooLarge(limit: limit)) }
            let copy = try SealedCopy(
                candidate.descriptor.raw, name: candidate.name.executableFileName, limit: limit, patience: patience)
            self.candidate = candidate
            digest = copy.digest
            size = copy.size
            kind = ExecutableKind(of: copy.descriptor.raw)
            descriptor = copy.descriptor
        } catch {
            throw candidate.refusal(error.code, size: candidate.size)
        }
    }
}

extension Candidate {
    func refusal(_ code: VerificationError.Code, size: Int64, cause: String? = nil) -> VerificationError {
        VerificationError(
            code: code, connector: name, path: path, resolvedPath: resolvedPath, size: size, modified: modified,
            cause: cause)
    }
}
