import CTrstctlSystem
import Glibc
import TrstctlCrypto
package import TrstctlPolicy
package import TrstctlSystem

/// A private copy of a candidate's bytes that nobody can change any more, with its digest; not yet trusted.
///
/// The bytes are read once, from the descriptor that discovery checked. Whatever happens to the file afterwards, a
/// rename, a write into it, another link, changes nothing.
package final class SealedExecutable: Sendable {
    /// The largest executable that is copied, in bytes.
    package static let defaultLimit: Int64 = 1 << 30

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
    /// - Throws: `tooLarge`, `changedWhileReading`, or the system call that failed.
    package init(
        copying candidate: Candidate, limit: Int64 = SealedExecutable.defaultLimit
    ) throws(VerificationError) {
        do throws(Stop) {
            let copy = try SealedCopy(candidate, limit: limit)
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

/// The copy itself, before anything else is known about it.
private struct SealedCopy: ~Copyable {
    let descriptor: OwnedDescriptor
    let digest: SHA256Digest
    let size: Int64
    private static let bufferSize = 256 << 10

    init(_ candidate: Candidate, limit: Int64) throws(Stop) {
        let copy = OwnedDescriptor(
            try Stop.when { () throws(SystemError) in
                try retryingInterrupts("memfd_create") { trstctl_memfd_create(candidate.name.executableFileName) }
            })
        var hash = SHA256()
        var total: Int64 = 0
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: SealedCopy.bufferSize, alignment: 4096)
        defer { buffer.deallocate() }
        while true {
            let room = Int(min(Int64(SealedCopy.bufferSize), limit - total + 1))
            let count = try Stop.when { () throws(SystemError) in
                try retryingInterrupts("read") {
                    pread(candidate.descriptor.raw, buffer.baseAddress, room, off_t(total))
                }
            }
            guard count > 0 else { break }
            total += Int64(count)
            guard total <= limit else { throw Stop(.tooLarge(limit: limit)) }
            let piece = UnsafeRawBufferPointer(rebasing: buffer[..<count])
            // The same bytes, in the host's own memory, go into the digest and into the copy.
            hash.update(piece)
            try SealedCopy.writeAll(piece, to: copy)
        }
        try SealedCopy.seal(copy, size: total)
        guard let bytes = hash.finalize(), let digest = SHA256Digest(bytes: bytes) else {
            throw Stop(.failed(SystemError(stage: "SHA-256", errno: EIO)))
        }
        descriptor = copy
        self.digest = digest
        size = total
    }

    private static func writeAll(_ bytes: UnsafeRawBufferPointer, to copy: borrowing OwnedDescriptor) throws(Stop) {
        let number = copy.raw
        var offset = 0
        while offset < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
            offset += try Stop.when { () throws(SystemError) in
                try retryingInterrupts("write to memfd") { write(number, rest.baseAddress, rest.count) }
            }
        }
    }

    /// Seals, and only then looks at the size: from there on it cannot change.
    private static func seal(_ copy: borrowing OwnedDescriptor, size: Int64) throws(Stop) {
        let number = copy.raw
        _ = try Stop.when { () throws(SystemError) in
            try retryingInterrupts("fchmod of memfd") { fchmod(number, 0o555) }
        }
        _ = try Stop.when { () throws(SystemError) in
            try retryingInterrupts("seal memfd") { trstctl_memfd_seal(number) }
        }
        var status = stat()
        _ = try Stop.when { () throws(SystemError) in
            try retryingInterrupts("fstat of memfd") { fstat(number, &status) }
        }
        guard Int64(status.st_size) == size, size > 0 else { throw Stop(.changedWhileReading) }
    }
}

/// A reason without the candidate it belongs to.
private struct Stop: Error {
    let code: VerificationError.Code

    init(_ code: VerificationError.Code) {
        self.code = code
    }

    static func when<Result>(_ body: () throws(SystemError) -> Result) throws(Stop) -> Result {
        do throws(SystemError) {
            return try body()
        } catch {
            throw Stop(.failed(error))
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
