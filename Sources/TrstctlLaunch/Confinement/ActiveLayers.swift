/// One thing the kernel enforces on a connector.
package enum Layer: Hashable, Sendable, CustomStringConvertible {
    case noNewPrivileges
    case resourceLimits
    /// The kernel ends the connector when the host ends.
    case parentDeathSignal
    /// Memory is never writable and executable; Linux 6.3.
    case memoryDenyWriteExecute
    /// With the version of the kernel's Landlock: TCP is covered from 4 on, signals and abstract sockets from 6 on.
    case landlock(abi: Int32)
    case seccomp

    package var description: String {
        switch self {
        case .noNewPrivileges: "no_new_privs"
        case .resourceLimits: "rlimits"
        case .parentDeathSignal: "parent-death-signal"
        case .memoryDenyWriteExecute: "mdwe"
        case .landlock(let abi): "landlock-\(abi)"
        case .seccomp: "seccomp"
        }
    }
}

/// The layers that a running connector is under, in the order in which they were applied.
///
/// Each one is applied by the child itself before the program starts; one that fails ends the start. So what stands
/// here for a connector that runs is a fact, not an intention.
package struct ActiveLayers: Equatable, Sendable, CustomStringConvertible {
    package let layers: [Layer]

    package var description: String { layers.map(\.description).joined(separator: " ") }
}
