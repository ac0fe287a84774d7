import Glibc
import TrstctlPolicy
import TrstctlSystem

/// Why a secret field has no value; texts name where it should come from, never what was there.
struct SecretReadError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What is wrong.
    enum Code: String, Sendable {
        case missing, unreadable, unsafePermissions, notRegular, tooLarge, empty, notInherited, failed, timedOut
    }

    let code: Code
    let description: String

    init(_ code: Code, _ origin: SecretOrigin, _ found: String, next: String) {
        self.code = code
        description = "\(origin): \(found); \(next)"
    }
}

/// Reading a secret from an open file: bounded, into memory for secrets.
enum SecretFile {
    /// The most bytes of a value.
    static let limit = 65_536

    /// Opens and reads a file that only its owner, and at most a group, may read.
    ///
    /// Symbolic links are followed, as systemd, Docker and Kubernetes hand secrets out behind them; what counts is the
    /// file that was opened.
    ///
    /// - Parameters:
    ///   - path: absolute, or relative to the working directory.
    ///   - origin: for messages.
    /// - Returns: 1 byte to `limit`, without one line feed at the end.
    /// - Throws: `SecretReadError`.
    static func read(_ path: Bytes, _ origin: SecretOrigin) throws(SecretReadError) -> Bytes {
        let file: OwnedDescriptor
        do throws(SystemError) {
            let flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY
            file = OwnedDescriptor(
                try retryingInterrupts("open") { path.withCString { open($0, flags) } })
        } catch {
            throw SecretReadError(
                error.errno == ENOENT || error.errno == ENOTDIR ? .missing : .unreadable, origin, error.reason,
                next: "check the path and its permissions")
        }
        var status = stat()
        guard fstat(file.raw, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw SecretReadError(
                .notRegular, origin, "it is not a regular file", next: "name a file, or use fd: for a pipe")
        }
        let caller = geteuid()
        guard status.st_uid == 0 || status.st_uid == caller else {
            throw SecretReadError(
                .unsafePermissions, origin, "it belongs to user \(status.st_uid), neither root nor you (\(caller))",
                next: "chown \(caller) \(NextCommand.quoted(printable(path)))")
        }
        guard status.st_mode & 0o027 == 0 else {
            throw SecretReadError(
                .unsafePermissions, origin,
                "others could read or change it (mode 0\(String(status.st_mode & 0o7777, radix: 8)))",
                next: "chmod 600 \(NextCommand.quoted(printable(path))), or 640 for a group that may read it")
        }
        return try content(of: file.raw, origin, until: .after(milliseconds: 30_000))
    }

    /// Reads a descriptor to its end.
    ///
    /// - Parameters:
    ///   - raw: stays open.
    ///   - origin: for messages.
    ///   - deadline: when a pipe whose writer says nothing is given up.
    /// - Returns: 1 byte to `limit`, without one line feed at the end.
    /// - Throws: `SecretReadError`.
    static func content(
        of raw: Int32, _ origin: SecretOrigin, until deadline: Deadline
    ) throws(SecretReadError) -> Bytes {
        var buffer = WipedBuffer(capacity: 4_096, limit: limit + 1)
        while buffer.count <= limit {
            var entry = pollfd(fd: raw, events: Int16(POLLIN), revents: 0)
            let ready = poll(&entry, 1, deadline.pollTimeout)
            if ready == 0 {
                throw SecretReadError(
                    .timedOut, origin, "it did not end in time", next: "check who writes it, and that it is closed")
            }
            guard ready > 0 || errno == EINTR else { break }
            guard ready > 0 else { continue }
            var error: Int32 = 0
            let got = buffer.append { free in
                let count = Glibc.read(raw, free.baseAddress, free.count)
                error = count < 0 ? errno : 0
                return count
            }
            if error == EINTR || error == EAGAIN { continue }
            guard error == 0 else {
                let reason = SystemError(stage: "read", errno: error).reason
                throw SecretReadError(.unreadable, origin, reason, next: "check the path and its permissions")
            }
            if got == 0 { return try value(buffer, origin) }
        }
        throw SecretReadError(
            .tooLarge, origin, "it is longer than \(limit) bytes", next: "check that it is the secret")
    }

    /// What was read, without the one line feed that editors and `echo` add.
    static func value(_ buffer: consuming WipedBuffer, _ origin: SecretOrigin) throws(SecretReadError) -> Bytes {
        let endsLine = buffer.withUnsafeBytes { $0.last == 0x0A }
        if endsLine { buffer.removeLast(1) }
        guard buffer.count > 0 else {
            throw SecretReadError(.empty, origin, "it is empty", next: "check who writes it")
        }
        return buffer.bytes()
    }
}
