import TrstctlSystem

/// Makes something that grows durable for many threads at once (group commit): while one of them does it, the others
/// sleep, and then one does it for all of these.
///
/// A mutex that is held meanwhile would do, but it lets go of its waiters one after another, and they spin before.
final class GroupCommit: @unchecked Sendable {
    private let lock = Lock()
    /// Who waits for the end of the turns with an even number, and with an odd one.
    private let ends = [Condition(), Condition()]
    /// How far everything is durable.
    private var durable: UInt64 = 0
    /// The number of the latest turn, and how far everything is durable once it has ended well.
    private var turn = 0
    private var reach: UInt64 = 0
    private var isRunning = false
    /// Whether a turn has failed.
    private var hasFailed = false

    /// Whether somebody has a turn now.
    var isUnderWay: Bool {
        lock.lock()
        defer { lock.unlock() }
        return isRunning
    }

    /// Returns when everything up to a position is durable.
    ///
    /// - Parameters:
    ///   - wanted: the position; where it was noted early, somebody else has often got there already.
    ///   - end: the last position that there is, never less than `wanted`; asked under a lock.
    ///   - synchronise: makes everything up to there durable, and perhaps more.
    /// - Throws: what the caller's own turn says; then nothing counts as durable by it, and from then on everybody tries
    ///   themselves.
    func wait(
        upTo wanted: UInt64, of end: () throws(SystemError) -> UInt64, _ synchronise: () throws(SystemError) -> Void
    ) throws(SystemError) {
        lock.lock()
        defer { lock.unlock() }
        while durable < wanted {
            guard isRunning else { return try run(to: end, synchronise) }
            // What runs may have begun too early for this caller; the next one has not.
            let mine = wanted <= reach ? turn : turn + 1
            repeat { ends[mine & 1].wait(lock) } while durable < wanted && isRunning && turn <= mine
        }
        // An error is reported once to each descriptor (fsync(2)), so a later turn of somebody else's that ended well says
        // nothing about what was lost before; nor about what was made while the one that failed was under way.
        guard hasFailed else { return }
        while isRunning { ends[turn & 1].wait(lock) }
        try run(to: end, synchronise)
    }

    /// A turn; the lock is held, but not while the work is done.
    private func run(
        to end: () throws(SystemError) -> UInt64, _ synchronise: () throws(SystemError) -> Void
    ) throws(SystemError) {
        turn += 1
        let mine = turn
        defer {
            isRunning = false
            ends[mine & 1].broadcast()
            // One of those for whom it came too early has the next turn, unless somebody is quicker.
            ends[(mine + 1) & 1].signal()
        }
        reach = try end()
        isRunning = true
        lock.unlock()
        do throws(SystemError) {
            try synchronise()
            lock.lock()
            durable = max(durable, reach)
        } catch {
            lock.lock()
            hasFailed = true
            throw error
        }
    }
}
