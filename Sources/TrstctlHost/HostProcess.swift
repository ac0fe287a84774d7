import CTrstctlSystem
import Glibc

/// What the host sets for its own process, once.
enum HostProcess {
    /// Evaluating this sets it.
    static let prepare: Void = {
        // A peer that goes away is an error of the write, not the end of the host.
        signal(SIGPIPE, SIG_IGN)
        // Private keys are in memory: no core file, and no other process of the same user may read it.
        var limit = rlimit(rlim_cur: 0, rlim_max: 0)
        setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &limit)
        _ = trstctl_undumpable()
        refuseBacktraces()
        raiseOpenFiles()
        trstctl_tune_malloc()
    }()

    /// Swift's runtime would print registers and the memory that they point to when this process crashes.
    ///
    /// SWIFT_BACKTRACE is read before any code of ours runs, so its signal handlers are taken away instead.
    private static func refuseBacktraces() {
        for number in [SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGQUIT, SIGSEGV, SIGTRAP] { signal(number, SIG_DFL) }
    }

    /// Refuses to begin with less than a run needs: one connector takes about 30 descriptors while it starts, and Swift's
    /// runtime ends the process when it gets none.
    ///
    /// - Throws: `StateError`.
    static func checkOpenFiles() throws(StateError) {
        _ = prepare
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur < 64 else { return }
        throw StateError(
            description: "this process may open \(limit.rlim_cur) files, and needs 64 at least: ulimit -n 1024")
    }

    /// A connector must not be able to make the host run out of descriptors.
    private static func raiseOpenFiles() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = min(limit.rlim_max, 65_536)
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
