import Testing
import TrstctlTestSupport

@testable import TrstctlHost

/// The hostile suite, whose table is in `spec/hostile.md`.
///
/// Each case asserts the outcome with its reason code, that nothing
/// else happened, the audit record, and that the host serves a healthy connector in the same run.
@Suite("The hostile suite", .ownThreads)
struct HostileTests {
    @Test("Discovery: what is found and not taken", arguments: HostileCase.discovery)
    func discovery(_ entry: HostileCase) async throws { try await attack(entry) }

    @Test("Checksums: bytes that are not pinned", arguments: HostileCase.checksums)
    func checksums(_ entry: HostileCase) async throws { try await attack(entry) }

    @Test("Signatures: what does not count", arguments: HostileCase.signatures + HostileCase.signatureForms)
    func signatures(_ entry: HostileCase) async throws { try await attack(entry) }

    @Test("Handshakes: lines, paths, sockets and peers", arguments: HostileCase.handshakes)
    func handshakes(_ entry: HostileCase) async throws { try await attack(entry) }

    @Test("Frames: lengths, messages and ends", arguments: HostileCase.frames)
    func frames(_ entry: HostileCase) async throws { try await attack(entry) }

    @Test("Calls: ids, directions, scopes and deadlines", arguments: HostileCase.calls)
    func calls(_ entry: HostileCase) async throws { try await attack(entry) }

    @Test("Sandbox: what a running connector tries by itself", arguments: HostileCase.sandbox)
    func sandbox(_ entry: HostileCase) async throws { try await attack(entry) }

    @Test("Lifecycle: how connectors do not end", arguments: HostileCase.lifecycle)
    func lifecycle(_ entry: HostileCase) async throws { try await attack(entry) }

    @Test("Resources: what connectors use up", arguments: HostileCase.resources)
    func resources(_ entry: HostileCase) async throws { try await attack(entry) }

    private func attack(_ entry: HostileCase) async throws {
        let bench = try HostileBench()
        let host = try bench.host(entry)
        let attack = try HostileAttack(entry, bench)
        try attack.expect(try await host.apply([]))
    }
}
