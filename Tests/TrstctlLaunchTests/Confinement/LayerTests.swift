import Foundation
import Glibc
import Testing
import TrstctlLaunch
import TrstctlProcess
import TrstctlSystem

/// What shows that a layer does something: an attempt that succeeds as soon as this layer is left out.
struct LayerProof: CustomTestStringConvertible, Sendable {
    let layer: Layer
    /// The attempts, by the probe's names.
    let attempts: Set<String>
    /// Layers that stop the same attempts, and are left out in both runs.
    var overlapping: Set<Layer> = []
    /// The attempt is made in a run of its own, because it may end the process.
    var isAlone = false

    var testDescription: String { layer.rawValue }

    /// `spec/confinement.md` has the same table.
    static let all: [LayerProof] = [
        LayerProof(layer: .user, attempts: ["stat-private", "root-uid", "capabilities"]),
        LayerProof(layer: .cgroup, attempts: ["memory"], isAlone: true),
        LayerProof(layer: .resourceLimits, attempts: ["descriptors-300"]),
        LayerProof(layer: .network, attempts: ["sees-abstract", "same-net"]),
        LayerProof(layer: .ipc, attempts: ["same-ipc"]),
        LayerProof(layer: .ipc, attempts: ["shm"], overlapping: [.seccomp]),
        LayerProof(layer: .uts, attempts: ["same-uts"]),
        LayerProof(layer: .cgroupNamespace, attempts: ["cgroup-path", "same-cgroup"]),
        LayerProof(layer: .proc, attempts: ["same-mnt"]),
        LayerProof(
            layer: .proc, attempts: ["proc-host", "proc-others", "proc-net", "proc-cpuinfo"], overlapping: [.landlock]),
        LayerProof(layer: .parentDeathSignal, attempts: ["orphan"], overlapping: [.seccomp]),
        LayerProof(
            layer: .noNewPrivileges, attempts: ["setuid"], overlapping: [.seccomp, .landlock], isAlone: true),
        LayerProof(layer: .memoryDenyWriteExecute, attempts: ["write-execute", "write-then-execute"]),
        LayerProof(layer: .landlock, attempts: ["open-passwd", "open-canary", "bind-elsewhere"]),
        LayerProof(
            layer: .seccomp,
            attempts: [
                "socket-udp", "socket-netlink", "connect-unix", "datagram-by-pair", "memfd", "fork", "chdir",
                "fcntl-owner",
            ]),
        LayerProof(layer: .network, attempts: ["udp", "tcp-fastopen", "tcp-mptcp"], overlapping: [.seccomp]),
        LayerProof(layer: .user, attempts: ["chown", "setuid-0", "priority-host"], overlapping: [.seccomp]),
        LayerProof(layer: .user, attempts: ["open-shadow"], overlapping: [.landlock]),
    ]
}

@Suite("Layers of the confinement")
struct LayerTests {
    @Test("a layer is proven: without it a named attempt succeeds", arguments: LayerProof.all)
    func proof(_ proof: LayerProof) throws {
        let probe = try Probe(.isStatic)
        var limits = ConfinementLimits()
        if proof.layer == .cgroup { limits.memoryBytes = 16 << 20 }
        let only = proof.isAlone ? proof.attempts.first : nil
        let with = try probe.run(without: proof.overlapping, only: only, limits: limits)
        let without = try probe.run(without: proof.overlapping.union([proof.layer]), only: only, limits: limits)
        #expect(with.successes.isDisjoint(with: proof.attempts))
        #expect(without.successes.isSuperset(of: proof.attempts))
        #expect(without.layers.missing.contains { $0.layer == proof.layer })
        #expect(!without.layers.layers.contains { $0.layer == proof.layer })
    }

    @Test("every layer has a proof")
    func completeness() {
        #expect(Set(LayerProof.all.map(\.layer)) == Set(Layer.allCases))
    }

    @Test("strict mode refuses when a layer fails, and names it, the reason and the way out", arguments: Layer.allCases)
    func strict(layer: Layer) throws {
        let probe = try Probe(.isStatic)
        let error = #expect(throws: ConfinementError.self) { try probe.run(failing: [layer], only: "nothing") }
        guard case .layer(let named, let reason, let wayOut) = error?.code else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(named == layer)
        #expect(reason.contains("Function not implemented"))
        #expect(!wayOut.isEmpty)
        let text = "\(try #require(error))"
        #expect(text.contains("the sandbox layer \(layer) cannot be applied"))
        #expect(text.contains("best-effort"))
    }

    @Test("best-effort mode starts without the layer that fails, and lists it", arguments: Layer.allCases)
    func bestEffort(layer: Layer) throws {
        let result = try Probe(.isStatic).run(mode: .bestEffort, failing: [layer], only: "nothing")
        #expect(result.status == .exited(0))
        let missing = Set(result.layers.missing.map(\.layer))
        #expect(missing == (layer == .noNewPrivileges ? [.noNewPrivileges, .landlock, .seccomp] : [layer]))
        #expect(Set(result.layers.layers.map(\.layer)) == Set(Layer.allCases).subtracting(missing))
        #expect(result.layers.missing.first?.reason.contains("Function not implemented") == true)
    }

    @Test("best-effort mode starts without any layer, and lists them all")
    func nothing() throws {
        let result = try Probe(.isStatic).run(mode: .bestEffort, failing: Set(Layer.allCases), only: "nothing")
        #expect(result.status == .exited(0))
        #expect(Set(result.layers.missing.map(\.layer)) == Set(Layer.allCases))
        #expect("\(result.layers)" == "none")
    }
}
