import CTrstctlSystem
import Glibc
import TrstctlSystem
import TrstctlWire

/// Connects to the socket that a connector announced, and proves that the listener is that connector.
enum Dial {
    /// Connects to a socket in the run directory.
    ///
    /// - Parameters:
    ///   - name: the socket's name, as `HandshakeLine` checked it.
    ///   - directory: the run directory's descriptor.
    ///   - childPidfd: the process that must be listening.
    ///   - childPid: its number, for kernels before 6.5 that cannot tell the peer's pidfd.
    ///   - owner: the user that must own the socket.
    /// - Returns: the connected socket, on which no byte was sent yet.
    /// - Throws: `DialError`.
    static func connect(
        name: [UInt8], directory: Int32, childPidfd: Int32, childPid: Int32, owner: uid_t
    ) throws(DialError) -> OwnedDescriptor {
        let entry = try openEntry(name, directory, owner)
        let number = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC | O_NONBLOCK, 0)
        guard number >= 0 else { throw .system(.last("socket")) }
        let connection = OwnedDescriptor(number)
        // Through the descriptor, so that the socket that was checked is the one that is dialled, wherever its name
        // points by now.
        try dial(connection.raw, "/proc/self/fd/\(entry.raw)")
        try checkPeer(connection.raw, childPidfd, childPid)
        var size: Int32 = 512 << 10
        setsockopt(connection.raw, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        return connection
    }

    private static func openEntry(_ name: [UInt8], _ directory: Int32, _ owner: uid_t) throws(DialError)
        -> OwnedDescriptor
    {
        let number = (name + [0]).withUnsafeBytes { bytes in
            bytes.bindMemory(to: CChar.self).baseAddress.map {
                openat(directory, $0, TRSTCTL_O_PATH | O_NOFOLLOW | O_CLOEXEC)
            } ?? -1
        }
        guard number >= 0 else { throw .system(.last("open the announced socket")) }
        let entry = OwnedDescriptor(number)
        var status = stat()
        guard fstat(number, &status) == 0 else { throw .system(.last("fstat")) }
        guard status.st_mode & S_IFMT == S_IFSOCK else { throw .notASocket }
        guard status.st_uid == owner else { throw .foreignSocket(uid: status.st_uid) }
        return entry
    }

    private static func dial(_ socket: Int32, _ path: String) throws(DialError) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes.prefix(107)) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else {
            // EPROTOTYPE: the socket is a datagram or seqpacket one.
            throw errno == EPROTOTYPE ? .notASocket : .system(.last("connect"))
        }
    }

    /// The credentials of a listening socket are those of whoever called listen(2), at that moment (unix(7)).
    private static func checkPeer(_ socket: Int32, _ childPidfd: Int32, _ childPid: Int32) throws(DialError) {
        let number = trstctl_peer_pidfd(socket)
        if number >= 0 {
            let peer = OwnedDescriptor(number)
            var (peerStatus, childStatus) = (stat(), stat())
            guard fstat(peer.raw, &peerStatus) == 0, fstat(childPidfd, &childStatus) == 0 else {
                throw .system(.last("fstat of a pidfd"))
            }
            // Two pidfds of one process are one inode (pidfd_open(2), Linux 6.9 and later; before, every pidfd shares one
            // inode, which the process number below tells apart).
            guard peerStatus.st_dev == childStatus.st_dev, peerStatus.st_ino == childStatus.st_ino else {
                throw .foreignPeer(pid: peerNumber(socket))
            }
        }
        // The child is not reaped yet, so its number cannot belong to anybody else.
        guard peerNumber(socket) == childPid else { throw .foreignPeer(pid: peerNumber(socket)) }
    }

    private static func peerNumber(_ socket: Int32) -> pid_t {
        var (pid, uid, gid): (pid_t, uid_t, gid_t) = (0, 0, 0)
        return trstctl_peer_credentials(socket, &pid, &uid, &gid) == 0 ? pid : -1
    }
}

/// Why the announced socket was not used.
enum DialError: Error, Equatable {
    case notASocket
    /// It belongs to another user.
    case foreignSocket(uid: uid_t)
    /// Another process listens on it.
    case foreignPeer(pid: pid_t)
    case system(SystemError)
}
