import Foundation
import Synchronization
import Testing
import TrstctlSystem

@testable import TrstctlBroker

@Suite("Directories that many make durable at the same time")
struct SharedSynchronisationTests {
    private static let directory = DirectoryIdentity(device: 1, inode: 1)

    /// Counts, and holds the first one up until it may go on.
    private final class Disk: Sendable {
        let count = Atomic<Int>(0)
        let failing = Atomic<Bool>(false)
        let began = DispatchSemaphore(value: 0)
        let mayEnd = DispatchSemaphore(value: 0)

        func synchronise() -> Int32 {
            if count.add(1, ordering: .relaxed).newValue == 1 {
                began.signal()
                mayEnd.wait()
            }
            guard failing.load(ordering: .relaxed) else { return 0 }
            errno = EIO
            return -1
        }
    }

    @Test("whoever comes while one runs shares the next one, and is not satisfied with the one that runs")
    func sharing() {
        let disk = Disk()
        let shared = SharedSynchronisation { _ in disk.synchronise() }
        let done = DispatchSemaphore(value: 0)
        for number in 0..<6 {
            Thread.detachNewThread {
                try? shared.synchronise(SharedSynchronisationTests.directory, 0)
                done.signal()
            }
            if number == 0 { disk.began.wait() }
        }
        while shared.asked(SharedSynchronisationTests.directory) < 6 { sched_yield() }
        disk.mayEnd.signal()
        for _ in 0..<6 { done.wait() }
        #expect(disk.count.load(ordering: .relaxed) == 2)
    }

    @Test("a failure is told to whoever's it was, and nobody else counts as done by it")
    func failure() throws {
        let disk = Disk()
        disk.mayEnd.signal()
        disk.failing.store(true, ordering: .relaxed)
        let shared = SharedSynchronisation { _ in disk.synchronise() }
        #expect(throws: SystemError.self) { try shared.synchronise(SharedSynchronisationTests.directory, 0) }
        disk.failing.store(false, ordering: .relaxed)
        try shared.synchronise(SharedSynchronisationTests.directory, 0)
        #expect(disk.count.load(ordering: .relaxed) == 2)
    }

    @Test("different directories do not share")
    func different() throws {
        let disk = Disk()
        disk.mayEnd.signal()
        let shared = SharedSynchronisation { _ in disk.synchronise() }
        try shared.synchronise(DirectoryIdentity(device: 1, inode: 1), 0)
        try shared.synchronise(DirectoryIdentity(device: 2, inode: 1), 0)
        try shared.synchronise(DirectoryIdentity(device: 1, inode: 2), 0)
        #expect(disk.count.load(ordering: .relaxed) == 3)
    }
}
