import CTrstctlSystem
import Glibc
import Synchronization
import TrstctlProcess
import TrstctlSystem

/// A running connector before there is a connection: the process, its output, its directory, and the way to end it all.
final class ConnectorProcess: Sendable {
    /// How long after the process's end its output may still come, in milliseconds: a grandchild can hold the pipes open.
    private static let drainMilliseconds: Int64 = 200

    let child: ChildProcess
    let standardOutput: OutputDrain
    let standardError: OutputDrain
    /// How the process ended, once it has.
    let exit: OneShot<ExitStatus>
    private let watcher: ExitWatcher
    private let directory: Mutex<RunDirectory?>
    /// Where the socket must be.
    let directoryPath: String

    /// Takes over everything that was made for the process.
    init(
        child: ChildProcess, directory: consuming RunDirectory, standardOutput: consuming OwnedDescriptor,
        standardError: consuming OwnedDescriptor, log: @Sendable @escaping (OutputStream, String) -> Void
    ) throws(SystemError) {
        self.child = child
        directoryPath = directory.path
        self.directory = Mutex(consume directory)
        self.standardOutput = try OutputDrain(standardOutput, takesFirstLine: true) { log(.standardOutput, $0) }
        self.standardError = try OutputDrain(standardError, takesFirstLine: false) { log(.standardError, $0) }
        let output = self.standardOutput
        watcher = try ExitWatcher(child) {
            guard output.firstLine.value == nil else { return }
            // What it wrote last is still in the pipe, which may never end: a descendant can hold it open.
            _ = LoopTimer(at: .after(milliseconds: ConnectorProcess.drainMilliseconds)) { output.endFirstLine() }
        }
        exit = watcher.exit
    }

    /// Connects to a socket that the process announced in its directory.
    func dial(_ name: [UInt8]) throws(DialError) -> OwnedDescriptor {
        guard let descriptor = directory.withLock({ $0?.descriptor.raw }) else { throw .notASocket }
        return try Dial.connect(
            name: name, directory: descriptor, childPidfd: child.pidfd, childPid: child.pid,
            owner: child.user ?? getuid())
    }

    /// Ends the process, whatever state it is in, and leaves nothing behind: SIGTERM to its group, SIGKILL, reaping,
    /// a last look at its output, removal of the directory.
    ///
    /// - Parameters:
    ///   - grace: how long it has to end by itself, in milliseconds.
    ///   - patience: how long it has after SIGTERM, in milliseconds.
    /// - Returns: how it ended; nil when the kernel did not let go of it within five seconds of SIGKILL.
    func end(grace: Int64, patience: Int64) async -> ExitStatus? {
        var status = grace > 0 ? await exit.wait(until: .after(milliseconds: grace)) : exit.value
        if status == nil {
            child.signalGroup(SIGTERM)
            status = await exit.wait(until: .after(milliseconds: patience))
        }
        if status == nil {
            child.signalGroup(SIGKILL)
            child.signal(SIGKILL)
            status = await exit.wait(until: .after(milliseconds: 5_000))
        }
        let drained = Deadline.after(milliseconds: ConnectorProcess.drainMilliseconds)
        _ = await standardError.finished.wait(until: drained)
        _ = await standardOutput.finished.wait(until: drained)
        standardError.close()
        standardOutput.close()
        watcher.close()
        directory.withLock { $0 = nil }
        return status
    }
}

/// Which of a connector's streams a line came from.
package enum OutputStream: String, Sendable {
    case standardOutput = "stdout"
    case standardError = "stderr"
}

/// Reaps a child when its pidfd says that it has ended.
private final class ExitWatcher: EventSource {
    let exit = OneShot<ExitStatus>()
    private let child: ChildProcess
    private let token: Mutex<UInt64?>
    private let hasEnded: @Sendable () -> Void

    init(_ child: ChildProcess, hasEnded: @Sendable @escaping () -> Void) throws(SystemError) {
        self.child = child
        self.hasEnded = hasEnded
        token = Mutex(nil)
        // Under the lock: the loop may call `handle` before `add` has returned, and that needs the token.
        try token.withLock { token throws(SystemError) in
            token = try EventLoop.shared.add(child.pidfd, TRSTCTL_EPOLL_IN, self)
        }
    }

    func handle(_ events: UInt32) {
        guard let status = child.tryReap() else { return }
        close()
        exit.set(status)
        hasEnded()
    }

    func close() {
        guard let token = token.withLock({ $0.take() }) else { return }
        EventLoop.shared.remove(child.pidfd, token)
    }
}
