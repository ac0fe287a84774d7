import CTrstctlSystem
import Glibc

/// Secret content under construction: bounded, in `SecretMemory`, and overwritten on every way out, growing included.
package struct WipedBuffer: ~Copyable {
    private var memory: SecretMemory
    private var capacity: Int
    /// How many bytes it holds.
    package private(set) var count = 0
    private let limit: Int

    /// Reserves memory.
    ///
    /// - Parameters:
    ///   - capacity: bytes to begin with, clamped to 1…`limit`.
    ///   - limit: the most bytes it will ever hold, at least 1.
    package init(capacity: Int, limit: Int) {
        self.limit = max(1, limit)
        self.capacity = min(max(1, capacity), self.limit)
        memory = SecretMemory(capacity: self.capacity)
    }

    /// Lets `fill` write into the free part, which is grown when it is empty.
    ///
    /// Returns what `fill` returned, the number of bytes it wrote; nil when the limit is reached, without calling it.
    package mutating func append<Failure: Error>(
        _ fill: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
    ) throws(Failure) -> Int? {
        if count == capacity, !grow() { return nil }
        let free = UnsafeMutableRawBufferPointer(start: memory.base + count, count: capacity - count)
        let written = min(max(0, try fill(free)), free.count)
        count += written
        return written
    }

    /// Appends the bytes; false when they do not fit, then none is appended.
    package mutating func append(_ bytes: Bytes) -> Bool {
        bytes.withUnsafeBytes { append(copying: $0) }
    }

    /// Appends the bytes; false when they do not fit, then none is appended.
    package mutating func append(copying source: UnsafeRawBufferPointer) -> Bool {
        guard source.count <= limit - count else { return false }
        while capacity - count < source.count {
            guard grow() else { return false }
        }
        if let from = source.baseAddress { memcpy(memory.base + count, from, source.count) }
        count += source.count
        return true
    }

    /// Appends one byte; false when it does not fit.
    package mutating func append(_ byte: UInt8) -> Bool {
        if count == capacity, !grow() { return false }
        memory.base.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
        count += 1
        return true
    }

    /// Forgets what it holds and lets `fill` write from the beginning; returns how many bytes it wrote.
    package mutating func refill<Failure: Error>(
        _ fill: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
    ) throws(Failure) -> Int {
        count = 0
        return try append(fill) ?? 0
    }

    /// Forgets the last bytes, at most as many as there are.
    package mutating func removeLast(_ bytes: Int) {
        count -= min(max(0, bytes), count)
    }

    /// The bytes so far.
    package borrowing func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        body(UnsafeRawBufferPointer(start: memory.base, count: count))
    }

    private mutating func grow() -> Bool {
        guard capacity < limit else { return false }
        let larger = min(limit, capacity > limit / 2 ? limit : capacity * 2)
        if larger > memory.capacity {
            let next = SecretMemory(capacity: larger)
            memcpy(next.base, memory.base, count)
            memory = next
        }
        capacity = larger
        return true
    }

    /// Gives the memory away as a value.
    ///
    /// - Parameter isSecret: what the value says of itself; the memory is of the same kind either way.
    /// - Returns: the bytes so far.
    package consuming func bytes(isSecret: Bool = true) -> Bytes {
        let filled = count
        return Bytes(adopting: memory, count: filled, isSecret: isSecret)
    }
}
