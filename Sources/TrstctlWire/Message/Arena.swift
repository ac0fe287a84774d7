internal import CProtobufC
internal import Glibc
internal import TrstctlSystem

/// The memory of one message while it is packed: structs, pointers and copies of texts, freed together.
struct Arena: ~Copyable {
    private static let chunkSize = 2048
    /// What a chunk begins with: the address of the chunk before it.
    ///
    /// Keeps what follows aligned for any C type.
    private static let headerSize = 16
    private var last: UnsafeMutableRawPointer?
    private var next: UnsafeMutableRawPointer
    private var left: Int
    /// Whether one of the contents is secret, so that the packed message is.
    private(set) var holdsSecret = false

    init() {
        (last, next, left) = Arena.chunk(Arena.chunkSize, after: nil)
    }

    deinit {
        var chunk = last
        while let memory = chunk {
            chunk = memory.load(as: UnsafeMutableRawPointer?.self)
            free(memory)
        }
    }

    private static func chunk(
        _ size: Int, after before: UnsafeMutableRawPointer?
    ) -> (UnsafeMutableRawPointer, UnsafeMutableRawPointer, Int) {
        guard let memory = malloc(size + headerSize) else { fatalError("out of memory") }
        memory.storeBytes(of: before, as: UnsafeMutableRawPointer?.self)
        return (memory, memory + headerSize, size)
    }

    /// Memory aligned for any C type.
    private mutating func raw(_ size: Int) -> UnsafeMutableRawPointer {
        let rounded = (size + 15) & ~15
        if rounded > left {
            (last, next, left) = Arena.chunk(max(rounded, Arena.chunkSize), after: last)
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
    mutating func bytes(_ value: Bytes) -> ProtobufCBinaryData {
        if value.isSecret { holdsSecret = true }
        return ProtobufCBinaryData(len: value.count, data: value.unsafeBase?.assumingMemoryBound(to: UInt8.self))
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
