import CTrstctlSystem
import Foundation
import Glibc
import Testing
import TrstctlSystem

/// K07: where key bytes are, and what becomes of the place.
@Suite("Memory for secrets", .serialized)
struct SecretMemoryTests {
    private struct Interrupted: Error {}

    private static func isZero(_ base: UnsafeMutableRawPointer, _ count: Int) -> Bool {
        UnsafeRawBufferPointer(start: base, count: count).allSatisfy { $0 == 0 }
    }

    /// The VmFlags of the mapping that holds the address (proc_pid_smaps(5)).
    private static func flags(_ base: UnsafeMutableRawPointer) throws -> Set<String> {
        let address = UInt(bitPattern: base)
        var isInside = false
        // A file of /proc has no size.
        let file = try #require(FileHandle(forReadingAtPath: "/proc/self/smaps"))
        for line in String(decoding: file.readDataToEndOfFile(), as: UTF8.self).split(separator: "\n") {
            let range = line.prefix { $0 != " " }.split(separator: "-").compactMap { UInt($0, radix: 16) }
            if range.count == 2 { isInside = range[0] <= address && address < range[1] }
            if isInside, line.hasPrefix("VmFlags:") {
                return Set(line.dropFirst(8).split(separator: " ").map(String.init))
            }
        }
        return []
    }

    @Test("It is locked, left out of core dumps, and empty in a forked child", arguments: [100, 5_000, 100_000])
    func flags(_ capacity: Int) throws {
        let memory = SecretMemory(capacity: capacity)
        #expect(memory.capacity >= capacity)
        #expect(try Self.flags(memory.base).isSuperset(of: SecretMemory.canLock ? ["lo", "dd", "wf"] : ["dd", "wf"]))
    }

    @Test("A piece is overwritten when its owner goes away", arguments: [1, 256, 257, 16_384])
    func wiped(_ capacity: Int) throws {
        let base: UnsafeMutableRawPointer
        let size: Int
        do {
            let memory = SecretMemory(capacity: capacity)
            (base, size) = (memory.base, memory.capacity)
            memset(base, 0x5A, size)
        }
        #expect(Self.isZero(base, size))
    }

    @Test("A piece is overwritten when an error is thrown on the way")
    func wipedOnError() throws {
        var base: UnsafeMutableRawPointer?
        func fill() throws {
            var buffer = WipedBuffer(capacity: 64, limit: 64)
            _ = try buffer.append { (free) throws(Interrupted) -> Int in
                base = free.baseAddress
                if let start = free.baseAddress { memset(start, 0x5A, free.count) }
                throw Interrupted()
            }
        }
        #expect(throws: Interrupted.self) { try fill() }
        #expect(Self.isZero(try #require(base), 64))
    }

    @Test("A buffer that grows overwrites the place that it leaves")
    func grown() throws {
        var buffer = WipedBuffer(capacity: 256, limit: 4_096)
        var base: UnsafeMutableRawPointer?
        _ = buffer.append { free in
            base = free.baseAddress
            if let start = free.baseAddress { memset(start, 0x5A, free.count) }
            return free.count
        }
        let isAppended = buffer.append(0x5A)
        #expect(isAppended)
        #expect(Self.isZero(try #require(base), 256))
        let isWhole = buffer.withUnsafeBytes { $0.count == 257 && $0.allSatisfy { $0 == 0x5A } }
        #expect(isWhole)
    }

    @Test("Secret bytes are in such memory and overwritten with the last reference; public ones are not")
    func bytes() throws {
        var secret: Bytes? = Bytes(Array("a secret of some length".utf8), isSecret: true)
        let base = try #require(secret?.unsafeBase)
        let other = secret
        #expect(try Self.flags(base).contains("dd"))
        secret = nil
        #expect(other?.text == "a secret of some length")
        func drop(_ bytes: consuming Bytes?) {}
        drop(other)
        let open = try #require(Bytes("public").unsafeBase)
        let flags = try Self.flags(open)
        #expect(!flags.isEmpty && !flags.contains("dd"))
    }

    @Test("What the limit does not allow to lock still works, and is counted")
    func beyondTheLimit() throws {
        let before = SecretMemory.usage
        // Twice the share that large pieces may lock.
        let memory = SecretMemory(capacity: 32 << 20)
        memset(memory.base, 1, 4_096)
        #expect(SecretMemory.usage.unlocked == before.unlocked + memory.capacity)
        #expect(SecretMemory.usage.mostUnlocked >= memory.capacity)
        let flags = try Self.flags(memory.base)
        #expect(flags.contains("dd") && !flags.contains("lo"))
        withExtendedLifetime(memory.capacity) {}
    }

    @Test("What OpenSSL frees, or moves elsewhere, is overwritten")
    func cryptography() throws {
        // The heap hands the same place out again, mostly: one that is a little larger than what was asked for it keeps with
        // those of that size. What it notes in a free place itself is in the first 32 bytes.
        func isClean(_ leave: (UnsafeMutableRawPointer) -> Void) throws -> Bool {
            var others: [UnsafeMutableRawPointer] = []
            defer { for other in others { free(other) } }
            while others.count < 1_000 {
                let bytes = try #require(trstctl_wiping_malloc(1_000, nil, 0))
                memset(bytes, 0x5A, 1_000)
                leave(bytes)
                let again = try #require(malloc(1_000))
                guard again == bytes else {
                    others.append(again)
                    continue
                }
                defer { free(again) }
                return UnsafeRawBufferPointer(start: again, count: 1_000).dropFirst(32).allSatisfy { $0 != 0x5A }
            }
            Issue.record("the heap never hands the same place out again")
            return false
        }
        #expect(try isClean { trstctl_wiping_free($0, nil, 0) })
        var moved: UnsafeMutableRawPointer?
        #expect(
            try isClean { bytes in
                if let moved { trstctl_wiping_free(moved, nil, 0) }
                moved = trstctl_wiping_realloc(bytes, 50_000, nil, 0)
            })
        let whole = try #require(moved)
        #expect(UnsafeRawBufferPointer(start: whole, count: 1_000).allSatisfy { $0 == 0x5A })
        trstctl_wiping_free(whole, nil, 0)
    }

    @Test("A thousand pieces at once are all different, and their memory is used again")
    func reuse() {
        func places() -> Set<UnsafeMutableRawPointer> {
            var all: [Bytes] = []
            for number in 0..<1_000 { all.append(Bytes([UInt8(truncatingIfNeeded: number)], isSecret: true)) }
            return Set(all.compactMap(\.unsafeBase))
        }
        let first = places()
        #expect(first.count == 1_000)
        let locked = SecretMemory.usage
        _ = places()
        #expect(SecretMemory.usage == locked)
    }
}
