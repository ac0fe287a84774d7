internal import CProtobufC
internal import CTrstctlProtocol
internal import Glibc
package import TrstctlSystem

extension Wire.Frame {
    /// How much memory unpacking may use beyond the frame itself: tiny sub-messages unpack to structs many times their
    /// size, so this is bounded too.
    private static func unpackingBudget(_ count: Int) -> Int { 262_144 &+ count &* 6 }

    /// The frame as it goes on the wire: a 4-byte big-endian length, then the message.
    package func encoded() -> Bytes {
        var arena = Arena()
        let frame = arena.message(self)
        // An empty Cancel packs to nothing but its tag; a Frame is never empty because its id is never 0.
        let message = UnsafePointer(UnsafeMutableRawPointer(frame).assumingMemoryBound(to: ProtobufCMessage.self))
        let size = protobuf_c_message_get_packed_size(message)
        defer { withExtendedLifetime(self) {} }
        if arena.holdsSecret {
            let memory = SecretMemory(capacity: size + 4)
            Self.pack(message, size, into: memory.base)
            return Bytes(adopting: memory, count: size + 4)
        }
        guard let buffer = malloc(size + 4) else { fatalError("out of memory") }
        Self.pack(message, size, into: buffer)
        return Bytes(adopting: buffer, count: size + 4)
    }

    private static func pack(
        _ message: UnsafePointer<ProtobufCMessage>, _ size: Int, into buffer: UnsafeMutableRawPointer
    ) {
        buffer.storeBytes(of: UInt32(truncatingIfNeeded: size).bigEndian, as: UInt32.self)
        protobuf_c_message_pack(message, (buffer + 4).assumingMemoryBound(to: UInt8.self))
    }

    /// Decodes the message of one frame, without its length.
    ///
    /// - Throws: `WireError` with `invalidMessage` or `invalidText`.
    package init(decoding message: UnsafeRawBufferPointer) throws(WireError) {
        var budget = UnpackingBudget(left: Self.unpackingBudget(message.count))
        self = try withUnsafeMutablePointer(to: &budget) { budget throws(WireError) in
            try Self.unpack(message, budget)
        }
    }

    private static func unpack(
        _ message: UnsafeRawBufferPointer, _ budget: UnsafeMutablePointer<UnpackingBudget>
    ) throws(WireError) -> Wire.Frame {
        var allocator = ProtobufCAllocator(
            alloc: { data, size in
                guard let budget = data?.assumingMemoryBound(to: UnpackingBudget.self), size <= budget.pointee.left
                else { return nil }
                budget.pointee.left -= size
                return malloc(size)
            },
            free: { _, pointer in free(pointer) },
            allocator_data: UnsafeMutableRawPointer(budget))
        let bytes = message.bindMemory(to: UInt8.self)
        guard
            let frame = trstctl__plugin__v1__frame__unpack(&allocator, bytes.count, bytes.baseAddress)
        else {
            throw WireError(.invalidMessage, "\(message.count) bytes that are not a Frame message")
        }
        defer { trstctl__plugin__v1__frame__free_unpacked(frame, &allocator) }
        return try Wire.Frame(taking: frame)
    }
}

private struct UnpackingBudget {
    var left: Int
}
