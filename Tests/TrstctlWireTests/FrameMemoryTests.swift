import CTrstctlSystem
import Glibc
import Testing
import TrstctlSystem
import TrstctlWire

/// What a decoder leaves behind of bytes that may be a key: half a frame lies in its buffer until the rest arrives.
@Suite("The memory of frames")
final class FrameMemoryTests {
    private static let marker = Array("KEY-OF-THIS-TEST".utf8)
    private static let size = 131_072

    /// Taken before anything is freed, or else it would be what was freed.
    private let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)

    init() {
        // Freed memory stays where it is, so that it can be looked at.
        trstctl_tune_malloc()
    }

    deinit { copy.deallocate() }

    /// Whether the marker stands in a piece of this process's memory, whoever owns that by now.
    private func isMarked(_ base: UnsafeMutableRawPointer) throws -> Bool {
        // The kernel reads it: what is not mapped any more is an error then, and no crash.
        let file = OwnedDescriptor(trstctl_memfd_create("memory"))
        guard write(file.raw, base, Self.size) == Self.size else { return false }
        try #require(pread(file.raw, copy.baseAddress, Self.size, 0) == Self.size)
        return Self.holdsMarker(UnsafeRawBufferPointer(copy))
    }

    private static func holdsMarker(_ bytes: UnsafeRawBufferPointer) -> Bool {
        marker.withUnsafeBytes { $0.firstPlace(in: bytes, from: 0) != nil }
    }

    /// Fills a decoder's buffer with half a frame that has the marker in it.
    ///
    /// - Returns: where the buffer is.
    private static func fill(_ decoder: inout FrameDecoder) throws -> UnsafeMutableRawPointer {
        var base: UnsafeMutableRawPointer?
        _ = decoder.withFreeSpace { free in
            base = free.baseAddress
            free.copyBytes(from: [0, 0x20, 0, 0])
            UnsafeMutableRawBufferPointer(rebasing: free[60_000...]).copyBytes(from: marker)
            return free.count
        }
        return try #require(base)
    }

    @Test("Memory that is only freed can be seen to hold what it held")
    func control() throws {
        let base = try #require(malloc(Self.size))
        // What is the last of a heap that is empty otherwise goes back to the kernel with the heap.
        let behind = try #require(malloc(Self.size))
        defer { free(behind) }
        (base + 60_000).copyMemory(from: Self.marker, byteCount: Self.marker.count)
        free(base)
        #expect(try isMarked(base))
    }

    @Test("A buffer that grows is overwritten before it is given back")
    func grown() throws {
        var decoder = FrameDecoder(maximumFrameBytes: 4 << 20)
        let base = try Self.fill(&decoder)
        let next = try decoder.next()
        #expect(next == nil)
        #expect(try isMarked(base))
        _ = decoder.withFreeSpace { free in
            #expect(free.count > Self.size / 2)
            return 0
        }
        #expect(try !isMarked(base))
        let pending = decoder.pendingBytes
        #expect(pending == Self.size)
    }

    @Test("The buffer of a decoder that goes away is overwritten")
    func gone() throws {
        let base: UnsafeMutableRawPointer
        do {
            var decoder = FrameDecoder(maximumFrameBytes: 4 << 20)
            base = try Self.fill(&decoder)
            #expect(try isMarked(base))
        }
        #expect(try !isMarked(base))
    }

    @Test("What is moved to the front of the buffer is overwritten where it was")
    func moved() throws {
        var decoder = FrameDecoder(maximumFrameBytes: 4 << 20)
        // A frame that fills most of the buffer, and the beginning of one with the marker behind it.
        let payload = Bytes([UInt8](repeating: 0x5A, count: 126_950))
        let ping = Wire.Call(method: .ping(Wire.PingRequest(payload: payload)))
        let first = Wire.Frame(id: 1, kind: .call(ping)).encoded()
        let second = [0, 0x20, 0, 0] + Self.marker
        _ = decoder.withFreeSpace { free in
            first.withUnsafeBytes { free.copyMemory(from: $0) }
            UnsafeMutableRawBufferPointer(rebasing: free[first.count...]).copyBytes(from: second)
            return first.count + second.count
        }
        let bytes = try decoder.next()?.bytes
        #expect(bytes == first.count - 4)
        _ = decoder.withFreeSpace { free in
            // It begins behind what waits, in the same memory.
            #expect(free.count == Self.size - second.count)
            let isLeft = Self.holdsMarker(UnsafeRawBufferPointer(free))
            #expect(!isLeft)
            return 0
        }
    }
}
