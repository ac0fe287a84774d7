internal import CProtobufC
internal import Glibc
internal import TrstctlSystem

/// The memory of one message while it is packed: structs, pointers and copies of texts, freed together.
struct Arena: ~Copyable {
    private static let chunkSize = 2048
    private var chunks: [UnsafeMutableRawPointer] = []
    private var next: UnsafeMutableRawPointer
    private var left: Int

    init() {
        next = Arena.chunk(Arena.chunkSize)
        left = Arena.chunkSize
        chunks.append(next)
    }

    deinit {
        for chunk in chunks { free(chunk) }
    }

    private static func chunk(_ size: Int) -> UnsafeMutableRawPointer {
        guard let memory = malloc(size) else { fatalError("out of memory") }
        return memory
    }

    /// Memory aligned for any C type.
    private mutating func raw(_ size: Int) -> UnsafeMutableRawPointer {
        let rounded = (size + 15) & ~15
        if rounded > left {
            let size = max(rounded, Arena.chunkSize)
            next = Arena.chunk(size)
            left = size
            chunks.append(next)
        }
        defer {
            next += rounded
            left -= rounded
        }
        return next
    }

    mutating func allocate<T>(_ type: T.Type, count: Int = 1) -> UnsafeMutablePointer<T> {
        raw(max(1, count) * MemoryLayout<T>.stride).bindMemory(to: T.self, capacity: max(1, count))
    }

    /// Refers to the bytes where they are: they outlive the arena, because the message that is packed holds them.
    func bytes(_ value: Bytes) -> ProtobufCBinaryData {
        ProtobufCBinaryData(len: value.count, data: value.unsafeBase?.assumingMemoryBound(to: UInt8.self))
    }

    mutating func text(_ value: String) -> ProtobufCBinaryData {
        let utf8 = value.utf8
        let count = utf8.count
        guard count > 0 else { return ProtobufCBinaryData() }
        let copy = allocate(UInt8.self, count: count)
        _ = UnsafeMutableBufferPointer(start: copy, count: count).initialize(from: utf8)
        return ProtobufCBinaryData(len: count, data: copy)
    }

    mutating func message<Message: WireMessage>(_ value: Message) -> UnsafeMutablePointer<Message.C> {
        let c = allocate(Message.C.self)
        value.fill(c, &self)
        return c
    }

    mutating func array<Element, C>(
        _ values: [Element], _ element: (Element, inout Arena) -> C
    ) -> UnsafeMutablePointer<C>? {
        guard !values.isEmpty else { return nil }
        let array = allocate(C.self, count: values.count)
        for (index, value) in values.enumerated() { (array + index).initialize(to: element(value, &self)) }
        return array
    }
}
