import Glibc
import TrstctlSystem

/// The frames that wait to be written, gathered into one system call at a time.
struct OutgoingQueue: Sendable {
    private var frames: [Bytes] = []
    private var first = 0
    /// How many bytes of the first frame are written.
    private var offset = 0
    private(set) var byteCount = 0

    /// What a frame takes of memory besides its bytes: its place in the queue, its object, and what malloc(3) adds twice.
    private static let frameWeight = 128

    /// How much memory the frames take, in bytes: a peer chooses how many short ones there are.
    var weight: Int { byteCount + (frames.count - first) * OutgoingQueue.frameWeight }

    var isEmpty: Bool { byteCount == 0 }

    mutating func append(_ frame: Bytes) {
        frames.append(frame)
        byteCount += frame.count
    }

    mutating func append(_ other: OutgoingQueue) {
        frames += other.frames[other.first...]
        byteCount += other.byteCount
    }

    mutating func removeAll() { self = OutgoingQueue() }

    /// Writes as much as the socket takes; never raises SIGPIPE, whatever the process does about that signal.
    ///
    /// - Returns: 0 when everything was written, otherwise the error number: EAGAIN when the peer must read first.
    mutating func write(to descriptor: Int32) -> Int32 {
        while !isEmpty {
            let count = frames.count - first == 1 ? sendOne(to: descriptor) : sendSeveral(to: descriptor)
            if count < 0 {
                guard errno == EINTR else { return errno }
                continue
            }
            advance(by: count)
        }
        return 0
    }

    /// Sends what is left of the first frame; the usual case, and cheaper for the kernel than a vector.
    private func sendOne(to descriptor: Int32) -> Int {
        frames[first].withUnsafeBytes { bytes in
            let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
            return send(descriptor, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
        }
    }

    private func sendSeveral(to descriptor: Int32) -> Int {
        var vectors: [iovec] = []
        vectors.reserveCapacity(min(32, frames.count - first))
        for index in first..<min(first + 32, frames.count) {
            let skip = index == first ? offset : 0
            vectors.append(
                iovec(iov_base: frames[index].unsafeBase.map { $0 + skip }, iov_len: frames[index].count - skip))
        }
        return withExtendedLifetime(frames) {
            vectors.withUnsafeMutableBufferPointer { vectors in
                var message = msghdr()
                message.msg_iov = vectors.baseAddress
                message.msg_iovlen = vectors.count
                return sendmsg(descriptor, &message, Int32(MSG_NOSIGNAL))
            }
        }
    }

    private mutating func advance(by count: Int) {
        byteCount -= count
        offset += count
        while first < frames.count, offset >= frames[first].count {
            offset -= frames[first].count
            frames[first] = Bytes()
            first += 1
        }
        if first == frames.count {
            frames.removeAll(keepingCapacity: true)
            first = 0
        } else if first > 64, first > frames.count / 2 {
            // Not more often: each time moves all that wait.
            frames.removeFirst(first)
            first = 0
        }
    }
}
