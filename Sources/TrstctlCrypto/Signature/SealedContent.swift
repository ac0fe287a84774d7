import Glibc
import TrstctlSystem

/// The bytes a signature is about: a sealed memfd, which nobody can change or cut while they are read.
///
/// The seals are checked, not assumed: a mapping of a file that shrinks kills its reader (SIGBUS), and bytes that change
/// between verification and execution were never verified. Source: fcntl(2), "File Sealing".
package struct SealedContent: Sendable {
    /// The most bytes: 1 GiB.
    package static let byteLimit: Int64 = 1 << 30

    /// The memfd; it stays the caller's, who keeps it open as long as this value is used.
    package let descriptor: Int32
    /// Bytes.
    package let size: Int64

    private static let chunk = 256 << 10
    // <linux/fcntl.h>, which Swift's Glibc module leaves out.
    private static let getSeals: Int32 = 1024 + 10
    private static let neededSeals: Int32 = 0x0002 | 0x0004 | 0x0008  // SHRINK, GROW, WRITE

    /// Looks at seals and size.
    ///
    /// - Parameter descriptor: a memfd sealed against writing, growing and shrinking; its file offset is not used.
    /// - Throws: `contentNotSealed`, `contentSize`, `unreadable`.
    package init(descriptor: Int32) throws(SignatureError) {
        let seals = fcntl(descriptor, SealedContent.getSeals)
        guard seals >= 0, seals & SealedContent.neededSeals == SealedContent.neededSeals else {
            throw SignatureError(.contentNotSealed, "the content is not a memfd sealed against every change")
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw SignatureError(SystemError.last("fstat")) }
        let size = Int64(status.st_size)
        guard (0...SealedContent.byteLimit).contains(size) else {
            throw SignatureError(
                .contentSize, "\(size) bytes, the most that is verified are \(SealedContent.byteLimit)")
        }
        self.descriptor = descriptor
        self.size = size
    }

    /// Passes every byte to `body`, in order, in pieces; `body` returns false to stop.
    ///
    /// - Returns: false when `body` stopped.
    func stream(_ body: (UnsafeRawBufferPointer) -> Bool) throws(SignatureError) -> Bool {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: SealedContent.chunk, alignment: 4096)
        defer { buffer.deallocate() }
        var offset: Int64 = 0
        while offset < size {
            let count: Int
            do throws(SystemError) {
                count = try retryingInterrupts("pread") {
                    pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset))
                }
            } catch {
                throw SignatureError(error)
            }
            guard count > 0, Int64(count) <= size - offset else {
                throw SignatureError(.unreadable, "the content ended at byte \(offset) of \(size)")
            }
            guard body(UnsafeRawBufferPointer(rebasing: buffer[..<count])) else { return false }
            offset += Int64(count)
        }
        return true
    }

    /// Maps the whole content, for algorithms that need it in one piece; costs no memory beyond the memfd's own.
    ///
    /// A private, read-only mapping of a memfd that cannot shrink: no access to it can fault.
    func withMapping<Result>(_ body: (UnsafeRawBufferPointer) -> Result) throws(SignatureError) -> Result {
        guard size > 0 else { return body(UnsafeRawBufferPointer(start: nil, count: 0)) }
        let length = Int(size)
        guard let start = mmap(nil, length, PROT_READ, MAP_PRIVATE, descriptor, 0), start != MAP_FAILED else {
            throw SignatureError(SystemError.last("mmap"))
        }
        defer { munmap(start, length) }
        return body(UnsafeRawBufferPointer(start: start, count: length))
    }
}
