import CTrstctlSystem
import Glibc
import TrstctlProcess
import TrstctlSystem

/// What this kernel offers this user, layer by layer, found out by trying: `trstctl doctor` prints it.
package struct KernelOffer: Sendable {
    /// One layer, or one thing besides the layers that a start stands on.
    package struct Line: Sendable, CustomStringConvertible {
        /// For example `landlock`.
        package let name: String
        package let isAvailable: Bool
        /// What was found.
        package let finding: String
        /// What the host does because of it, in strict mode.
        package let consequence: String

        package var description: String {
            "\(name): \(isAvailable ? "yes" : "no"), \(finding); \(consequence)"
        }
    }

    package let host: HostPrivilege
    package let lines: [Line]

    /// True when strict mode starts connectors here.
    package var allowsStrict: Bool {
        Layer.allCases.allSatisfy { layer in
            lines.contains { $0.name == layer.rawValue && $0.isAvailable }
        }
    }

    /// Tries each layer in a process of its own that ends before it runs anything; takes some 20 ms.
    package static func probe() -> KernelOffer {
        let host = HostPrivilege.current
        return KernelOffer(
            host: host, lines: Layer.allCases.map { line($0, host) } + [executableMemory, peerIdentity])
    }

    private static func line(_ layer: Layer, _ host: HostPrivilege) -> Line {
        do throws(SystemError) {
            let finding = try attempt(layer, host)
            return Line(
                name: layer.rawValue, isAvailable: true, finding: finding, consequence: "applied to every connector")
        } catch {
            let consequence = "strict mode refuses to start a connector; to change that, \(layer.wayOut(for: host))"
            return Line(name: layer.rawValue, isAvailable: false, finding: "\(error)", consequence: consequence)
        }
    }

    /// Rehearses the layer alone, with what it cannot do without.
    private static func attempt(_ layer: Layer, _ host: HostPrivilege) throws(SystemError) -> String {
        var confinement = KernelConfinement()
        // The others are applied also where there are no user namespaces.
        if host == .unprivileged, layer.needsPrivileges { confinement.isolation.insert(.user) }
        switch layer {
        case .user:
            guard host == .root else {
                try rehearse(confinement)
                return "a user namespace for each connector, which runs as uid \(geteuid()) like the host"
            }
            let user = try ConnectorUser()
            confinement.user = user.uid
            try rehearse(confinement)
            return
                "one uid of \(ConnectorUser.range.lowerBound) to \(ConnectorUser.range.upperBound) for each connector"
        case .cgroup:
            let group = try ControlGroup(ConfinementLimits())
            group.apply(to: &confinement)
            try rehearse(confinement)
            return group.findings
        case .resourceLimits:
            try rehearse(confinement, limits: [.noCoreDump, .openFiles(256), .fileSize(0)])
        case .network: try rehearse(confinement, .network)
        case .ipc: try rehearse(confinement, .ipc)
        case .uts: try rehearse(confinement, .uts)
        case .cgroupNamespace: try rehearse(confinement, .cgroup)
        case .proc:
            try rehearse(confinement, .proc)
            return "mounts of its own, and a /proc with nothing but itself"
        case .parentDeathSignal: try rehearse(confinement)
        case .noNewPrivileges:
            confinement.noNewPrivileges = true
            try rehearse(confinement)
        case .memoryDenyWriteExecute:
            confinement.denyWriteExecute = true
            try rehearse(confinement)
        case .landlock:
            let ruleset = try LandlockRuleset([])
            confinement.noNewPrivileges = true
            confinement.landlockRuleset = ruleset.descriptor.raw
            try rehearse(confinement)
            return landlock(ruleset)
        case .seccomp:
            confinement.noNewPrivileges = true
            confinement.filtersSystemCalls = true
            try rehearse(confinement)
            return "an allowlist of system calls, no connection to anything"
        }
        return "works"
    }

    private static func landlock(_ ruleset: LandlockRuleset) -> String {
        let errata = LandlockRuleset.errata.map { "corrections 0x" + String($0, radix: 16) } ?? "corrections not told"
        let covered =
            switch ruleset.abi {
            case ..<4: "files only"
            case 4..<6: "files and TCP"
            case 6..<9: "files, TCP, signals and abstract sockets"
            default: "files, TCP, signals, abstract sockets and sockets by path"
            }
        return "version \(ruleset.abi) (\(covered)), \(errata)"
    }

    private static func rehearse(
        _ confinement: KernelConfinement, _ isolation: Isolation = [], limits: [ResourceLimit] = []
    ) throws(SystemError) {
        let null = OwnedDescriptor(
            try retryingInterrupts("open", "/dev/null") { open("/dev/null", O_RDWR | O_CLOEXEC) })
        var request = SpawnRequest(
            .rehearsal, arguments: ["rehearsal"], standardOutput: null.raw, standardError: null.raw)
        request.confinement = confinement
        request.confinement.isolation.formUnion(isolation)
        request.limits = limits
        do throws(SpawnError) {
            let child = try ChildProcess.spawn(request)
            guard child.reap(until: .after(milliseconds: 5_000)) == .exited(0) else {
                throw SpawnError(stage: "rehearsal", object: "", errno: ECHILD)
            }
        } catch {
            throw SystemError(stage: error.stage, errno: error.errno)
        }
    }

    private static var executableMemory: Line {
        let setting = TextFile.text("/proc/sys/vm/memfd_noexec").prefix { $0 != "\n" }
        let forbids = setting == "2"
        return Line(
            name: "sealed-executable", isAvailable: !forbids,
            finding: setting.isEmpty ? "no vm.memfd_noexec, before Linux 6.3" : "vm.memfd_noexec is \(setting)",
            consequence: forbids
                ? "no connector can be started; to change that: sysctl vm.memfd_noexec=1"
                : "the bytes that were verified are the bytes that run")
    }

    private static var peerIdentity: Line {
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | 0o2000000, 0, &ends) == 0 else {
            return Line(name: "peer-pidfd", isAvailable: false, finding: "no socket pair", consequence: "nothing works")
        }
        let peer = trstctl_peer_pidfd(ends[0])
        for end in ends { close(end) }
        if peer >= 0 { close(peer) }
        return Line(
            name: "peer-pidfd", isAvailable: peer >= 0,
            finding: peer >= 0 ? "SO_PEERPIDFD works" : "no SO_PEERPIDFD, before Linux 6.5",
            consequence: peer >= 0
                ? "a listener is compared with the connector's process itself"
                : "a listener is compared by process number, which cannot be reused before the host reaps it")
    }
}

extension ControlGroup {
    /// What the groups can do here.
    fileprivate var findings: String {
        let kill = directories.contains { access($0 + "/cgroup.kill", F_OK) == 0 }
        return "limits of processes and memory by version \(summary.dropFirst()), "
            + (kill ? "all of a connector killed as one (cgroup.kill)" : "no cgroup.kill (version 2 is not mounted)")
    }
}
