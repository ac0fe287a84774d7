import COpenSSL
import CTrstctlSystem
import Glibc
import TrstctlProcess

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
        // A connector must not be able to make the host run out of descriptors.
        OpenFiles.raise(to: 65_536)
        raise(__rlimit_resource_t(UInt32(TRSTCTL_RLIMIT_MEMLOCK)), to: .max)
        _ = wipesOpenSSL
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

    /// Whether OpenSSL's memory is overwritten when it is freed; only possible before OpenSSL has taken any.
    ///
    /// OpenSSL wipes what it knows to be secret, but not every buffer that a key passes through on its way.
    static let wipesOpenSSL: Bool =
        CRYPTO_set_mem_functions(trstctl_wiping_malloc, trstctl_wiping_realloc, trstctl_wiping_free) == 1

    /// Raises a limit as far as it may be: the memory of keys is locked.
    private static func raise(_ resource: __rlimit_resource_t, to wanted: rlim_t) {
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0 else { return }
        limit.rlim_cur = min(limit.rlim_max, wanted)
        setrlimit(resource, &limit)
    }
}
