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

    @Test("changes that come while one runs share the next one, and are not satisfied with the one that runs")
    func sharing() throws {
        let (disk, directory) = (Disk(), SharedSynchronisationTests.directory)
        let shared = SharedSynchronisation { _ in disk.synchronise() }
        let done = DispatchSemaphore(value: 0)
        func change() {
            let number = shared.noteChange(directory)
            Thread.detachNewThread {
                try? shared.synchronise(directory, upTo: number, 0)
                done.signal()
            }
        }
        change()
        disk.began.wait()
        for _ in 0..<5 { change() }
        disk.mayEnd.signal()
        for _ in 0..<6 { done.wait() }
        #expect(disk.count.load(ordering: .relaxed) == 2)
    }

    @Test("a change that somebody else's came after needs none of its own")
    func covered() throws {
        let (disk, directory) = (Disk(), SharedSynchronisationTests.directory)
        disk.mayEnd.signal()
        let shared = SharedSynchronisation { _ in disk.synchronise() }
        let (first, second) = (shared.noteChange(directory), shared.noteChange(directory))
        try shared.synchronise(directory, upTo: second, 0)
        try shared.synchronise(directory, upTo: first, 0)
        #expect(disk.count.load(ordering: .relaxed) == 1)
        try shared.synchronise(directory, upTo: shared.noteChange(directory), 0)
        #expect(disk.count.load(ordering: .relaxed) == 2)
    }

    @Test("a failure is told to whoever's it was, and nobody else counts as done by it")
    func failure() throws {
        let disk = Disk()
        disk.mayEnd.signal()
        disk.failing.store(true, ordering: .relaxed)
        let shared = SharedSynchronisation { _ in disk.synchronise() }
        let directory = SharedSynchronisationTests.directory
        let number = shared.noteChange(directory)
        #expect(throws: SystemError.self) { try shared.synchronise(directory, upTo: number, 0) }
        disk.failing.store(false, ordering: .relaxed)
        try shared.synchronise(directory, upTo: number, 0)
        #expect(disk.count.load(ordering: .relaxed) == 2)
    }

    @Test("what a failed one was to make durable is not made so by the success of a later one")
    func failureStays() throws {
        let (disk, directory) = (Disk(), SharedSynchronisationTests.directory)
        disk.mayEnd.signal()
        disk.failing.store(true, ordering: .relaxed)
        let shared = SharedSynchronisation { _ in disk.synchronise() }
        let (lost, other) = (shared.noteChange(directory), shared.noteChange(directory))
        #expect(throws: SystemError.self) { try shared.synchronise(directory, upTo: other, 0) }
        disk.failing.store(false, ordering: .relaxed)
        let later = shared.noteChange(directory)
        try shared.synchronise(directory, upTo: later, 0)
        #expect(disk.count.load(ordering: .relaxed) == 2)
        // The descriptor of this one has not heard of the error yet.
        disk.failing.store(true, ordering: .relaxed)
        #expect(throws: SystemError.self) { try shared.synchronise(directory, upTo: lost, 0) }
        #expect(disk.count.load(ordering: .relaxed) == 3)
    }

    @Test("nor is what was changed while the one that failed was under way")
    func failureMeanwhile() throws {
        let (disk, directory) = (Disk(), SharedSynchronisationTests.directory)
        let shared = SharedSynchronisation { _ in disk.synchronise() }
        let first = shared.noteChange(directory)
        let failed = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            #expect(throws: SystemError.self) { try shared.synchronise(directory, upTo: first, 0) }
            failed.signal()
        }
        disk.began.wait()
        // The kernel may try to write this one too, before the fsync(2) that is under way fails.
        let lost = shared.noteChange(directory)
        disk.failing.store(true, ordering: .relaxed)
        disk.mayEnd.signal()
        failed.wait()
        // A descriptor that was opened after that hears of no error.
        disk.failing.store(false, ordering: .relaxed)
        try shared.synchronise(directory, upTo: shared.noteChange(directory), 0)
        disk.failing.store(true, ordering: .relaxed)
        #expect(throws: SystemError.self) { try shared.synchronise(directory, upTo: lost, 0) }
    }

    @Test("different directories do not share")
    func different() throws {
        let disk = Disk()
        disk.mayEnd.signal()
        let shared = SharedSynchronisation { _ in disk.synchronise() }
        for (device, inode) in [(1, 1), (2, 1), (1, 2)] as [(dev_t, ino_t)] {
            let directory = DirectoryIdentity(device: device, inode: inode)
            try shared.synchronise(directory, upTo: shared.noteChange(directory), 0)
        }
        #expect(disk.count.load(ordering: .relaxed) == 3)
    }
}
