import Glibc
package import TrstctlSystem

/// A uid (and the gid of the same number) that no other running connector has, of this host or of another one.
///
/// The reservation is a lock (flock(2)) on a file in one fixed directory, so that hosts with different runtime
/// directories do not share one either; the kernel releases it when the host ends, however it ends.
package final class ConnectorUser: Sendable {
    /// 256 numbers that nobody hands out.
    ///
    /// systemd documents 60706 to 61183 as unused (its UIDS-GIDS page; dynamic users
    /// begin at 61184), Debian's base-passwd has assigned 63434 and 64000 and up of what it reserves, login.defs(5) ends
    /// at 60000, subordinate ids begin at 100000. Below 65536, so that they exist in a container with 16-bit ids.
    package static let range: ClosedRange<UInt32> = 60_800...61_055
    package static let defaultDirectory = "/run/trstctl/users"

    package let uid: UInt32
    private let lock: OwnedDescriptor

    /// Reserves the first number that is free.
    ///
    /// - Parameter directory: where the lock files are; made when missing, and must be the caller's alone.
    /// - Throws: EUSERS when all are taken, or the system call that failed.
    package init(directory: String = ConnectorUser.defaultDirectory) throws(SystemError) {
        let place = try ConnectorUser.open(directory)
        let taken = ConnectorUser.inUse
        for uid in ConnectorUser.range where !taken.contains(uid) {
            let file = OwnedDescriptor(
                try retryingInterrupts("open", "\(directory)/\(uid)") {
                    openat(place.raw, "\(uid)", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
                })
            guard flock(file.raw, LOCK_EX | LOCK_NB) == 0 else { continue }
            self.uid = uid
            lock = file
            return
        }
        throw SystemError(stage: "reserve a uid for the connector in", object: directory, errno: EUSERS)
    }

    /// Releases the number at once: a process that is being started elsewhere in the host has a copy of the descriptor
    /// until it executes its program, and closing ours would leave the lock with it (flock(2)).
    deinit { _ = flock(lock.raw, LOCK_UN) }

    private static func open(_ path: String) throws(SystemError) -> OwnedDescriptor {
        if let parent = path.lastIndex(of: "/"), parent != path.startIndex { mkdir(String(path[..<parent]), 0o711) }
        if mkdir(path, 0o700) == -1 && errno != EEXIST { throw SystemError.last("mkdir", path) }
        let place = OwnedDescriptor(
            try retryingInterrupts("open", path) {
                Glibc.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            })
        var status = stat()
        guard fstat(place.raw, &status) == 0 else { throw SystemError.last("fstat", path) }
        guard status.st_uid == geteuid(), status.st_mode & 0o022 == 0 else {
            throw SystemError(stage: "must be writable by the host alone:", object: path, errno: EPERM)
        }
        return place
    }

    /// Numbers of the range that an administrator gave to somebody after all; read once.
    private static let inUse: Set<UInt32> = {
        var found: Set<UInt32> = []
        for path in ["/etc/passwd", "/etc/group"] {
            for line in TextFile.lines(path) {
                let fields = line.split(separator: ":", omittingEmptySubsequences: false)
                if fields.count > 2, let number = UInt32(fields[2]), range.contains(number) { found.insert(number) }
            }
        }
        return found
    }()
}

/// Small text files of the system: /etc/passwd, /proc/self/mountinfo.
enum TextFile {
    /// The lines, at most 1 MiB of them; none when the file cannot be read.
    static func lines(_ path: String) -> [Substring] {
        text(path).split(separator: "\n")
    }

    static func text(_ path: String) -> String {
        let number = open(path, O_RDONLY | O_CLOEXEC)
        guard number >= 0 else { return "" }
        let file = OwnedDescriptor(number)
        var content: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        while content.count < 1 << 20 {
            let count = read(file.raw, &buffer, buffer.count)
            guard count > 0 else { break }
            content += buffer.prefix(count)
        }
        return String(decoding: content, as: UTF8.self)
    }

    /// Writes a value into a file of the kernel; false when that failed, see `errno`.
    static func put(_ text: String, into path: String) -> Bool {
        let number = open(path, O_WRONLY | O_CLOEXEC)
        guard number >= 0 else { return false }
        let file = OwnedDescriptor(number)
        let bytes = Array(text.utf8)
        let written = write(file.raw, bytes, bytes.count)
        let error = errno
        withExtendedLifetime(file) {}
        errno = error
        return written == bytes.count
    }
}
