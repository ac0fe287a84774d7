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

    /// Waits for the signals on this thread, which must be the main one.
    ///
    /// An asynchronous `main` would leave that thread to Dispatch, which waits there with every signal unblocked
    /// (sigsuspend(2) in `dispatch_main`): the first signal would end the process in the middle of a deployment.
    static func wait(cancel: () -> Void) -> Never {
        var set = signals
        var number: Int32 = 0
        sigwait(&set, &number)
        Output.error("interrupted: putting things back and stopping connectors; interrupt again to stop at once")
        cancel()
        sigwait(&set, &number)
        _exit(128 + number)
    }
}
