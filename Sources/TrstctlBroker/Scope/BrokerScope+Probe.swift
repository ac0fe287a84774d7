import Synchronization
import TrstctlCrypto
import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

/// Asking a TLS server what it serves: really, or what it would serve after the plan.
extension BrokerScope {
    func probeTLS(
        _ ticket: DialTicket, serverName: String, startTLS: StartTLS?, _ patience: Patience
    ) throws(EffectError) -> Effect {
        if rights == .recording, let planned, files.withLock({ $0.isChanged }) {
            let response = Wire.ProbeTlsResponse(
                certificates: planned.certificates, protocol: planned.protocolVersion, planned: true)
            return Effect(result: .probeTls(response), isPlanned: true)
        }
        let peer = try CheckedPeer(ticket, isPlain: false, network, patience)
        let chain = try ServedChain.probe(peer, serverName: serverName, startTLS: startTLS, patience)
        return Effect(result: .probeTls(chain.response), note: "served \(chain.fingerprint)")
    }
}

extension ServedChain {
    /// The effect of a TLS handshake.
    ///
    /// It takes a checked peer and nothing else that names one. An empty server name sends none.
    fileprivate static func probe(
        _ peer: CheckedPeer, serverName: String, startTLS: StartTLS?, _ patience: Patience
    ) throws(EffectError) -> ServedChain {
        do throws(ProbeError) {
            // An address is a name that is never sent (RFC 6066 section 3).
            let unnamed = peer.addresses.first.map(\.host) ?? peer.address.hostText
            return try TLSProbe.run(
                addresses: peer.addresses, serverName: serverName.isEmpty ? unnamed : serverName,
                startTLS: startTLS, deadline: patience.deadline, interruption: patience.interruption)
        } catch {
            throw EffectError(error)
        }
    }

    fileprivate var response: Wire.ProbeTlsResponse {
        var response = Wire.ProbeTlsResponse(
            certificates: certificates.prefix(16).map { certificate in
                Wire.ServedCertificate(
                    fingerprint: certificate.fingerprintText, subject: certificate.subject,
                    names: certificate.dnsNames + certificate.ipAddresses, notBefore: certificate.notBefore,
                    notAfter: certificate.notAfter)
            }, protocol: protocolVersion)
        switch systemTrust {
        case .trusted: response.verified = true
        case .untrusted(let reason): response.verificationError = reason
        }
        return response
    }
}

extension PeerAddress {
    /// The address without its port and brackets.
    fileprivate var host: String {
        let host = text.dropLast(String(port).count + 1)
        return String(isIPv6 ? host.dropFirst().dropLast() : host)
    }
}

extension EffectError {
    fileprivate init(_ error: ProbeError) {
        let code: Code
        switch error.code {
        case .invalidTarget: code = .invalid
        case .unresolved, .refused, .unreachable, .timedOut, .closed: code = .unreachable
        case .proxy, .notTLS, .handshake, .tooMuch: code = .badPeer
        case .local: code = .system
        }
        self.init(code, object: error.address, error.description)
    }
}
