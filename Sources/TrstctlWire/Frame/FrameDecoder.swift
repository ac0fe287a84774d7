internal import Glibc
internal import TrstctlSystem

/// Cuts a byte stream into frames, without ever allocating more than has arrived (times two).
///
/// A value without I/O: the caller reads into `withFreeSpace` and then takes frames until there is none.
package struct FrameDecoder: ~Copyable, Sendable {
    private static let initialCapacity = 131_072
    private static let prefix = 4

    /// The longest frame that is accepted, in bytes without the length.
    package var maximumFrameBytes: Int
    nonisolated(unsafe) private var base: UnsafeMutableRawPointer
    private var capacity: Int
    private var start = 0
    private var end = 0

    package init(maximumFrameBytes: Int) {
        self.maximumFrameBytes = maximumFrameBytes
        capacity = FrameDecoder.initialCapacity
        base = FrameDecoder.memory(capacity)
    }

    deinit {
        explicit_bzero(base, capacity)
        free(base)
    }

    private static func memory(_ count: Int) -> UnsafeMutableRawPointer {
        guard let memory = malloc(count) else { fatalError("out of memory") }
        return memory
    }

    /// How many bytes wait to become a frame.
    package var pendingBytes: Int { end - start }

    /// Lets the caller put bytes behind those that wait.
    ///
    /// - Parameter fill: gets at least 4 KiB of free memory and returns how many bytes of it are now filled; what it
    ///   returns is clamped to the free space.
    /// - Returns: what `fill` returned.
    package mutating func withFreeSpace(_ fill: (UnsafeMutableRawBufferPointer) -> Int) -> Int {
        makeSpace()
        let filled = fill(UnsafeMutableRawBufferPointer(start: base + end, count: capacity - end))
        end += max(0, min(filled, capacity - end))
        return filled
    }

    /// The next whole frame and the number of bytes it took, or nil when more bytes are needed.
    ///
    /// - Throws: `WireError`; after that the stream cannot be used any more.
    package mutating func next() throws(WireError) -> (frame: Wire.Frame, bytes: Int)? {
        guard end - start >= FrameDecoder.prefix else { return nil }
        let length = Int(UInt32(bigEndian: (base + start).loadUnaligned(as: UInt32.self)))
        guard length > 0 else { throw WireError(.frameEmpty, "a frame of length 0") }
        guard length <= maximumFrameBytes else {
            throw WireError(.frameTooLong, "a frame of \(length) bytes, where at most \(maximumFrameBytes) are allowed")
        }
        guard end - start - FrameDecoder.prefix >= length else { return nil }
        let message = UnsafeRawBufferPointer(start: base + start + FrameDecoder.prefix, count: length)
        let frame = try Wire.Frame(decoding: message)
        if frame.holdsKey { explicit_bzero(base + start, FrameDecoder.prefix + length) }
        start += FrameDecoder.prefix + length
        if start == end { (start, end) = (0, 0) }
        return (frame, length)
    }

    /// To be called when the stream has ended.
    ///
    /// - Throws: `frameTruncated` when it ended inside a frame.
    package func finish() throws(WireError) {
        guard start == end else {
            throw WireError(.frameTruncated, "the stream ended \(end - start) bytes into a frame")
        }
    }

    /// Moves what waits to the front, and doubles the memory when it is full: growth follows the bytes that arrived,
    /// not the length that was announced.
    private mutating func makeSpace() {
        guard capacity - end < 4096 else { return }
        let waiting = end - start
        if waiting + 4096 <= capacity / 2 {
            memmove(base, base + start, waiting)
            explicit_bzero(base + waiting, end - waiting)
        } else {
            let larger = FrameDecoder.memory(capacity * 2)
            memcpy(larger, base + start, waiting)
            explicit_bzero(base, end)
            free(base)
            base = larger
            capacity *= 2
        }
        (start, end) = (0, waiting)
    }
}

extension Wire.Frame {
    /// Whether it brings a connector the private key itself: then it must not stay in the buffer that it was read into.
    fileprivate var holdsKey: Bool {
        guard case .call(let call) = kind, case .apply(let request) = call.method else { return false }
        return request.deployment?.privateKey.isEmpty == false
    }
}
