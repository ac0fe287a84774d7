import TrstctlPolicy
package import TrstctlProcess
package import TrstctlSystem

/// The confinement of one connector process: built in the host, entered by the child just before its program starts.
package struct Confinement: ~Copyable, Sendable {
    private let ruleset: LandlockRuleset
    private let deniesWriteExecute: Bool

    /// A connector's own limits.
    ///
    /// RLIMIT_NPROC is not among them: it counts all processes of the uid, so it comes with the connector's own uid.
    /// That a connector starts no process is seccomp's work.
    private static let limits: [ResourceLimit] = [
        .noCoreDump, .openFiles(256), .fileSize(0), .lockedMemory(64 << 10), .stack(8 << 20),
    ]

    /// Opens what the profile grants and builds the Landlock ruleset.
    ///
    /// - Parameters:
    ///   - profile: by the kind of executable.
    ///   - runDirectory: the private directory in which the connector may make its socket, and nothing else.
    /// - Throws: a `ConfinementError` naming the layer that this kernel does not have.
    package init(_ profile: SandboxProfile, runDirectory: borrowing OwnedDescriptor) throws(ConfinementError) {
        let grants = try profile.grants()
        var rules = grants.map { (descriptor: $0.descriptor.raw, access: $0.access) }
        rules.append((descriptor: runDirectory.raw, access: .makeSocket))
        do throws(SystemError) {
            ruleset = try LandlockRuleset(rules)
        } catch {
            throw ConfinementError(.layer("landlock", error))
        }
        withExtendedLifetime(grants) {}
        deniesWriteExecute = KernelConfinement.canDenyWriteExecute
    }

    /// The layers a process is under once `apply` and `ChildProcess.spawn` have succeeded.
    package var layers: ActiveLayers {
        var layers: [Layer] = [.resourceLimits, .parentDeathSignal, .noNewPrivileges]
        if deniesWriteExecute { layers.append(.memoryDenyWriteExecute) }
        return ActiveLayers(layers: layers + [.landlock(abi: ruleset.abi), .seccomp])
    }

    /// Puts every layer into a request; this value must live until the process has started.
    package borrowing func apply(to request: inout SpawnRequest) {
        request.limits = Confinement.limits
        request.startsSession = true
        request.diesWithHost = true
        request.groupEndsWithLeader = true
        request.standardInput = nil
        request.confinement.noNewPrivileges = true
        request.confinement.denyWriteExecute = deniesWriteExecute
        request.confinement.landlockRuleset = ruleset.descriptor.raw
        request.confinement.filtersSystemCalls = true
    }
}

extension VerifiedExecutable {
    /// Starts the verified bytes, confined.
    ///
    /// - Parameters:
    ///   - confinement: made for this executable's kind.
    ///   - environment: the whole environment, `NAME=value` each.
    ///   - standardOutput: a descriptor for writing, borrowed.
    ///   - standardError: a descriptor for writing, borrowed; may be the same.
    /// - Returns: the running process.
    /// - Throws: the step that failed; a layer that could not be applied is one of them.
    package func start(
        under confinement: borrowing Confinement, environment: [Bytes], standardOutput: Int32, standardError: Int32
    ) throws(SpawnError) -> ChildProcess {
        var request = SpawnRequest(
            .descriptor(descriptor), arguments: [Bytes(name.executableFileName)], standardOutput: standardOutput,
            standardError: standardError)
        request.environment = environment
        confinement.apply(to: &request)
        return try ChildProcess.spawn(request)
    }
}
