import Dispatch
import Glibc
import Synchronization
import Testing

@testable import TrstctlLaunch

@Suite("Work of one origin")
struct WorkQueueTests {
    private final class Log: Sendable {
        private let state = Mutex<(begun: [Int], atOnce: Int, most: Int, threads: Set<UInt>)>(([], 0, 0, []))

        func begin(_ number: Int) {
            state.withLock { state in
                state.begun.append(number)
                state.atOnce += 1
                state.most = max(state.most, state.atOnce)
                state.threads.insert(UInt(pthread_self()))
            }
        }

        func end() { state.withLock { $0.atOnce -= 1 } }
        var begun: [Int] { state.withLock { $0.begun } }
        var most: Int { state.withLock { $0.most } }
        var threads: Int { state.withLock { $0.threads.count } }
    }

    @Test func `At most so much is done at the same time, and everything is done`() async {
        let (queue, log) = (WorkQueue(WorkerPool(maximumThreads: 16), atOnce: 3), Log())
        let full = DispatchSemaphore(value: 0)
        await withTaskGroup { group in
            for number in 0..<64 {
                group.addTask {
                    await withCheckedContinuation { continuation in
                        queue.submit {
                            log.begin(number)
                            // The first ones stay until all three places are taken.
                            if log.begun.count < 3 { full.wait() } else { full.signal() }
                            log.end()
                            continuation.resume()
                        }
                    }
                }
            }
        }
        #expect(log.most == 3)
        #expect(log.begun.sorted() == Array(0..<64))
    }

    @Test func `What waits is done in order, by the thread that is free`() async {
        let (queue, log) = (WorkQueue(WorkerPool(maximumThreads: 16), atOnce: 1), Log())
        let all = DispatchSemaphore(value: 0)
        queue.submit { all.wait() }
        await withCheckedContinuation { continuation in
            for number in 0..<100 {
                queue.submit {
                    log.begin(number)
                    if number == 99 { continuation.resume() }
                }
            }
            all.signal()
        }
        #expect(log.begun == Array(0..<100))
        #expect(log.threads == 1)
    }
}
