import Glibc

/// One thing that the kernel takes from a connector, in the order in which the child applies them.
///
/// `spec/confinement.md` says what each one stops.
package enum Layer: String, CaseIterable, Hashable, Sendable, CustomStringConvertible {
    /// An own uid and gid when the host is root, otherwise a user namespace that knows no other user.
    case user = "own-user"
    /// Limits of processes and memory, and a group that is killed as one.
    case cgroup
    /// No core dumps, few descriptors, no file data.
    case resourceLimits = "rlimits"
    case network = "network-namespace"
    case ipc = "ipc-namespace"
    case uts = "uts-namespace"
    case cgroupNamespace = "cgroup-namespace"
    /// An own mount namespace with a `/proc` that shows only the connector; without it there is no `/proc` to read.
    case proc = "private-proc"
    /// The kernel ends the connector when the host ends.
    case parentDeathSignal = "parent-death-signal"
    case noNewPrivileges = "no_new_privs"
    /// Memory is never writable and executable.
    case memoryDenyWriteExecute = "mdwe"
    case landlock
    case seccomp

    package var description: String { rawValue }
}

/// With which privileges this host confines.
package enum HostPrivilege: Sendable {
    case root
    case unprivileged

    package static var current: HostPrivilege { geteuid() == 0 ? .root : .unprivileged }
}

extension Layer {
    /// The steps of a start (`SpawnError.stage`) that apply it.
    var stages: Set<String> {
        switch self {
        case .user: ["own user", "user namespace"]
        case .cgroup: ["cgroup"]
        case .resourceLimits: ["rlimits"]
        case .network: ["network namespace"]
        case .ipc: ["ipc namespace"]
        case .uts: ["uts namespace"]
        case .cgroupNamespace: ["cgroup namespace"]
        case .proc: ["private /proc"]
        case .parentDeathSignal: ["parent-death signal"]
        case .noNewPrivileges: ["no_new_privs"]
        case .memoryDenyWriteExecute: ["mdwe"]
        case .landlock: ["landlock"]
        case .seccomp: ["seccomp"]
        }
    }

    /// True for what an unprivileged host can apply in a user namespace only.
    var needsPrivileges: Bool {
        switch self {
        case .user, .network, .ipc, .uts, .cgroupNamespace, .proc: true
        case .cgroup, .resourceLimits, .parentDeathSignal, .noNewPrivileges, .memoryDenyWriteExecute, .landlock,
            .seccomp:
            false
        }
    }

    /// What this one cannot do without.
    var needs: Layer? { self == .landlock || self == .seccomp ? .noNewPrivileges : nil }

    /// What the person who must act can change, besides the mode.
    func wayOut(for host: HostPrivilege) -> String {
        switch self {
        case .user, .network, .ipc, .uts, .cgroupNamespace, .proc:
            host == .root
                ? "give the host CAP_SYS_ADMIN, CAP_SETUID and CAP_SETGID (a container takes them away), "
                    + "and let it write below /run/trstctl"
                : "allow unprivileged user namespaces (user.max_user_namespaces, and the distribution's own switch)"
        case .cgroup:
            host == .root
                ? "mount the pids and memory controllers where the host may make a group"
                : "run trstctl as root, or delegate a group with the pids and memory controllers to it (systemd: "
                    + "Delegate=yes)"
        case .memoryDenyWriteExecute: "use Linux 6.3 or later"
        case .landlock: "use Linux 5.13 or later with `landlock` in the list of /sys/kernel/security/lsm"
        case .seccomp: "use a kernel with CONFIG_SECCOMP_FILTER"
        case .resourceLimits, .parentDeathSignal, .noNewPrivileges: "look for what forbids prctl(2) or prlimit(2)"
        }
    }
}
