import Synchronization
import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

/// Asking a TLS server what it serves: really, or what it would serve after the plan.
extension BrokerScope {
    func probeTLS(
        _ ticket: DialTicket, serverName: String, until deadline: Deadline
    ) throws(EffectError) -> Effect {
        if rights == .recording, let planned, files.withLock({ $0.isChanged }) {
            let response = Wire.ProbeTlsResponse(
                certificates: planned.certificates, protocol: planned.protocolVersion, planned: true)
            return Effect(result: .probeTls(response), isPlanned: true)
        }
        throw EffectError(.unimplemented, object: ticket.address.text, "probing")
    }
}
