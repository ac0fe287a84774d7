import Foundation
import Synchronization
import Testing
import TrstctlSystem

@testable import TrstctlBroker

@Suite("Group commit")
struct GroupCommitTests {
    /// Positions that are handed out, and up to where everything is durable.
    private final class Disk: Sendable {
        let last = Atomic<UInt64>(0)
        let durable = Atomic<UInt64>(0)
        let isFailing = Atomic<Bool>(false)
        let turns = Atomic<Int>(0)
        /// Who was let go too early, or with a failure.
        let early = Atomic<Int>(0)
        let failed = Atomic<Int>(0)

        func next() -> UInt64 { last.add(1, ordering: .sequentiallyConsistent).newValue }
        func end() -> UInt64 { last.load(ordering: .sequentiallyConsistent) }

        func synchronise() throws(SystemError) {
            let all = end()
            let turn = turns.add(1, ordering: .relaxed).newValue
            sched_yield()
            guard !isFailing.load(ordering: .relaxed), turn % 7 != 0 else {
                throw SystemError(stage: "fsync", errno: EIO)
            }
            _ = durable.max(all, ordering: .sequentiallyConsistent)
        }
    }

    /// Waits until so many are done.
    private static func all(_ count: Int, _ done: DispatchSemaphore) -> Bool {
        for _ in 0..<count where done.wait(timeout: .now() + 30) != .success {
            Issue.record("somebody sleeps for ever")
            return false
        }
        return true
    }

    @Test("nobody is let go too early, and nobody sleeps for ever, whenever they come and whatever fails")
    func many() {
        let (disk, commit) = (Disk(), GroupCommit())
        let done = DispatchSemaphore(value: 0)
        for thread in 0..<12 {
            Thread.detachNewThread {
                for round in 0..<500 {
                    let position = disk.next()
                    // Some look late, as after a round trip, and find it done by others.
                    if (thread + round) % 3 == 0 { sched_yield() }
                    while true {
                        do throws(SystemError) {
                            try commit.wait(upTo: position, of: { disk.end() }) { () throws(SystemError) in
                                try disk.synchronise()
                            }
                            break
                        } catch {
                            continue
                        }
                    }
                    if disk.durable.load(ordering: .sequentiallyConsistent) < position {
                        disk.early.add(1, ordering: .relaxed)
                    }
                }
                done.signal()
            }
        }
        guard GroupCommitTests.all(12, done) else { return }
        #expect(disk.early.load(ordering: .relaxed) == 0)
    }

    @Test("where the end cannot be told, everybody who waits hears of it")
    func failing() {
        let (disk, commit) = (Disk(), GroupCommit())
        let (began, mayEnd) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let done = DispatchSemaphore(value: 0)
        let position = disk.next()
        for number in 0..<4 {
            Thread.detachNewThread {
                do throws(SystemError) {
                    try commit.wait(upTo: number == 0 ? position : disk.next()) { () throws(SystemError) in
                        guard !disk.isFailing.load(ordering: .relaxed) else {
                            throw SystemError(stage: "fdatasync", errno: EIO)
                        }
                        return disk.end()
                    } _: { () throws(SystemError) in
                        disk.isFailing.store(true, ordering: .relaxed)
                        began.signal()
                        mayEnd.wait()
                        throw SystemError(stage: "fdatasync", errno: EIO)
                    }
                } catch {
                    disk.failed.add(1, ordering: .relaxed)
                }
                done.signal()
            }
            if number == 0 { began.wait() }
        }
        while disk.end() < 4 { sched_yield() }
        mayEnd.signal()
        guard GroupCommitTests.all(4, done) else { return }
        #expect(disk.failed.load(ordering: .relaxed) == 4)
    }
}
