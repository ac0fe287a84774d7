@preconcurrency internal import Glibc
internal import TrstctlSystem

/// The way to the host before there is a socket.
enum StandardStreams {
    /// Keeps stdout for the handshake line and points descriptor 1 to stderr, so that nothing a connector or a library
    /// prints can be taken for the handshake.
    ///
    /// - Returns: where to write the line. It stays open: a host may take its end for the process's end.
    static func takeOver() throws(SystemError) -> OwnedDescriptor {
        let line = OwnedDescriptor(try retryingInterrupts("fcntl", "stdout") { fcntl(1, F_DUPFD_CLOEXEC, 3) })
        _ = try retryingInterrupts("dup2", "stderr") { dup2(2, 1) }
        setvbuf(stdout, nil, _IOLBF, 0)
        return line
    }

    /// Writes all bytes to a descriptor.
    static func write(_ bytes: [UInt8], to descriptor: Int32) throws(SystemError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = try retryingInterrupts("write") {
                rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            }
            rest = rest.dropFirst(count)
        }
    }

    /// A message for people, on stderr.
    static func complain(_ message: String) {
        try? write(Array((message + "\n").utf8), to: 2)
    }
}
