import Foundation
import Glibc
import Testing
import TrstctlLaunch
import TrstctlProcess
import TrstctlSystem
import TrstctlTestSupport

/// Run by the test below, in a process of its own, as nobody.
@Suite("An unprivileged host", .enabled(if: geteuid() != 0, "needs a user who is not root"))
struct UnprivilegedHostTests {
    @Test("confines in a user namespace, and refuses in strict mode where no control group was delegated to it")
    func probes() throws {
        let probe = try Probe(.isStatic)
        guard let offered = KernelOffer.probe().lines.first(where: { $0.name == Layer.user.rawValue }),
            offered.isAvailable
        else {
            // Not here (a container, a sysctl): then strict mode must refuse, and name the layer.
            let error = #expect(throws: ConfinementError.self) { try probe.run() }
            guard case .layer(.user, _, _) = error?.code else {
                Issue.record("\(String(describing: error))")
                return
            }
            return
        }
        let before = try probe.canaries.state()
        let result = try probe.run(mode: .bestEffort)
        #expect(try probe.canaries.state() == before)
        #expect(result.status == .exited(42))
        // The one thing that an own user would take away: files of the host's user can be looked up, though not opened.
        #expect(result.successes == ConfinementTests.needed.union(["stat-private"]))
        #expect(result.layers.layers.first?.description == "own-user-namespace")
        #expect(Set(result.layers.missing.map(\.layer)).isSubset(of: [.cgroup]))
        for _ in 0..<50 {
            try #require(try probe.run(mode: .bestEffort, only: "nothing").status == .exited(0))
        }
        // Without a delegated group, strict mode is a refusal like for every other layer.
        let isDelegated = result.layers.missing.isEmpty
        #expect(KernelOffer.probe().allowsStrict == isDelegated)
        guard !isDelegated else { return }
        let error = #expect(throws: ConfinementError.self) { try probe.run() }
        guard case .layer(.cgroup, _, let wayOut) = error?.code else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(wayOut.contains("Delegate=yes"))
    }

    /// Whether the machine lets others than root make user namespaces.
    private static var hasNamespaces: Bool {
        KernelOffer.probe().lines.contains { $0.name == Layer.user.rawValue && $0.isAvailable }
    }

    private static func request(_ bench: SessionBench, _ name: String) -> SessionRequest {
        var request = bench.request(name)
        request.confinement = .bestEffort
        return request
    }

    @Test("the doctor's lines agree with what a start applies")
    func offer() throws {
        let offer = KernelOffer.probe()
        let applied = try Probe(.isStatic).run(mode: .bestEffort, only: "nothing").layers
        let offered = Set(offer.lines.filter(\.isAvailable).map(\.name)).subtracting([
            "sealed-executable", "peer-pidfd",
        ])
        #expect(offered == Set(applied.layers.map(\.layer.rawValue)))
        #expect(offer.allowsStrict == applied.missing.isEmpty)
    }

    @Test("scripts and dynamic executables start too")
    func profiles() async throws {
        guard UnprivilegedHostTests.hasNamespaces else { return }
        for build in [ConnectorBuild.python, .goStatic, .cDynamic] {
            let bench = try SessionBench()
            try build.install(in: bench.plugins.path)
            let executable = try build.executable(in: bench.plugins.path)
            let (session, layers) = try await Session.start(
                executable, UnprivilegedHostTests.request(bench, build.connector))
            _ = try await session.ping()
            #expect(layers.missing.allSatisfy { $0.layer == .cgroup })
            #expect(await session.stop() == .exited(0), "\(build)")
        }
    }

    @Test("talks to a connector in a user namespace")
    func session() async throws {
        let bench = try SessionBench()
        guard UnprivilegedHostTests.hasNamespaces else { return }
        try BuiltProduct.install("echo", in: bench.plugins.path)
        let (session, layers) = try await Session.start(
            try bench.executable("echo"), UnprivilegedHostTests.request(bench, "echo"))
        #expect(try await session.ping() == "")
        #expect(layers.missing.allSatisfy { $0.layer == .cgroup })
        await session.stop()
        #expect(bench.runDirectories == [])
    }
}

@Suite("Hosts of other users", .enabled(if: geteuid() == 0, "needs root"))
struct OtherUserTests {
    @Test("an unprivileged host confines its connectors too")
    func nobody() throws {
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") }
        // Where the checkout is not open to others, they cannot run it.
        guard OtherUserTests.isOpen(bundle ?? own), OtherUserTests.isOpen(own) else { return }
        let words =
            [own] + (bundle.map { ["--test-bundle-path", $0] } ?? []) + ["--filter", "UnprivilegedHostTests"]
            + (bundle.map { [$0] } ?? []) + ["--testing-library", "swift-testing"]
        let result = try run(own, Array(words.dropFirst())) { request in
            request.confinement.user = 65_534
            request.environment = ["PATH=/usr/bin:/bin", "TMPDIR=/tmp"]
        }
        #expect(result.status == .exited(0), "\(result.output)")
        #expect(result.output.contains("Suite \"An unprivileged host\" passed"), "\(result.output)")
    }

    private static func isOpen(_ path: String) -> Bool {
        var url = URL(fileURLWithPath: path)
        while url.path != "/" {
            var status = stat()
            guard stat(url.path, &status) == 0, status.st_mode & 0o001 != 0 else { return false }
            url.deleteLastPathComponent()
        }
        return true
    }
}
