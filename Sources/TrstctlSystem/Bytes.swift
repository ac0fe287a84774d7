import CTrstctlSystem
import Glibc

/// Immutable bytes at a stable address, shared without copying.
///
/// The stable address lets the wire code hand the content to protobuf-c, and take it over from there, without a copy.
/// Bytes created as secret are overwritten when the last reference goes away.
package struct Bytes: Sendable {
    private final class Storage: Sendable {
        nonisolated(unsafe) let base: UnsafeMutableRawPointer?
        let count: Int
        let isSecret: Bool

        init(base: UnsafeMutableRawPointer?, count: Int, isSecret: Bool) {
            self.base = base
            self.count = count
            self.isSecret = isSecret
        }

        deinit {
            if isSecret, let base { trstctl_wipe(base, count) }
            free(base)
        }
    }

    private static let none = Storage(base: nil, count: 0, isSecret: false)
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
        let base = malloc(source.count)
        guard let base else { fatalError("out of memory") }
        memcpy(base, from, source.count)
        self.init(Storage(base: base, count: source.count, isSecret: isSecret))
    }

    package init(_ array: [UInt8], isSecret: Bool = false) {
        self = array.withUnsafeBytes { Bytes(copying: $0, isSecret: isSecret) }
    }

    /// The UTF-8 bytes of a text.
    package init(_ text: String) {
        self.init(Array(text.utf8))
    }

    /// Takes over memory that malloc(3) returned; this value frees it.
    package init(adopting base: UnsafeMutableRawPointer, count: Int, isSecret: Bool = false) {
        self.init(Storage(base: base, count: count, isSecret: isSecret))
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
