import Glibc
import TrstctlBroker
import TrstctlLaunch
import TrstctlPolicy
import TrstctlSystem

/// The host's own proof of what is served: TLS handshakes.
struct ServedProof: Sendable {
    /// How many handshakes in a row must show the certificate: after a reload the workers of before answer for a moment.
    private static let agreeingHandshakes = 3
    /// How long a single look may take, in milliseconds.
    private static let patience: Int64 = 2_000

    let probe: Probe

    /// Waits until one of these fingerprints is served, before the probe's deadline.
    ///
    /// - Returns: the fingerprint that was seen last, empty when there was none, and then why.
    func wait(for accepted: Set<String>) async -> (found: String, reason: String) {
        let probe = probe
        let deadline = Deadline.after(milliseconds: Int64(probe.timeout) * 1_000)
        return await ScopeRegistry.proofs.run { () -> (String, String) in
            var found = ""
            var reason = ""
            var agreeing = 0
            while true {
                do {
                    found = try ServedProof.handshake(probe, deadline)
                    agreeing = accepted.contains(found) ? agreeing + 1 : 0
                    if agreeing == ServedProof.agreeingHandshakes { return (found, "") }
                    if agreeing > 0 { continue }
                } catch {
                    reason = "\(error)"
                }
                if deadline.hasPassed { return (found, reason) }
                usleep(50_000)
            }
        }
    }

    /// Looks once.
    ///
    /// - Returns: the fingerprint that is served; nil when nobody answers.
    func look() async -> String? {
        let probe = probe
        return await ScopeRegistry.proofs.run {
            try? ServedProof.handshake(probe, .after(milliseconds: ServedProof.patience))
        }
    }

    private static func handshake(_ probe: Probe, _ deadline: Deadline) throws -> String {
        try TLSProbe.run(
            host: probe.address.hostText, port: probe.address.port, serverName: probe.serverName?.text,
            startTLS: probe.startTLS, deadline: deadline
        ).fingerprint
    }
}
