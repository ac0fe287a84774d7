import CTrstctlSystem
import Glibc
import TrstctlCrypto
import TrstctlPolicy
import TrstctlSystem

/// The copy itself, before anything else is known about it.
struct SealedCopy: ~Copyable {
    let descriptor: OwnedDescriptor
    let digest: SHA256Digest
    let size: Int64

    /// Copies what a descriptor is open on, whatever its offset.
    init(_ source: Int32, name: String, limit: Int64, patience: Int64) throws(Stop) {
        let deadline = Deadline.after(milliseconds: patience)
        let copy = OwnedDescriptor(
            try Stop.when { () throws(SystemError) in
                try retryingInterrupts("memfd_create") { trstctl_memfd_create(name) }
            })
        var total: Int64 = 0
        let pieces = HashedPieces()
        defer { pieces.abandon() }
        while true {
            let buffer = pieces.next()
            let room = Int(min(Int64(buffer.count), limit - total + 1))
            let count = try Stop.when { () throws(SystemError) in
                try retryingInterrupts("read") {
                    pread(source, buffer.baseAddress, room, off_t(total))
                }
            }
            guard count > 0 else { break }
            total += Int64(count)
            guard !deadline.hasPassed else { throw Stop(.tooSlow(milliseconds: patience)) }
            guard total <= limit else { throw Stop(.tooLarge(limit: limit)) }
            // The same bytes, in the host's own memory, go into the digest and into the copy.
            pieces.give(count)
            try SealedCopy.writeAll(UnsafeRawBufferPointer(rebasing: buffer[..<count]), to: copy)
        }
        try SealedCopy.seal(copy, size: total)
        guard let bytes = pieces.finish(), let digest = SHA256Digest(bytes: bytes) else {
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
struct Stop: Error {
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
