import CTrstctlSystem
import Glibc
import TrstctlPolicy
import TrstctlSystem

/// The effect of connecting to a Unix socket.
enum UnixSocket {
    /// Connects to exactly the socket that the rule names.
    ///
    /// The directory is the operator's text and may lead over links, as for files; the socket itself is not a link. It
    /// is opened first and dialled through its descriptor, so that what was looked at is what is connected to.
    ///
    /// - Parameters:
    ///   - ticket: for this socket.
    ///   - patience: a socket whose queue is full is tried until then.
    /// - Returns: a connected, non-blocking socket that nobody else will close.
    /// - Throws: `notFound`, `symbolicLink`, `notRegular` for what is no socket, `unreachable` when nobody listens.
    static func connect(_ ticket: SocketTicket, _ patience: Patience) throws(EffectError) -> Int32 {
        let opened = try open(ticket.path)
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let made = OwnedDescriptor(socket(AF_UNIX, kind, 0))
        guard made.raw >= 0 else { throw .file("cannot connect to", ticket.path, errno: errno) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array("/proc/self/fd/\(opened.raw)".utf8)) }
        while true {
            let result = withUnsafePointer(to: address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    Glibc.connect(made.raw, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            if result == 0 { return made.release() }
            switch errno {
            case EINTR: continue
            case EAGAIN: try pause(ticket.path, patience)
            case ECONNREFUSED:
                throw EffectError(
                    .unreachable, object: "unix:\(ticket.path)", "nobody listens on the socket \(ticket.path)",
                    fix: "start the service that it belongs to")
            default: throw .file("cannot connect to", ticket.path, errno: errno)
            }
        }
    }

    private static func open(_ path: AbsolutePath) throws(EffectError) -> OwnedDescriptor {
        guard let parent = path.parent, let name = path.components.last else {
            throw .file("cannot connect to", path, errno: EISDIR)
        }
        let flags = UInt64(TRSTCTL_O_PATH) | UInt64(O_CLOEXEC)
        let directory = OwnedDescriptor(
            parent.bytes.withCString {
                trstctl_openat2(AT_FDCWD, $0, flags | UInt64(O_DIRECTORY), 0, UInt64(TRSTCTL_RESOLVE_NO_MAGICLINKS))
            })
        guard directory.raw >= 0 else { throw .file("cannot connect to", path, errno: errno) }
        let socket = OwnedDescriptor(
            name.withCString {
                trstctl_openat2(
                    directory.raw, $0, flags | UInt64(O_NOFOLLOW), 0,
                    UInt64(TRSTCTL_RESOLVE_BENEATH | TRSTCTL_RESOLVE_NO_MAGICLINKS))
            })
        guard socket.raw >= 0 else { throw .file("cannot connect to", path, errno: errno) }
        var status = stat()
        guard fstat(socket.raw, &status) == 0 else { throw .file("cannot connect to", path, errno: errno) }
        switch status.st_mode & S_IFMT {
        case S_IFSOCK: return socket
        case S_IFLNK:
            throw EffectError(
                .symbolicLink, object: path.description, "\(path) is a symbolic link, and those are not followed",
                fix: "grant the socket that it leads to: readlink -f \(path)")
        default: throw EffectError(.notRegular, object: path.description, "\(path) is not a socket")
        }
    }

    private static func pause(_ path: AbsolutePath, _ patience: Patience) throws(EffectError) {
        var entry = pollfd(fd: patience.interruption.pollable, events: Int16(POLLIN), revents: 0)
        if poll(&entry, 1, min(10, max(0, patience.deadline.pollTimeout))) > 0 { throw .interrupted("unix:\(path)") }
        if patience.deadline.hasPassed {
            throw EffectError(.timedOut, object: "unix:\(path)", "the queue of the socket \(path) is full")
        }
    }
}
