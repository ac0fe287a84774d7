import Glibc
import TrstctlSystem

/// A non-blocking TCP connection whose every wait ends at a deadline.
struct ProbeSocket: ~Copyable {
    private let descriptor: OwnedDescriptor
    private let address: String
    private let deadline: Deadline
    private let interruption: Interruption?

    /// Connects.
    ///
    /// - Parameters:
    ///   - peer: where to.
    ///   - connected: when to give up connecting.
    ///   - deadline: for sending and receiving.
    ///   - interruption: ends every wait early.
    /// - Returns: a connection that is established.
    /// - Throws: `ProbeError` of stage `connect`.
    static func connect(
        to peer: PeerAddress, connected: Deadline, deadline: Deadline, _ interruption: Interruption? = nil
    ) throws(ProbeError) -> ProbeSocket {
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let number = socket(peer.isIPv6 ? AF_INET6 : AF_INET, kind, 0)
        let text = peer.text
        guard number >= 0 else {
            throw ProbeError(.local, .connect, text, SystemError.last("socket").description)
        }
        let made = ProbeSocket(
            descriptor: OwnedDescriptor(number), address: text, deadline: deadline,
            interruption: interruption)
        guard peer.withSocketAddress({ Glibc.connect(number, $0, $1) }) != 0 else { return made }
        var failure = errno
        // An interrupted connect goes on by itself, as one that is in progress does (connect(2)).
        if failure == EINPROGRESS || failure == EINTR {
            try ProbeSocket.wait(number, POLLOUT, .connect, text, connected, interruption)
            var count = socklen_t(MemoryLayout<Int32>.size)
            guard getsockopt(number, SOL_SOCKET, SO_ERROR, &failure, &count) == 0 else {
                throw ProbeError(.local, .connect, text, SystemError.last("getsockopt(SO_ERROR)").description)
            }
        }
        guard failure == 0 else { throw ProbeSocket.explain(failure, "connect", .connect, text) }
        return made
    }

    /// Reads what has arrived, at least one byte; 0 when the peer closed its side.
    borrowing func receive(into buffer: inout [UInt8]) throws(ProbeError) -> Int {
        while true {
            let got = recv(descriptor.raw, &buffer, buffer.count, 0)
            if got >= 0 { return got }
            let failure = errno
            if failure == EINTR { continue }
            guard failure == EAGAIN else { throw ProbeSocket.explain(failure, "recv", .handshake, address) }
            try ProbeSocket.wait(descriptor.raw, POLLIN, .handshake, address, deadline, interruption)
        }
    }

    /// Sends everything.
    ///
    /// MSG_NOSIGNAL: a peer that went away is an error here, not a SIGPIPE.
    borrowing func send(_ bytes: UnsafeRawBufferPointer) throws(ProbeError) {
        var rest = bytes
        while !rest.isEmpty {
            let sent = Glibc.send(descriptor.raw, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
            if sent >= 0 {
                rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(sent))
                continue
            }
            let failure = errno
            if failure == EINTR { continue }
            guard failure == EAGAIN else { throw ProbeSocket.explain(failure, "send", .handshake, address) }
            try ProbeSocket.wait(descriptor.raw, POLLOUT, .handshake, address, deadline, interruption)
        }
    }

    /// Sends what fits, for a farewell that nobody waits for.
    borrowing func offer(_ bytes: UnsafeRawBufferPointer) {
        _ = Glibc.send(descriptor.raw, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// Gives the connection away; it stays non-blocking.
    consuming func release() -> Int32 { descriptor.release() }

    private static func wait(
        _ number: Int32, _ events: Int32, _ stage: ProbeError.Stage, _ address: String, _ deadline: Deadline,
        _ interruption: Interruption?
    ) throws(ProbeError) {
        while true {
            guard !deadline.hasPassed else {
                throw ProbeError(.timedOut, stage, address, "no answer before the deadline")
            }
            var entries = [
                pollfd(fd: number, events: Int16(events), revents: 0),
                pollfd(fd: interruption?.pollable ?? -1, events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&entries, 2, deadline.pollTimeout) > 0 else { continue }
            guard entries[1].revents == 0 else {
                throw ProbeError(.timedOut, stage, address, "the call that wanted to know is over")
            }
            return
        }
    }

    private static func explain(
        _ number: Int32, _ call: String, _ stage: ProbeError.Stage, _ address: String
    ) -> ProbeError {
        let error = SystemError(stage: call, errno: number)
        let code: ProbeError.Code =
            switch number {
            case ECONNREFUSED: .refused
            case ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL, EACCES, EPERM: .unreachable
            case ETIMEDOUT: .timedOut
            case ECONNRESET, EPIPE: .closed
            default: .local
            }
        // Texts about it begin with the stage.
        return ProbeError(code, stage, address, call == stage.rawValue ? error.reason : error.description)
    }
}
