import CTrstctlSystem
import Glibc
import TrstctlCrypto
import TrstctlPolicy
import TrstctlSystem

/// An archive that lies beside a connector and whose digest was pinned instead of the executable's: the usual mistake
/// with a release page that lists the SHA-256 of its downloads.
struct NeighbouringArchive {
    private static let endings = [
        ".tar.gz", ".tgz", ".tar.xz", ".tar.zst", ".tar.bz2", ".tar", ".zip", ".gz", ".xz", ".deb", ".rpm",
    ]
    private static let maximumFiles = 8
    private static let maximumBytes: Int64 = 256 << 20
    private static let patience: Int64 = 5_000

    /// Looks for a file beside the connector whose digest is pinned.
    ///
    /// - Parameters:
    ///   - candidate: the connector.
    ///   - pins: what is pinned for it.
    ///   - names: the most names of the directory that are looked at.
    /// - Returns: its name; nil when there is none among those.
    static func pinned(beside candidate: Candidate, _ pins: Pins, among names: Int = 10_000) -> Bytes? {
        let number = candidate.directory.path.withCString { open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard number != -1 else { return nil }
        let directory = OwnedDescriptor(number)
        guard let reading = try? DirectoryReading(of: directory.raw) else { return nil }
        let prefix = Array(candidate.name.executableFileName.utf8)
        var left = maximumFiles
        var looked = 0
        while left > 0, looked < names, let file = try? reading.next()?.array {
            looked += 1
            guard file.starts(with: prefix),
                endings.contains(where: { file.suffix($0.utf8.count).elementsEqual($0.utf8) })
            else { continue }
            left -= 1
            if let digest = digest(Bytes(file), in: directory.raw), pins.accept(digest) { return Bytes(file) }
        }
        return nil
    }

    private static func digest(_ file: Bytes, in directory: Int32) -> SHA256Digest? {
        let number = file.withCString {
            openat(directory, $0, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        }
        guard number != -1 else { return nil }
        let descriptor = OwnedDescriptor(number)
        var status = stat()
        guard fstat(descriptor.raw, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size <= maximumBytes
        else { return nil }
        var hash = SHA256()
        var total: Int64 = 0
        let deadline = Deadline.after(milliseconds: patience)
        var buffer = [UInt8](repeating: 0, count: 256 << 10)
        while total <= maximumBytes, !deadline.hasPassed {
            let count = buffer.withUnsafeMutableBytes { read(descriptor.raw, $0.baseAddress, $0.count) }
            guard count > 0 else { return count == 0 ? hash.finalize().flatMap { SHA256Digest(bytes: $0) } : nil }
            total += Int64(count)
            buffer.withUnsafeBytes { hash.update(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        }
        return nil
    }
}
