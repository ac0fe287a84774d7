import Glibc
import TrstctlBroker
import TrstctlLaunch
import TrstctlPolicy
import TrstctlSystem

/// The host's own proof of what is served: TLS handshakes.
struct ServedProof: Sendable {
    /// How long a single look may take, in milliseconds.
    private static let patience: Int64 = 2_000

    let probe: Probe
    var threads = ScopeRegistry.proofs

    /// Waits until one of these fingerprints is served, before the probe's deadline.
    ///
    /// Its time begins when it has a thread: others, whose servers are silent, may have all of them.
    ///
    /// - Returns: the fingerprint that is served; empty when there is none that could be relied on, and then why.
    func wait(for accepted: Set<String>) async -> (found: String, reason: String) {
        let probe = probe
        return await threads.run { () -> (String, String) in
            let deadline = Deadline.after(milliseconds: Int64(probe.timeout) * 1_000)
            var row = ServedRow(accepted: accepted)
            while !row.isProven {
                let patience = Deadline.after(milliseconds: ServedProof.patience)
                do {
                    row.saw(try ServedProof.handshake(probe, deadline))
                } catch {
                    let isTimeout = (error as? ProbeError)?.code == .timedOut
                    row.missed("\(error)", isCutShort: isTimeout && deadline.hasPassed && !patience.hasPassed)
                }
                if deadline.hasPassed { break }
                if !row.isAgreeing { usleep(50_000) }
            }
            return row.result
        }
    }

    /// Looks once.
    ///
    /// - Returns: the fingerprint that is served; nil when nobody answers.
    func look() async -> String? {
        let probe = probe
        return await threads.run {
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

/// What a row of handshakes shows.
///
/// One that saw the certificate proves nothing by itself: after a reload the workers of before answer for a moment, and a
/// server can die after its first answer.
struct ServedRow: Sendable {
    /// How many in a row must show the certificate, where the deadline leaves time for them.
    private static let enough = 3

    private let accepted: Set<String>
    private var agreeing = 0
    private var last = ""
    private var failure = ""
    /// What came after a handshake that had shown it, and was something else.
    private var contradiction: String?

    init(accepted: Set<String>) {
        self.accepted = accepted
    }

    var isAgreeing: Bool { agreeing > 0 }
    var isProven: Bool { agreeing >= ServedRow.enough }

    /// A handshake showed this fingerprint.
    mutating func saw(_ fingerprint: String) {
        last = fingerprint
        if accepted.contains(fingerprint) {
            agreeing += 1
        } else {
            contradict("fingerprint \(fingerprint)")
        }
    }

    /// A handshake failed.
    ///
    /// - Parameters:
    ///   - reason: why.
    ///   - isCutShort: only the end of the time that there was ended it, so it says nothing.
    mutating func missed(_ reason: String, isCutShort: Bool) {
        guard !isCutShort || (last.isEmpty && failure.isEmpty) else { return }
        last = ""
        failure = reason
        contradict(reason)
    }

    private mutating func contradict(_ what: String) {
        if agreeing > 0 { contradiction = what }
        agreeing = 0
    }

    /// What is served, when the time is over: the fingerprint, or nothing and why.
    ///
    /// Fewer handshakes than are wanted are enough where no other one spoke against them: some servers are slow.
    var result: (found: String, reason: String) {
        guard agreeing > 0, !isProven, let contradiction else { return (last, last.isEmpty ? failure : "") }
        return ("", "it was served in some handshakes and not in others, last: \(contradiction)")
    }
}
