import CTrstctlSystem
import Glibc
import Synchronization
package import TrstctlSystem

/// Something that waits for a descriptor, or for a point in time, on the loop.
package protocol EventSource: AnyObject, Sendable {
    /// The descriptor is ready; called on the loop's thread with `TRSTCTL_EPOLL_*` bits.
    func handle(_ events: UInt32)
    /// The deadline that was set with `setTimer` has passed; called on the loop's thread.
    func timerFired()
    /// Called on the loop's thread once after each round in which `flushSoon` was called.
    func flush()
}

extension EventSource {
    package func timerFired() {}
    package func flush() {}
}

/// One thread that waits for all descriptors and runs the tasks that wait for them.
///
/// Because it is also the executor of those tasks, a call on a connection suspends, is answered and resumes without
/// a switch between threads, and all frames of one round go out in one system call. Nothing that blocks may run here:
/// that is what `WorkerPool` is for. The thread lives as long as the process.
package final class EventLoop: TaskExecutor {
    /// The process's loop.
    package static let shared = EventLoop()

    private struct State {
        var jobs: [UnownedJob] = []
        var isSleeping = false
        var sources: [UInt64: any EventSource] = [:]
        var timers: [UInt64: Deadline] = [:]
        var nextTimer = Deadline.never
        var flushes: [any EventSource] = []
        var nextToken: UInt64 = 1

        /// Whether the thread sleeps, or is about to, and somebody else must wake it; marks that this was done.
        mutating func takeWake() -> Bool {
            defer { isSleeping = false }
            return isSleeping
        }
    }

    private static let wakeToken: UInt64 = 0
    /// How many jobs run before descriptors are looked at again.
    private static let jobsPerRound = 256
    private let state = Locked(State())
    private let epoll: Int32
    private let wake: Int32
    /// The loop's thread, as pthread_self(3) calls it; zero until it runs.
    private let thread = Atomic<UInt>(0)

    /// Whether the caller runs on the loop's thread.
    var isCurrent: Bool { thread.load(ordering: .relaxed) == pthread_self() }

    private init() {
        epoll = trstctl_epoll_create()
        wake = trstctl_eventfd()
        guard epoll >= 0, wake >= 0, trstctl_epoll_add(epoll, wake, TRSTCTL_EPOLL_IN, EventLoop.wakeToken) == 0 else {
            fatalError("cannot start the event loop: \(SystemError.last("epoll"))")
        }
        // What the system lacks for a thread it often has a moment later; without this one nothing could be done.
        var attempts = 0
        while !Worker.startThread({ EventLoop.shared.run() }) {
            attempts += 1
            guard attempts < 100 else { fatalError("cannot start the event loop: no thread") }
            usleep(10_000)
        }
    }

    // MARK: - Tasks

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let mustWake = state.withLock { state in
            state.jobs.append(job)
            return state.takeWake()
        }
        if mustWake { kick() }
    }

    /// Runs the operation on the loop's thread, as its executor.
    package static func run<Result: Sendable>(
        _ operation: @Sendable @escaping () async throws -> Result
    ) async throws -> Result {
        try await withTaskExecutorPreference(EventLoop.shared, operation: operation)
    }

    // MARK: - Sources

    /// Watches a descriptor, which must stay open until `remove`.
    ///
    /// - Parameters:
    ///   - descriptor: what to watch, level-triggered.
    ///   - events: `TRSTCTL_EPOLL_*` bits.
    ///   - source: whom to tell.
    /// - Returns: the token for the other functions.
    /// - Throws: what epoll_ctl(2) says.
    package func add(_ descriptor: Int32, _ events: UInt32, _ source: any EventSource) throws(SystemError) -> UInt64 {
        let token = state.withLock { state in
            let token = state.nextToken
            state.nextToken += 1
            state.sources[token] = source
            return token
        }
        guard trstctl_epoll_add(epoll, descriptor, events, token) == 0 else {
            let error = SystemError.last("epoll_ctl")
            state.withLock { state in _ = state.sources.removeValue(forKey: token) }
            throw error
        }
        return token
    }

    /// Changes what is watched.
    package func modify(_ descriptor: Int32, _ events: UInt32, _ token: UInt64) {
        _ = trstctl_epoll_modify(epoll, descriptor, events, token)
    }

    /// Stops watching; to be called before the descriptor is closed.
    package func remove(_ descriptor: Int32, _ token: UInt64) {
        _ = trstctl_epoll_remove(epoll, descriptor)
        state.withLock { state in
            state.sources.removeValue(forKey: token)
            state.timers.removeValue(forKey: token)
        }
    }

    /// Sets the source's one timer, or with `.never` clears it.
    package func setTimer(_ token: UInt64, _ deadline: Deadline) {
        let mustWake = state.withLock { state in
            if deadline == .never {
                state.timers.removeValue(forKey: token)
                return false
            }
            state.timers[token] = deadline
            guard deadline < state.nextTimer else { return false }
            state.nextTimer = deadline
            return state.takeWake()
        }
        if mustWake { kick() }
    }

    /// A token for a source that has a timer and no descriptor.
    func reserveToken() -> UInt64 {
        state.withLock { state in
            defer { state.nextToken += 1 }
            return state.nextToken
        }
    }

    func addTimer(_ source: any EventSource, _ token: UInt64, _ deadline: Deadline) {
        state.withLock { $0.sources[token] = source }
        setTimer(token, deadline)
    }

    func removeTimer(_ token: UInt64) {
        state.withLock { state in
            state.sources.removeValue(forKey: token)
            state.timers.removeValue(forKey: token)
        }
    }

    /// Asks for one `flush` when this round's tasks have run, however often it is called in the round.
    package func flushSoon(_ source: any EventSource) {
        let mustWake = state.withLock { state in
            state.flushes.append(source)
            return state.takeWake()
        }
        if mustWake { kick() }
    }

    // MARK: - The thread

    private func kick() {
        var one: UInt64 = 1
        _ = write(wake, &one, 8)
    }

    private func run() {
        thread.store(pthread_self(), ordering: .relaxed)
        var events = [trstctl_epoll_event](repeating: trstctl_epoll_event(), count: 64)
        var round = Round()
        while true {
            runJobs(&round)
            let timeout = prepareToSleep()
            let count = trstctl_epoll_wait(epoll, &events, 64, timeout)
            state.withLock { $0.isSleeping = false }
            for event in events.prefix(Int(max(0, count))) { dispatch(event) }
            fireTimers()
        }
    }

    /// What one round works on.
    ///
    /// The lists change places with those of the state, so that no round allocates.
    private struct Round: ~Copyable {
        var jobs: [UnownedJob] = []
        var flushes: [any EventSource] = []
    }

    private func runJobs(_ round: inout Round) {
        var left = EventLoop.jobsPerRound
        while left > 0 {
            state.withLock { swap(&$0.jobs, &round.jobs) }
            for job in round.jobs { job.runSynchronously(on: asUnownedTaskExecutor()) }
            left -= max(1, round.jobs.count)
            state.withLock { swap(&$0.flushes, &round.flushes) }
            for source in round.flushes { source.flush() }
            if round.jobs.isEmpty && round.flushes.isEmpty { return }
            round.jobs.removeAll(keepingCapacity: true)
            round.flushes.removeAll(keepingCapacity: true)
        }
    }

    /// The time to sleep, decided together with the mark that others must wake us.
    private func prepareToSleep() -> Int32 {
        state.withLock { state in
            guard state.jobs.isEmpty, state.flushes.isEmpty else { return 0 }
            state.isSleeping = true
            return state.nextTimer.pollTimeout
        }
    }

    private func dispatch(_ event: trstctl_epoll_event) {
        guard event.token != EventLoop.wakeToken else {
            var count: UInt64 = 0
            _ = read(wake, &count, 8)
            return
        }
        state.withLock { $0.sources[event.token] }?.handle(event.events)
    }

    private func fireTimers() {
        let due = state.withLock { state -> [any EventSource] in
            guard state.nextTimer.hasPassed else { return [] }
            let now = Deadline.now
            let tokens = state.timers.filter { $0.value <= now }.map(\.key)
            for token in tokens { state.timers.removeValue(forKey: token) }
            state.nextTimer = state.timers.values.min() ?? .never
            return tokens.compactMap { state.sources[$0] }
        }
        for source in due { source.timerFired() }
    }
}
