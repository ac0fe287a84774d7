import CTrstctlSystem
import Glibc
import Synchronization
package import TrstctlSystem

/// A process that was started here, and which nobody else reaps.
///
/// Register `pidfd` with epoll: it becomes readable when the process has ended, then `tryReap` answers. The process
/// number cannot be reused before it is reaped, which makes signals to the group safe; both happen under one lock.
/// A value that goes away unreaped kills the process and its group, and reaps it.
package final class ChildProcess: Sendable {
    package let pid: Int32
    /// The uid it was given; nil when it kept the host's.
    package let user: UInt32?
    private let descriptor: OwnedDescriptor
    private let leadsGroup: Bool
    private let groupEndsWithLeader: Bool
    private let status = Mutex<ExitStatus?>(nil)
    private let hold: Mutex<(any ProcessHold)?>

    /// Starts a process and returns once it runs the program.
    ///
    /// Waits about a millisecond on the spawning thread: call it where waiting is allowed.
    ///
    /// - Throws: the step that failed; then nothing is left behind.
    package static func spawn(_ request: SpawnRequest) throws(SpawnError) -> ChildProcess {
        let (pid, pidfd) = try request.start()
        return ChildProcess(pid: pid, descriptor: OwnedDescriptor(pidfd), request)
    }

    private init(pid: Int32, descriptor: consuming OwnedDescriptor, _ request: SpawnRequest) {
        self.pid = pid
        self.descriptor = descriptor
        user = request.confinement.user
        leadsGroup = request.startsSession
        groupEndsWithLeader = request.groupEndsWithLeader
        hold = Mutex(request.hold)
    }

    deinit {
        guard status.withLock({ $0 }) == nil else { return }
        signalGroup(SIGKILL)
        signal(SIGKILL)
        _ = reap(until: .never)
    }

    /// The pidfd: readable once the process has ended; valid while this value lives.
    package var pidfd: Int32 { descriptor.raw }

    /// How it ended, or nil while it has not been reaped.
    package var exitStatus: ExitStatus? { status.withLock { $0 } }

    /// Sends a signal to the process; false when it has ended.
    @discardableResult
    package func signal(_ number: Int32) -> Bool {
        trstctl_pidfd_send_signal(descriptor.raw, number) == 0
    }

    /// Sends a signal to every process of its group; false when there is none, or when the process was reaped.
    ///
    /// A descendant that called setsid(2) is in another group and is not reached, except by SIGKILL when the process
    /// has a control group.
    @discardableResult
    package func signalGroup(_ number: Int32) -> Bool {
        if number == SIGKILL { hold.withLock { $0?.killAll() } }
        guard leadsGroup else { return false }
        return status.withLock { $0 == nil && kill(-pid, number) == 0 }
    }

    /// Reaps the process if it has ended; nil while it runs.
    ///
    /// May be called again: the answer stays the same.
    package func tryReap() -> ExitStatus? {
        let result = status.withLock { status -> ExitStatus? in
            guard status == nil, hasEnded(by: Deadline(nanoseconds: 0)) else { return status }
            // Before the number is free again: afterwards the group could be somebody else's.
            if groupEndsWithLeader, leadsGroup { kill(-pid, SIGKILL) }
            if groupEndsWithLeader { hold.withLock { $0?.killAll() } }
            var exited: Int32 = 0
            var value: Int32 = 0
            switch trstctl_reap_pidfd(descriptor.raw, 0, &exited, &value) {
            case 1: status = exited != 0 ? .exited(value) : .signalled(value)
            case 0: break
            default: status = .signalled(0)
            }
            return status
        }
        if result != nil { hold.withLock { $0 = nil } }
        return result
    }

    /// Waits for the end of the process and reaps it; nil when the deadline passed first.
    ///
    /// Blocks the thread in poll(2).
    package func reap(until deadline: Deadline) -> ExitStatus? {
        repeat {
            if let status = tryReap() { return status }
        } while hasEnded(by: deadline)
        return nil
    }

    private func hasEnded(by deadline: Deadline) -> Bool {
        while true {
            var entry = pollfd(fd: descriptor.raw, events: Int16(POLLIN), revents: 0)
            let count = poll(&entry, 1, deadline.pollTimeout)
            if count > 0 { return true }
            if count == 0 && deadline.hasPassed { return false }
            guard count == 0 || errno == EINTR else { return false }
        }
    }
}
