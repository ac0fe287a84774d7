/// How a process ended.
package enum ExitStatus: Hashable, Sendable, CustomStringConvertible {
    /// It called exit(3) with this status, 0 to 255.
    case exited(Int32)
    /// This signal ended it, see signal(7); 0 when the status was lost because something else reaped the process.
    case signalled(Int32)

    /// True for exit status 0.
    package var isSuccess: Bool { self == .exited(0) }

    package var description: String {
        switch self {
        case .exited(let status): "exit status \(status)"
        case .signalled(0): "ended, exit status lost"
        case .signalled(let signal): "signal \(signal)\(ExitStatus.names[signal].map { " (\($0))" } ?? "")"
        }
    }

    /// The signals that end a connector in practice, by the numbers that x86-64 and arm64 share.
    private static let names: [Int32: String] = [
        1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE",
        9: "SIGKILL", 11: "SIGSEGV", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM", 24: "SIGXCPU", 25: "SIGXFSZ",
        31: "SIGSYS, a system call the sandbox forbids",
    ]
}
