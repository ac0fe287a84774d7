import CTrstctlSystem
import Glibc

/// SIGINT, SIGTERM and SIGHUP: the first one cancels the run, which puts things back and reports; a second one ends the
/// process at once, and the kernel ends the connectors with it.
enum Interruption {
    private static var signals: sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in [SIGINT, SIGTERM, SIGHUP] { sigaddset(&set, signal) }
        return set
    }

    /// Blocks the signals for this thread, and for all that it starts.
    static func block() {
        var set = signals
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Waits for them on a thread.
    static func watch(_ cancel: @Sendable @escaping () -> Void) {
        let context = Unmanaged.passRetained(Action(cancel)).toOpaque()
        var thread = pthread_t()
        pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                let action = Unmanaged<Action>.fromOpaque(context).takeRetainedValue()
                var set = Interruption.signals
                var number: Int32 = 0
                sigwait(&set, &number)
                Output.error(
                    "interrupted: putting things back and stopping connectors; interrupt again to stop at once")
                action.cancel()
                sigwait(&set, &number)
                _exit(128 + number)
            }, context)
    }

    private final class Action: Sendable {
        let cancel: @Sendable () -> Void
        init(_ cancel: @Sendable @escaping () -> Void) { self.cancel = cancel }
    }
}
