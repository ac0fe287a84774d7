internal import CTrstctlSystem
internal import Glibc
internal import TrstctlSystem

/// The socket on which the host dials in.
struct Listener: ~Copyable {
    /// How long the host has to dial in, in milliseconds; it takes a few, and gives up after 10 s.
    static let patience: Int64 = 60_000

    private let socket: OwnedDescriptor
    private let path: [UInt8]

    /// Binds and listens.
    ///
    /// - Parameter path: at most `LaunchEnvironment.maximumSocketPath` bytes, without NUL.
    /// - Throws: `SystemError` with the call that failed and the path.
    init(path: [UInt8]) throws(SystemError) {
        let name = String(decoding: path, as: UTF8.self)
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = try retryingInterrupts("socket") { Glibc.socket(AF_UNIX, type, 0) }
        let socket = OwnedDescriptor(descriptor)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.prefix($0.count - 1)) }
        _ = try retryingInterrupts("bind", name) {
            withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    Glibc.bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
        }
        _ = try retryingInterrupts("listen", name) { Glibc.listen(descriptor, 1) }
        self.socket = socket
        self.path = path
    }

    /// Waits for the host and closes the listening socket.
    ///
    /// Connections of other users are closed. In a user namespace the host's number may not exist: the kernel then
    /// reports the overflow id, and the host's directory, which only it and this process can enter, has to do.
    ///
    /// - Parameter user: the only user to serve; nil serves the first connection.
    /// - Returns: the connected socket, in blocking mode.
    /// - Throws: `SystemError`, with `ETIMEDOUT` when nobody came.
    consuming func accept(only user: UInt32?) throws(SystemError) -> OwnedDescriptor {
        let deadline = Deadline.after(milliseconds: Listener.patience)
        let object = String(decoding: path, as: UTF8.self)
        while true {
            var ready = pollfd(fd: socket.raw, events: Int16(POLLIN), revents: 0)
            let count = try retryingInterrupts("poll", object) { poll(&ready, 1, deadline.pollTimeout) }
            guard count > 0 else {
                throw SystemError(stage: "waiting for the host at", object: object, errno: ETIMEDOUT)
            }
            let peer = OwnedDescriptor(try retryingInterrupts("accept", object) { trstctl_accept(socket.raw) })
            guard let user else { return peer }
            var (pid, uid, gid) = (pid_t(), uid_t(), gid_t())
            let result = trstctl_peer_credentials(peer.raw, &pid, &uid, &gid)
            if result == 0, Listener.serves(uid, user) { return peer }
        }
    }

    /// Whether a peer may be the host.
    static func serves(_ peer: UInt32, _ user: UInt32) -> Bool {
        let overflow: UInt32 = 65_534
        return peer == user || peer == overflow
    }
}
