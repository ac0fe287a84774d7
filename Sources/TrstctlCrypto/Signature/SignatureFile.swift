import Glibc
package import TrstctlSystem

/// Signature files on disk: opened and read without trusting what lies there.
///
/// Who may write such a file does not matter: what it says counts only when the signature verifies.
package enum SignatureFile {
    /// What is appended to an executable's name, in the order in which they are looked for.
    package static let suffixes = [".sig", ".sigstore.json", ".minisig"]

    /// Reads a whole signature file.
    ///
    /// - Parameter path: absolute, or relative to the working directory; its last part must not be a symbolic link.
    /// - Returns: the content, 0 to `DetachedSignature.byteLimit` bytes; nil when there is no such file.
    /// - Throws: `notRegularFile`, `tooLarge`, `unreadable`.
    package static func read(_ path: Bytes) throws(SignatureError) -> [UInt8]? {
        let name = path.array
        guard !name.isEmpty, !name.contains(0) else {
            throw SignatureError(.unreadable, "the signature's path is empty or contains NUL")
        }
        // Without O_NONBLOCK the opening of a FIFO waits for its writer.
        let flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY
        let number = (name + [0]).withUnsafeBytes { bytes in
            bytes.bindMemory(to: CChar.self).baseAddress.map { open($0, flags) } ?? -1
        }
        guard number >= 0 else {
            let error = SystemError.last("open", PrintableText.of(name))
            switch error.errno {
            case ENOENT: return nil
            case ELOOP: throw SignatureError(.notRegularFile, "\(error.object) is a symbolic link")
            case ENXIO: throw SignatureError(.notRegularFile, "\(error.object) is a socket or a device")
            default: throw SignatureError(error)
            }
        }
        return try content(of: OwnedDescriptor(number), PrintableText.of(name))
    }

    private static func content(
        of descriptor: consuming OwnedDescriptor, _ shown: String
    ) throws(SignatureError) -> [UInt8] {
        var status = stat()
        guard fstat(descriptor.raw, &status) == 0 else { throw SignatureError(SystemError.last("fstat", shown)) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw SignatureError(.notRegularFile, "\(shown) is not a regular file")
        }
        let limit = DetachedSignature.byteLimit
        guard status.st_size <= limit else { throw tooLarge(shown, "\(status.st_size) bytes") }
        // One byte more than the limit: the file may have grown since.
        var bytes = [UInt8](repeating: 0, count: limit + 1)
        var filled = 0
        let number = descriptor.raw
        while filled < bytes.count {
            let count: Int
            do throws(SystemError) {
                count = try retryingInterrupts("read", shown) {
                    bytes.withUnsafeMutableBytes {
                        Glibc.read(number, $0.baseAddress?.advanced(by: filled), $0.count - filled)
                    }
                }
            } catch {
                throw SignatureError(error)
            }
            guard count > 0 else { break }
            filled += count
        }
        guard filled <= limit else { throw tooLarge(shown, "more than \(limit) bytes") }
        return Array(bytes.prefix(filled))
    }

    private static func tooLarge(_ shown: String, _ found: String) -> SignatureError {
        SignatureError(.tooLarge, "\(shown) has \(found); a signature has at most \(DetachedSignature.byteLimit)")
    }
}
