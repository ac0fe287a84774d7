import Glibc
import TrstctlPolicy
package import TrstctlProcess
package import TrstctlSystem

/// The confinement of one connector process: prepared in the host, entered by the child just before its program starts.
package struct Confinement: Sendable {
    private let profile: SandboxProfile
    private let mode: ConfinementMode
    private let limits: ConfinementLimits
    private let host: HostPrivilege
    private let failing: Set<Layer>
    private let runDirectory: SharedDescriptor
    private let ruleset: LandlockRuleset?
    private var hold: Hold
    /// The layers that the next start applies.
    private var planned: Set<Layer> = []
    private var missing: [MissingLayer] = []

    /// Opens what the profile grants, builds the Landlock ruleset, reserves a uid and makes the control group.
    ///
    /// - Parameters:
    ///   - profile: by the kind of executable.
    ///   - mode: what happens when a layer cannot be applied.
    ///   - limits: what the connector may take.
    ///   - runDirectory: the private directory in which the connector may make its socket, and nothing else; it becomes
    ///     the connector's when that has an own uid.
    ///   - faults: for tests.
    /// - Throws: a `ConfinementError` naming the layer, the reason and the way out.
    package init(
        _ profile: SandboxProfile, mode: ConfinementMode = .strict, limits: ConfinementLimits = ConfinementLimits(),
        runDirectory: borrowing OwnedDescriptor, faults: ConfinementFaults = ConfinementFaults()
    ) throws(ConfinementError) {
        self.profile = profile
        self.mode = mode
        self.limits = limits
        self.failing = faults.failing
        host = .current
        self.runDirectory = try Confinement.share(runDirectory)
        hold = Hold(user: nil, group: nil)
        guard mode != .off else {
            ruleset = nil
            missing = Layer.allCases.map { MissingLayer(layer: $0, reason: "switched off by the manifest") }
            return
        }
        let landlock = try Confinement.landlock(profile, runDirectory)
        ruleset = landlock.ruleset
        for layer in Layer.allCases {
            planned.insert(layer)
            if faults.skipped.contains(layer) { try leaveOut(layer, "left out for a test", isFault: true) }
        }
        if let error = landlock.error { try leaveOut(.landlock, error) }
        if planned.contains(.memoryDenyWriteExecute), !KernelConfinement.canDenyWriteExecute {
            try leaveOut(.memoryDenyWriteExecute, "this kernel has no PR_SET_MDWE")
        }
        try reserveUser()
        try makeGroup()
    }

    private static func share(
        _ descriptor: borrowing OwnedDescriptor
    ) throws(ConfinementError) -> SharedDescriptor {
        do throws(SystemError) {
            return SharedDescriptor(try descriptor.duplicate().release())
        } catch {
            throw ConfinementError(.preparation(error))
        }
    }

    private static func landlock(
        _ profile: SandboxProfile, _ runDirectory: borrowing OwnedDescriptor
    ) throws(ConfinementError) -> (ruleset: LandlockRuleset?, error: SystemError?) {
        let grants = try profile.grants()
        var rules = grants.map { (descriptor: $0.descriptor.raw, access: $0.access) }
        rules.append((descriptor: runDirectory.raw, access: .makeSocket))
        defer { withExtendedLifetime(grants) {} }
        do throws(SystemError) {
            return (try LandlockRuleset(rules), nil)
        } catch {
            return (nil, error)
        }
    }

    private mutating func reserveUser() throws(ConfinementError) {
        guard host == .root, planned.contains(.user) else { return }
        do throws(SystemError) {
            let user = try ConnectorUser()
            try SearchableAncestors.check(runDirectory)
            guard fchown(runDirectory.raw, user.uid, user.uid) == 0 else {
                throw SystemError.last("fchown of the socket directory")
            }
            hold = Hold(user: user, group: hold.group)
        } catch {
            try leaveOut(.user, error)
        }
    }

    private mutating func makeGroup() throws(ConfinementError) {
        guard planned.contains(.cgroup) else { return }
        do throws(SystemError) {
            hold = Hold(user: hold.user, group: try ControlGroup(limits))
        } catch {
            try leaveOut(.cgroup, error)
        }
    }

    /// Goes on without a layer that the machine does not offer; what it merely ran out of is a refusal in every mode,
    /// because the next start would have the layer again.
    private mutating func leaveOut(_ layer: Layer, _ error: SystemError) throws(ConfinementError) {
        guard ![EMFILE, ENFILE, ENOMEM, ENOBUFS, EAGAIN].contains(error.errno) else {
            throw ConfinementError(.preparation(error))
        }
        try leaveOut(layer, error.description)
    }

    /// Goes on without a layer where the mode allows that.
    private mutating func leaveOut(_ layer: Layer, _ reason: String, isFault: Bool = false) throws(ConfinementError) {
        guard isFault || mode == .bestEffort else {
            throw ConfinementError(.layer(layer, reason, wayOut: layer.wayOut(for: host)))
        }
        guard planned.remove(layer) != nil else { return }
        missing.append(MissingLayer(layer: layer, reason: reason))
        if layer == .user, let user = hold.user {
            _ = fchown(runDirectory.raw, geteuid(), getegid())
            withExtendedLifetime(user) {}
            hold = Hold(user: nil, group: hold.group)
        }
        if layer == .cgroup { hold = Hold(user: hold.user, group: nil) }
        for dependent in Layer.allCases where dependent.needs == layer {
            try leaveOut(dependent, "needs \(layer)", isFault: isFault)
        }
    }

    /// Takes back the layer whose step failed in the child, so that the start can be repeated without it.
    ///
    /// - Throws: the refusal, where the mode demands the layer, or where the step belongs to none.
    package mutating func leaveOut(failed error: SpawnError) throws(ConfinementError) {
        guard let layer = planned.first(where: { $0.stages.contains(error.stage) }) else {
            throw ConfinementError(.start(error))
        }
        try leaveOut(layer, SystemError(stage: error.stage, errno: error.errno))
    }

    /// The layers a process is under once `apply` and `ChildProcess.spawn` have succeeded.
    package var layers: ActiveLayers {
        let applied = Layer.allCases.filter { planned.contains($0) }
        return ActiveLayers(layers: applied.map { AppliedLayer(layer: $0, detail: detail($0)) }, missing: missing)
    }

    private func detail(_ layer: Layer) -> String {
        switch layer {
        case .user: hold.user.map { "\($0.uid)" } ?? "namespace"
        case .cgroup: hold.group?.summary ?? ""
        case .landlock: ruleset.map { "\($0.abi)" } ?? ""
        default: ""
        }
    }

    /// A connector's own limits.
    private var resourceLimits: [ResourceLimit] {
        var all: [ResourceLimit] = [
            .noCoreDump, .openFiles(256), .fileSize(0), .lockedMemory(64 << 10), .stack(8 << 20),
        ]
        // It counts all processes of the uid, so it comes with the connector's own.
        if planned.contains(.user) { all.append(.processes(limits.processes)) }
        return all
    }

    /// Puts every layer into a request; this value must live until the process has started.
    package func apply(to request: inout SpawnRequest) {
        request.startsSession = true
        request.groupEndsWithLeader = true
        request.standardInput = nil
        request.hold = hold
        guard mode != .off else { return }
        request.limits = planned.contains(.resourceLimits) ? resourceLimits : []
        request.diesWithHost = planned.contains(.parentDeathSignal)
        request.confinement.noNewPrivileges = planned.contains(.noNewPrivileges)
        request.confinement.denyWriteExecute = planned.contains(.memoryDenyWriteExecute)
        request.confinement.landlockRuleset = planned.contains(.landlock) ? ruleset?.descriptor.raw : nil
        request.confinement.filtersSystemCalls = planned.contains(.seccomp)
        request.confinement.isolation = isolation
        hold.group?.apply(to: &request.confinement)
        request.confinement.user = hold.user?.uid
        request.confinement.failingStages = Set(failing.flatMap(\.stages))
    }

    private var isolation: Isolation {
        var isolation: Isolation = []
        if planned.contains(.user), host == .unprivileged { isolation.insert(.user) }
        let spaces: [(Layer, Isolation)] = [
            (.network, .network), (.ipc, .ipc), (.uts, .uts), (.cgroupNamespace, .cgroup), (.proc, .proc),
        ]
        for (layer, space) in spaces where planned.contains(layer) { isolation.insert(space) }
        return isolation
    }

    /// True when the file that runs should not be readable for the process: the kernel then lets nobody of the same user
    /// trace it or read its memory (`would_dump` in ptrace(2): "dumpable").
    fileprivate var hidesProgram: Bool { hold.user != nil && profile.kind == .staticELF && !profile.isScript }
}

/// What a confined process holds: its uid and its group.
private final class Hold: ProcessHold {
    let user: ConnectorUser?
    let group: ControlGroup?

    init(user: ConnectorUser?, group: ControlGroup?) {
        self.user = user
        self.group = group
    }

    func killAll() { group?.killAll() }
}

/// Whether another user can reach a directory by its path.
private enum SearchableAncestors {
    static func check(_ directory: SharedDescriptor) throws(SystemError) {
        var current = directory
        var before = stat()
        _ = fstat(current.raw, &before)
        for _ in 0..<64 {
            let number = current.raw
            current = SharedDescriptor(
                try retryingInterrupts("open ..") { openat(number, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC) })
            var status = stat()
            guard fstat(current.raw, &status) == 0 else { throw SystemError.last("fstat") }
            if status.st_ino == before.st_ino && status.st_dev == before.st_dev { return }
            guard status.st_mode & 0o001 != 0 else {
                throw SystemError(
                    stage: "the connector's user cannot search a directory above its socket directory; "
                        + "choose another runtime directory, or chmod o+x the one with",
                    object: "mode "
                        + String(status.st_mode & 0o7777, radix: 8), errno: EACCES)
            }
            before = status
        }
    }
}

extension VerifiedExecutable {
    /// Starts the verified bytes, confined.
    ///
    /// In best-effort mode a layer that fails in the child is left out and the start is repeated; `confinement.layers`
    /// then tells what was applied.
    ///
    /// - Parameters:
    ///   - confinement: made for this executable's kind.
    ///   - environment: the whole environment, `NAME=value` each.
    ///   - standardOutput: a descriptor for writing, borrowed.
    ///   - standardError: a descriptor for writing, borrowed; may be the same.
    /// - Returns: the running process.
    /// - Throws: the layer that could not be applied, or the step of the start that failed.
    package func start(
        under confinement: inout Confinement, environment: [Bytes], standardOutput: Int32, standardError: Int32
    ) throws(ConfinementError) -> ChildProcess {
        while true {
            var request = SpawnRequest(
                .descriptor(program), arguments: arguments, standardOutput: standardOutput, standardError: standardError
            )
            if interpreter != nil { request.script = descriptor }
            request.environment = environment
            confinement.apply(to: &request)
            // The seals leave the mode alone, except for the execute bits.
            fchmod(program, confinement.hidesProgram ? 0o111 : 0o555)
            do throws(SpawnError) {
                return try ChildProcess.spawn(request)
            } catch {
                try confinement.leaveOut(failed: error)
            }
        }
    }
}
