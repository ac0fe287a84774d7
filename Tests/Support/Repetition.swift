import Foundation
import Synchronization

/// Something that is done again and again, on a thread of its own, until it is stopped: an attacker, mostly.
package final class Repetition: Sendable {
    private let isStopped = Mutex(false)
    private let rounds = Mutex(0)
    private let ended = DispatchSemaphore(value: 0)

    /// Begins at once.
    ///
    /// - Parameter body: gets the number of the round, from 1; what it throws counts as a round that failed.
    package init(_ body: @Sendable @escaping (Int) throws -> Void) {
        Thread.detachNewThread { [self] in
            var round = 0
            while !isStopped.withLock({ $0 }) {
                round += 1
                if (try? body(round)) != nil { rounds.withLock { $0 += 1 } }
            }
            ended.signal()
        }
    }

    /// How often it was done so far.
    package var count: Int { rounds.withLock { $0 } }

    /// Waits for the round that is under way.
    ///
    /// - Returns: how often it was done without an error.
    @discardableResult
    package func stop() -> Int {
        isStopped.withLock { $0 = true }
        ended.wait()
        return count
    }
}
