import CTrstctlSystem
import Glibc

/// Immutable bytes at a stable address, shared without copying.
///
/// The stable address lets the wire code hand the content to protobuf-c, and take it over from there, without a copy.
/// Bytes created as secret are in `SecretMemory`: out of swap and core dumps, overwritten when the last reference goes
/// away.
package struct Bytes: Sendable {
    private final class Storage: Sendable {
        nonisolated(unsafe) let base: UnsafeMutableRawPointer?
        let count: Int
        let isSecret: Bool
        /// Owns what `base` points to; without it malloc(3) does.
        private let memory: SecretMemory?
        private let isHeap: Bool

        init(base: UnsafeMutableRawPointer?, count: Int) {
            self.base = base
            self.count = count
            isSecret = false
            memory = nil
            isHeap = true
        }

        init(_ memory: consuming SecretMemory, count: Int, isSecret: Bool) {
            base = memory.base
            self.count = count
            self.isSecret = isSecret
            self.memory = consume memory
            isHeap = false
        }

        deinit {
            if isHeap { free(base) }
        }
    }

    private static let none = Storage(base: nil, count: 0)
    private let storage: Storage

    private init(_ storage: Storage) {
        self.storage = storage
    }

    /// No bytes.
    package init() {
        self.init(Bytes.none)
    }

    /// Copies the bytes.
    package init(copying source: UnsafeRawBufferPointer, isSecret: Bool = false) {
        guard let from = source.baseAddress, source.count > 0 else {
            self.init()
            return
        }
        if isSecret {
            let memory = SecretMemory(capacity: source.count)
            memcpy(memory.base, from, source.count)
            self.init(Storage(memory, count: source.count, isSecret: true))
            return
        }
        guard let base = malloc(source.count) else { fatalError("out of memory") }
        memcpy(base, from, source.count)
        self.init(Storage(base: base, count: source.count))
    }

    package init(_ array: [UInt8], isSecret: Bool = false) {
        self = array.withUnsafeBytes { Bytes(copying: $0, isSecret: isSecret) }
    }

    /// The UTF-8 bytes of a text.
    package init(_ text: String) {
        var text = text
        self = text.withUTF8 { Bytes(copying: UnsafeRawBufferPointer($0)) }
    }

    /// Takes over memory that malloc(3) returned; this value frees it.
    package init(adopting base: UnsafeMutableRawPointer, count: Int) {
        self.init(Storage(base: base, count: count))
    }

    /// Takes over memory for secrets.
    ///
    /// - Parameters:
    ///   - memory: whose first bytes these are.
    ///   - count: 0 to the memory's capacity.
    ///   - isSecret: false for content that turned out to be public.
    package init(adopting memory: consuming SecretMemory, count: Int, isSecret: Bool = true) {
        guard count > 0 else {
            self.init()
            return
        }
        self.init(Storage(memory, count: min(count, memory.capacity), isSecret: isSecret))
    }

    package var count: Int { storage.count }
    package var isEmpty: Bool { storage.count == 0 }
    package var isSecret: Bool { storage.isSecret }

    /// A copy as an array.
    package var array: [UInt8] { withUnsafeBytes { Array($0) } }

    /// The text, or nil when the bytes are not UTF-8.
    package var text: String? { withUnsafeBytes { String(validating: $0, as: UTF8.self) } }

    package func withUnsafeBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        defer { withExtendedLifetime(storage) {} }
        return try body(UnsafeRawBufferPointer(start: storage.base, count: storage.count))
    }

    /// The address of the first byte, valid only while this value is kept alive (`withExtendedLifetime`).
    package var unsafeBase: UnsafeMutableRawPointer? { storage.base }
}

extension Bytes: Hashable {
    package static func == (left: Bytes, right: Bytes) -> Bool {
        left.count == right.count
            && left.withUnsafeBytes { a in
                right.withUnsafeBytes { b in
                    guard let a = a.baseAddress, let b = b.baseAddress else { return true }
                    return memcmp(a, b, left.count) == 0
                }
            }
    }

    package func hash(into hasher: inout Hasher) {
        withUnsafeBytes { hasher.combine(bytes: $0) }
    }
}

extension Bytes: ExpressibleByArrayLiteral, ExpressibleByStringLiteral {
    package init(arrayLiteral elements: UInt8...) { self.init(elements) }
    package init(stringLiteral value: String) { self.init(value) }
}

extension Bytes {
    /// The bytes followed by a NUL, for a system call; a NUL among them would end the text there.
    package func withCString<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: count + 1) { text in
            guard let base = text.baseAddress else { fatalError("room for a character has an address") }
            withUnsafeBytes { bytes in
                if let from = bytes.baseAddress { memcpy(base, from, bytes.count) }
            }
            base[count] = 0
            return body(base)
        }
    }
}

extension Bytes {
    /// Whether the other bytes occur in these; no bytes occur everywhere.
    package func holds(_ other: Bytes) -> Bool {
        withUnsafeBytes { bytes in
            other.withUnsafeBytes { part in
                part.isEmpty || part.firstPlace(in: bytes, from: 0) != nil
            }
        }
    }
}

extension UnsafeRawBufferPointer {
    /// Where these bytes, at least one, occur next in others.
    ///
    /// - Parameters:
    ///   - bytes: where to look.
    ///   - offset: where to begin, from 0; behind the end nothing occurs.
    /// - Returns: the offset of the first of them; nil when they do not occur.
    package func firstPlace(in bytes: UnsafeRawBufferPointer, from offset: Int) -> Int? {
        guard let part = baseAddress, let start = bytes.baseAddress, offset >= 0, offset < bytes.count,
            let found = trstctl_place(start + offset, bytes.count - offset, part, count)
        else { return nil }
        return found - start
    }
}
