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
        /// Nothing: every step up to the start is taken, then the process exits with status 0.
        case rehearsal
    }

    package var program: Program
    /// A descriptor that stays open for the program, which finds it as `scriptPath`: what an interpreter runs.
    package var script: Int32?
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
    /// A umask of 077: what it creates is its user's alone.
    ///
    /// Otherwise 022, as services get it (systemd.exec(5)).
    package var hasPrivateUmask = true
    /// When a start that neither succeeded nor failed is given up, in milliseconds: every other start waits meanwhile.
    package var patience: Int32 = 10_000
    /// The kernel kills the process when the host ends, however it ends.
    package var diesWithHost = true
    /// Kill what is left of the process group when the leader is reaped.
    package var groupEndsWithLeader = true
    /// The filters; none for the commands the broker runs.
    package var confinement: KernelConfinement
    /// What the process holds as long as it lives: released once it is reaped.
    package var hold: (any ProcessHold)?

    /// Where an interpreter opens its script.
    package static let scriptPath = Bytes("/proc/self/fd/3")

    /// A process with no environment, nothing on standard input, no core dumps and no confinement.
    package init(_ program: Program, arguments: [Bytes], standardOutput: Int32, standardError: Int32) {
        self.program = program
        self.arguments = arguments
        self.standardOutput = standardOutput
        self.standardError = standardError
        environment = []
        limits = [.noCoreDump, .openFilesAsInherited]
        confinement = KernelConfinement()
    }

    /// What an error calls the program.
    package var object: String {
        switch program {
        case .path(let path): String(decoding: path.array, as: UTF8.self)
        case .descriptor: String(decoding: arguments.first?.array ?? [], as: UTF8.self)
        case .rehearsal: "a rehearsal"
        }
    }
}

/// A limit of setrlimit(2), as soft and hard limit or as soft limit alone; never raises the hard limit the host has.
package struct ResourceLimit: Hashable, Sendable {
    /// `RLIMIT_*`.
    package let resource: Int32
    package let value: UInt64
    /// Whether the hard limit stays as it is.
    package let isSoft: Bool

    package init(resource: Int32, value: UInt64, isSoft: Bool = false) {
        self.resource = resource
        self.value = value
        self.isSoft = isSoft
    }
}
