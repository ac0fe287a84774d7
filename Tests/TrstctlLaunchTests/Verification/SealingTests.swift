import CTrstctlSystem
import Foundation
import Glibc
import Testing
import TrstctlSystem

/// The kernel refuses to seal while somebody holds a page, which reclaim and compaction do for moments.
@Suite("Sealing")
struct SealingTests {
    @Test("A page that is held for a while is waited for, for longer than the kernel does")
    func held() throws {
        let memory = try retryingInterrupts("memfd_create") { trstctl_memfd_create("held") }
        defer { close(memory) }
        let content = [UInt8](repeating: 1, count: 4_096)
        try #require(write(memory, content, content.count) == content.count)
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        defer { for end in ends { close(end) } }
        // The pipe gets the page itself, not a copy.
        var offset: off_t = 0
        try #require(sendfile(ends[1], memory, &offset, 4_096) == 4_096)
        // One attempt takes the kernel's patience; it is the clock of this test.
        // F_ADD_SEALS and F_SEAL_WRITE (fcntl(2)), which Swift's Glibc lacks.
        func attempt() -> Int32 { fcntl(memory, 1024 + 9, 0x0008) == 0 ? 0 : errno }
        try #require(attempt() == EBUSY)
        let sealed = DispatchSemaphore(value: 0)
        nonisolated(unsafe) var result: Int32 = -1
        Thread.detachNewThread {
            result = trstctl_memfd_seal(memory)
            sealed.signal()
        }
        for _ in 0..<2 { #expect(attempt() == EBUSY) }
        var taken = [UInt8](repeating: 0, count: 4_096)
        #expect(read(ends[0], &taken, taken.count) == 4_096)
        sealed.wait()
        #expect(result == 0)
    }
}
