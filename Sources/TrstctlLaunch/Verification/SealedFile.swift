import Glibc
package import TrstctlCrypto
package import TrstctlPolicy
package import TrstctlSystem

/// A file's bytes in a sealed copy, made as a launch makes it: what an author signs is what a host verifies.
package struct SealedFile: ~Copyable {
    private let copy: SealedCopy
    /// What it is.
    package let kind: ExecutableKind

    /// Copies and seals a regular file, following links.
    ///
    /// - Parameters:
    ///   - path: absolute, or relative to the working directory.
    ///   - limit: the most bytes.
    /// - Throws: why it cannot be read, in words.
    package init(_ path: Bytes, limit: Int64 = SealedExecutable.defaultLimit) throws(Unreadable) {
        let file = try SealedFile.open(path)
        do throws(Stop) {
            copy = try SealedCopy(
                file.raw, name: "trstctl-signed", limit: limit, patience: SealedExecutable.defaultPatience)
        } catch {
            throw Unreadable(error, printable(path))
        }
        kind = ExecutableKind(of: copy.descriptor.raw)
    }

    private static func open(_ path: Bytes) throws(Unreadable) -> OwnedDescriptor {
        let shown = printable(path)
        let name = path.array
        guard !name.isEmpty, !name.contains(0) else { throw Unreadable(description: "\(shown) is no path") }
        var status = stat()
        do throws(SystemError) {
            // Without O_NONBLOCK the opening of a FIFO waits for its writer.
            let file = OwnedDescriptor(
                try retryingInterrupts("open", shown) {
                    path.withCString { Glibc.open($0, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) }
                })
            let number = file.raw
            _ = try retryingInterrupts("fstat", shown) { fstat(number, &status) }
            if status.st_mode & S_IFMT == S_IFREG { return file }
        } catch {
            throw Unreadable(description: "\(error)")
        }
        throw Unreadable(description: "\(shown) is not a regular file")
    }

    /// SHA-256 of the bytes.
    package var digest: SHA256Digest { copy.digest }

    /// The bytes; valid while this value lives.
    package var content: SealedContent {
        get throws(SignatureError) { try SealedContent(descriptor: copy.descriptor.raw) }
    }

    /// A file that cannot be copied.
    package struct Unreadable: Error, Sendable, CustomStringConvertible {
        package let description: String
    }
}

extension SealedFile.Unreadable {
    fileprivate init(_ stop: Stop, _ shown: String) {
        let why =
            switch stop.code {
            case .tooLarge(let limit): "is larger than \(limit) bytes"
            case .tooSlow(let milliseconds): "could not be read within \(milliseconds) ms"
            case .changedWhileReading: "is empty, or changed while it was read"
            case .failed(let error): "cannot be read: \(error)"
            default: "cannot be read"
            }
        self.init(description: "\(shown) \(why)")
    }
}
