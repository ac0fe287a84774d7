import CTrstctlSandbox

/// What the kernel takes from one process, and from everything it starts, before its program runs.
package struct KernelConfinement: Sendable {
    /// No set-user-id program and no file capability gives privileges; the two filters below need it.
    package var noNewPrivileges = false
    /// Memory is writable or executable, never both (PR_SET_MDWE, Linux 6.3).
    package var denyWriteExecute = false
    /// The descriptor of a Landlock ruleset; with `Isolation.proc` the process may read its own `/proc` besides.
    package var landlockRuleset: Int32?
    /// The allowlist of system calls for connectors.
    package var filtersSystemCalls = false
    /// What it does not share with the host.
    package var isolation: Isolation = []
    /// The directory of the control group, version 2, in which it begins.
    package var unifiedGroup: Int32?
    /// Descriptors of `tasks` files, open for writing: the groups, version 1, that it joins.
    package var controlGroups: [Int32] = []
    /// Its uid and gid, without supplementary groups and capabilities; nil keeps the host's, as `Isolation.user` needs.
    package var user: UInt32?
    /// For tests: the steps, by their names in `SpawnError.stage`, that fail as if the kernel lacked them.
    package var failingStages: Set<String> = []

    /// No filter at all.
    package init() {}

    /// True when the running kernel knows PR_SET_MDWE.
    package static var canDenyWriteExecute: Bool { Kernel.canDenyWriteExecute }

    var failingBits: UInt32 {
        (0..<Int32(TRSTCTL_STAGE_COUNT.rawValue)).reduce(0) { bits, stage in
            guard let name = trstctl_spawn_stage_name(stage), failingStages.contains(String(cString: name)) else {
                return bits
            }
            return bits | 1 << UInt32(stage)
        }
    }
}

/// The namespaces (namespaces(7)) that a process gets for itself: empty, and gone with it.
package struct Isolation: OptionSet, Hashable, Sendable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    private init(_ flag: trstctl_spawn_flag) { self.init(rawValue: flag.rawValue) }

    package static let network = Isolation(TRSTCTL_SPAWN_NETWORK)
    package static let ipc = Isolation(TRSTCTL_SPAWN_IPC)
    package static let uts = Isolation(TRSTCTL_SPAWN_UTS)
    package static let cgroup = Isolation(TRSTCTL_SPAWN_CGROUP_NAMESPACE)
    /// Own mounts and a `/proc` that shows the process itself only; with `user` also an own pid namespace.
    package static let proc = Isolation(TRSTCTL_SPAWN_PRIVATE_PROC)
    /// A user namespace that knows the caller's uid and gid only; needs no privileges, and the others then need none.
    package static let user = Isolation(TRSTCTL_SPAWN_USER_NAMESPACE)
}

/// What belongs to a process as long as it lives, for example its control group.
package protocol ProcessHold: AnyObject, Sendable {
    /// Kills the process and everything that it started, also what left its group.
    func killAll()
}
