import Glibc
package import TrstctlSystem

/// The content of one of a credential's files, read once and bounded.
package struct CredentialFile: Sendable {
    /// Where it was read, as the caller named it.
    package var path: String
    /// Treated as secret always: a certificate's file may hold the key as well.
    package var content: Bytes
    /// The permission bits (`st_mode & 07777`) of the file that was read.
    package var permissions: UInt32

    /// The most bytes of a file: 1 MiB.
    package static let limit = 1 << 20

    /// A content from elsewhere, for tests.
    package init(path: String, content: Bytes, permissions: UInt32) {
        self.path = path
        self.content = content
        self.permissions = permissions
    }

    /// Opens the file, following symbolic links once (certbot's `live/` consists of them), and reads that file.
    ///
    /// It never waits: a FIFO or a device is refused, not read.
    /// - Parameter path: absolute, or relative to the working directory.
    /// - Returns: 1 byte to `limit`.
    /// - Throws: `CredentialError` that says what the path leads to.
    package static func read(_ path: String) throws(CredentialError) -> CredentialFile {
        guard !path.isEmpty, !path.utf8.contains(0) else {
            throw CredentialError(
                .missing, path, expected: "the path of a file", found: "an empty path, or one with a NUL byte",
                next: "Correct the credential's path in the manifest.")
        }
        let file = OwnedDescriptor(
            try explained(path) { () throws(SystemError) in
                try retryingInterrupts("open", path) { open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) }
            })
        let number = file.raw
        var status = stat()
        _ = try explained(path) { () throws(SystemError) in
            try retryingInterrupts("fstat", path) { fstat(number, &status) }
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            let isDirectory = status.st_mode & S_IFMT == S_IFDIR
            throw CredentialError(
                .notRegular, path, expected: "a regular file",
                found: isDirectory ? "a directory" : "a device, pipe or socket",
                next: isDirectory
                    ? "Name the file inside it, for example \(path)/fullchain.pem." : "Name a regular file.")
        }
        guard status.st_size <= limit else { throw tooBig(path, "\(status.st_size) bytes") }
        let content = try readAll(file, size: Int(status.st_size), path)
        guard !content.isEmpty else {
            throw CredentialError(
                .empty, path, expected: "PEM blocks", found: "an empty file",
                next: "Look at the tool that writes it; renew the certificate again if it was cut off.")
        }
        return CredentialFile(path: path, content: content, permissions: UInt32(status.st_mode & 0o7777))
    }

    /// Reads up to the size that was seen and one byte more: a file that grows meanwhile is being written.
    private static func readAll(
        _ file: borrowing OwnedDescriptor, size: Int, _ path: String
    ) throws(CredentialError) -> Bytes {
        let capacity = max(0, min(size, limit)) + 1
        var buffer = WipedBuffer(capacity: capacity, limit: capacity)
        let number = file.raw
        while buffer.count < capacity {
            let got = try buffer.append { (free) throws(CredentialError) -> Int in
                try explained(path) { () throws(SystemError) in
                    try retryingInterrupts("read", path) { Glibc.read(number, free.baseAddress, free.count) }
                }
            }
            guard let got, got > 0 else { break }
        }
        let count = buffer.count
        let content = buffer.bytes()
        guard count == size else {
            throw CredentialError(
                .changing, path, expected: "\(size) bytes, as the file's size said", found: "another number",
                next: "Another process is writing the file: run the command again when it is done.")
        }
        return content
    }

    private static func tooBig(_ path: String, _ found: String) -> CredentialError {
        CredentialError(
            .tooBig, path, expected: "at most \(limit) bytes", found: found,
            next: "Name the certificate's or the key's own file.")
    }

    private static func explained<Result>(
        _ path: String, _ call: () throws(SystemError) -> Result
    ) throws(CredentialError) -> Result {
        do {
            return try call()
        } catch {
            throw refusal(path, error)
        }
    }

    private static func refusal(_ path: String, _ error: SystemError) -> CredentialError {
        switch error.errno {
        case ENOENT, ENOTDIR:
            CredentialError(
                .missing, path, expected: "a file", found: error.reason,
                next: "Look with `ls -lL \(path)`; correct the path in the manifest or obtain the certificate first.")
        case EACCES, EPERM:
            CredentialError(
                .unreadable, path, expected: "permission to read", found: error.reason,
                next: "Run as the user who may read it, or see `namei -l \(path)`.")
        default:
            CredentialError(
                .unreadable, path, expected: "a readable file", found: "\(error.stage): \(error.reason)",
                next: "Look with `ls -lL \(path)`.")
        }
    }
}
