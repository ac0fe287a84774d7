package import TrstctlSystem

/// Everything a new process is: what runs, with which words, streams, limits and filters.
///
/// Nothing is inherited that is not named here. Descriptors are borrowed: they must stay open until `spawn` returns,
/// and stay open in the host afterwards.
package struct SpawnRequest: Sendable {
    /// What runs.
    package enum Program: Sendable {
        /// The open file itself (`execveat(2)` with `AT_EMPTY_PATH`): no name is looked up again.
        case descriptor(Int32)
        /// An absolute path.
        case path(Bytes)
    }

    package var program: Program
    /// The words, the program's own name first; each without NUL.
    package var arguments: [Bytes]
    /// The whole environment, `NAME=value` each; each without NUL.
    package var environment: [Bytes]
    /// A descriptor for reading, or nil for `/dev/null`.
    package var standardInput: Int32?
    package var standardOutput: Int32
    package var standardError: Int32
    package var limits: [ResourceLimit]
    /// An own session and process group (setsid(2)), which `ChildProcess.signalGroup` needs.
    package var startsSession = true
    /// The kernel kills the process when the host ends, however it ends.
    package var diesWithHost = true
    /// Kill what is left of the process group when the leader is reaped.
    package var groupEndsWithLeader = true
    /// The filters; none for the commands the broker runs.
    package var confinement: KernelConfinement

    /// A process with no environment, nothing on standard input, no core dumps and no confinement.
    package init(_ program: Program, arguments: [Bytes], standardOutput: Int32, standardError: Int32) {
        self.program = program
        self.arguments = arguments
        self.standardOutput = standardOutput
        self.standardError = standardError
        environment = []
        limits = [.noCoreDump]
        confinement = KernelConfinement()
    }

    /// What an error calls the program.
    package var object: String {
        switch program {
        case .path(let path): String(decoding: path.array, as: UTF8.self)
        case .descriptor: String(decoding: arguments.first?.array ?? [], as: UTF8.self)
        }
    }
}

/// A limit of setrlimit(2), as soft and hard limit; never raises the limit the host has.
package struct ResourceLimit: Hashable, Sendable {
    /// `RLIMIT_*`.
    package let resource: Int32
    package let value: UInt64

    package init(resource: Int32, value: UInt64) {
        self.resource = resource
        self.value = value
    }
}

/// The filters that the kernel applies to one process and everything it starts.
package struct KernelConfinement: Sendable {
    /// No set-user-id program and no file capability gives privileges; the two filters below need it.
    package var noNewPrivileges = false
    /// Memory is writable or executable, never both (PR_SET_MDWE, Linux 6.3).
    package var denyWriteExecute = false
    /// The descriptor of a Landlock ruleset.
    package var landlockRuleset: Int32?
    /// The allowlist of system calls for connectors.
    package var filtersSystemCalls = false

    /// No filter at all.
    package init() {}

    /// True when the running kernel knows PR_SET_MDWE.
    package static var canDenyWriteExecute: Bool { Kernel.canDenyWriteExecute }
}
