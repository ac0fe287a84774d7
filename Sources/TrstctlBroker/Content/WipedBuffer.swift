import CTrstctlSystem
import Glibc
import TrstctlSystem

/// Memory for content under construction: bounded, and overwritten on every way out, growing included.
struct WipedBuffer: ~Copyable {
    private var base: UnsafeMutableRawPointer?
    private var capacity: Int
    private(set) var count = 0
    private let limit: Int

    /// Reserves memory.
    ///
    /// - Parameters:
    ///   - capacity: bytes to begin with, clamped to 1…`limit`.
    ///   - limit: the most bytes it will ever hold, at least 1.
    init(capacity: Int, limit: Int) {
        self.limit = max(1, limit)
        self.capacity = min(max(1, capacity), self.limit)
        base = malloc(self.capacity)
        if base == nil { fatalError("out of memory") }
    }

    deinit {
        if let base { trstctl_wipe(base, capacity) }
        free(base)
    }

    /// Lets `fill` write into the free part, which is grown when it is empty.
    ///
    /// Returns what `fill` returned, the number of bytes it wrote; nil when the limit is reached, without calling it.
    mutating func append<Failure: Error>(
        _ fill: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
    ) throws(Failure) -> Int? {
        if count == capacity, !grow() { return nil }
        guard let base else { return nil }
        let free = UnsafeMutableRawBufferPointer(start: base + count, count: capacity - count)
        let written = min(max(0, try fill(free)), free.count)
        count += written
        return written
    }

    /// Appends the bytes; false when they do not fit, then none is appended.
    mutating func append(_ bytes: Bytes) -> Bool {
        guard bytes.count <= limit - count else { return false }
        while capacity - count < bytes.count {
            guard grow() else { return false }
        }
        bytes.withUnsafeBytes { source in
            if let from = source.baseAddress, let base { memcpy(base + count, from, source.count) }
        }
        count += bytes.count
        return true
    }

    /// Forgets what it holds and lets `fill` write from the beginning; returns how many bytes it wrote.
    mutating func refill<Failure: Error>(
        _ fill: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
    ) throws(Failure) -> Int {
        count = 0
        return try append(fill) ?? 0
    }

    /// The bytes so far.
    borrowing func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        body(UnsafeRawBufferPointer(start: base, count: count))
    }

    private mutating func grow() -> Bool {
        guard capacity < limit else { return false }
        let larger = min(limit, capacity > limit / 2 ? limit : capacity * 2)
        guard let next = malloc(larger) else { fatalError("out of memory") }
        if let base {
            memcpy(next, base, count)
            trstctl_wipe(base, capacity)
        }
        free(base)
        base = next
        capacity = larger
        return true
    }

    /// Gives the memory away as a value.
    consuming func bytes(isSecret: Bool) -> Bytes {
        let taken = base
        let filled = count
        base = nil
        guard let taken else { return Bytes() }
        guard filled > 0 else {
            free(taken)
            return Bytes()
        }
        return Bytes(adopting: taken, count: filled, isSecret: isSecret)
    }
}
