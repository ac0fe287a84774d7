internal import Glibc
internal import TrstctlSystem
package import TrstctlWire

/// What a connector's end of the session came to.
package enum SessionEnd: Sendable, Equatable {
    /// The host closed the connection, or is gone.
    case hostGone
    /// The host asked for the end.
    case shutdown
    /// The host broke the protocol.
    case violation(WireError)
}

/// The bytes of the connection: whole frames in, whole frames out.
///
/// One thread at a time may receive, and one may send; the session sees to that.
final class Connection: @unchecked Sendable {
    enum Received {
        case frame(Wire.Frame, bytes: Int)
        /// The deadline passed, or nothing is there and nothing was to be waited for.
        case nothing
        case end(SessionEnd)
    }

    private let socket: OwnedDescriptor
    private var decoder: FrameDecoder

    init(socket: consuming OwnedDescriptor, limits: SessionLimits) {
        self.socket = socket
        decoder = FrameDecoder(maximumFrameBytes: limits.frameBytes)
    }

    /// The next frame.
    ///
    /// - Parameter deadline: how long to wait; one that has passed only looks.
    /// - Returns: a frame, nothing by the deadline, or the end of the session.
    func receive(until deadline: Deadline) -> Received {
        while true {
            do {
                if let next = try decoder.next() { return .frame(next.frame, bytes: next.bytes) }
            } catch {
                return .end(.violation(error))
            }
            if deadline != .never {
                var ready = pollfd(fd: socket.raw, events: Int16(POLLIN), revents: 0)
                let count = poll(&ready, 1, deadline.pollTimeout)
                if count == -1, errno == EINTR { continue }
                if count <= 0 { return .nothing }
            }
            let descriptor = socket.raw
            let count = decoder.withFreeSpace { space in
                var count = read(descriptor, space.baseAddress, space.count)
                while count == -1, errno == EINTR { count = read(descriptor, space.baseAddress, space.count) }
                return count
            }
            guard count > 0 else { return .end(ended(count)) }
        }
    }

    private func ended(_ count: Int) -> SessionEnd {
        guard count == 0 else { return .hostGone }
        do {
            try decoder.finish()
            return .hostGone
        } catch {
            return .violation(error)
        }
    }

    /// Sends all bytes.
    ///
    /// - Returns: false when the host is gone.
    func send(_ bytes: Bytes) -> Bool {
        bytes.withUnsafeBytes { buffer in
            var sent = 0
            while sent < buffer.count {
                guard let base = buffer.baseAddress else { return true }
                // MSG_NOSIGNAL: a host that is gone is an end of the session, not a signal.
                let count = Glibc.send(socket.raw, base + sent, buffer.count - sent, Int32(MSG_NOSIGNAL))
                if count == -1 {
                    guard errno == EINTR else { return false }
                } else {
                    sent += count
                }
            }
            return true
        }
    }
}
