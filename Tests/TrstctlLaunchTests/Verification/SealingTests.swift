import CTrstctlSystem
import Foundation
import Glibc
import Testing
import TrstctlSystem

/// The kernel refuses to seal while somebody holds a page, which reclaim and compaction do for moments.
@Suite("Sealing")
struct SealingTests {
    /// A memfd of which a pipe holds a page.
    private struct Held {
        let memory: Int32
        private let ends: [Int32]

        init() throws {
            memory = try retryingInterrupts("memfd_create") { trstctl_memfd_create("held") }
            let content = [UInt8](repeating: 1, count: 4_096)
            try #require(write(memory, content, content.count) == content.count)
            var ends: [Int32] = [-1, -1]
            try #require(pipe(&ends) == 0)
            self.ends = ends
            // The pipe gets the page itself, not a copy.
            var offset: off_t = 0
            try #require(sendfile(ends[1], memory, &offset, 4_096) == 4_096)
        }

        /// F_ADD_SEALS with F_SEAL_WRITE (fcntl(2), which Swift's Glibc lacks); it takes as long as the kernel's patience.
        func attempt() -> Int32 { fcntl(memory, 1024 + 9, 0x0008) == 0 ? 0 : errno }

        func release() {
            var taken = [UInt8](repeating: 0, count: 4_096)
            #expect(read(ends[0], &taken, taken.count) == 4_096)
        }

        func end() { for descriptor in ends + [memory] { close(descriptor) } }
    }

    @Test("A page that is held for a while is waited for, for longer than the kernel does")
    func held() throws {
        // Attempts at one file wait for each other; that at the other is the clock of this test.
        let (held, clock) = (try Held(), try Held())
        defer {
            held.end()
            clock.end()
        }
        let sealed = DispatchSemaphore(value: 0)
        nonisolated(unsafe) var result: Int32 = -1
        Thread.detachNewThread {
            result = trstctl_memfd_seal(held.memory)
            sealed.signal()
        }
        for _ in 0..<3 { #expect(clock.attempt() == EBUSY) }
        held.release()
        sealed.wait()
        #expect(result == 0)
    }
}
