package import TrstctlPolicy
package import TrstctlSystem

/// Asks a TLS server which certificate it serves, by making a handshake: the proof that a deployment took effect.
///
/// A probe trusts nobody and sends nothing but the handshake; the caller compares fingerprints. Its calls block until the
/// deadline at most, so they belong on a thread of their own, not on the cooperative pool.
package enum TLSProbe {
    /// Looks the host up and probes the first of its addresses that accepts a connection.
    ///
    /// - Parameters:
    ///   - host: an IPv4 or IPv6 literal without brackets, or a host name.
    ///   - port: 1 to 65535.
    ///   - serverName: the name for SNI; nil takes `host` when it is a name, and none when it is an address.
    ///   - startTLS: what to speak first; nil for TLS from the first byte.
    ///   - deadline: for everything together.
    /// - Returns: what the server showed.
    /// - Throws: `ProbeError`; when no address answers, that of the last one.
    package static func run(
        host: String, port: UInt16, serverName: String? = nil, startTLS: StartTLS? = nil, deadline: Deadline
    ) throws(ProbeError) -> ServedChain {
        let addresses = try AddressLookup.addresses(of: host, port: port, deadline: deadline)
        return try run(
            addresses: addresses, serverName: serverName ?? host, startTLS: startTLS, deadline: deadline)
    }

    /// Probes the first of these addresses that accepts a connection; for callers that checked the addresses.
    ///
    /// - Parameters:
    ///   - addresses: in the order to try; each one gets an equal share of the time that is left.
    ///   - serverName: the name for SNI; an IP literal is not sent (RFC 6066, 3: only DNS names are).
    ///   - startTLS: what to speak first; nil for TLS from the first byte.
    ///   - deadline: for everything together.
    ///   - interruption: ends the probe early, as if the deadline had passed.
    /// - Returns: what the server showed.
    /// - Throws: `ProbeError`; when no address answers, that of the last one.
    package static func run(
        addresses: [PeerAddress], serverName: String, startTLS: StartTLS? = nil, deadline: Deadline,
        interruption: Interruption? = nil
    ) throws(ProbeError) -> ServedChain {
        let isAddress = IPLiteral.isOne(serverName)
        guard isAddress || HostName.isValid(serverName) else {
            throw ProbeError(
                .invalidTarget, .handshake, HostName.printable(serverName), "the server name is no host name")
        }
        let name = serverName.hasSuffix(".") ? String(serverName.dropLast()) : serverName
        var failure = ProbeError(.unresolved, .resolve, HostName.printable(name), "no address to dial")
        for (index, address) in addresses.enumerated() {
            let socket: ProbeSocket
            let share = TLSProbe.share(of: deadline, among: addresses.count - index)
            do {
                socket = try ProbeSocket.connect(to: address, connected: share, deadline: deadline, interruption)
            } catch {
                failure = error
                continue
            }
            try startTLS?.agree(over: socket, address: address.text)
            let client = try TLSClient(
                serverName: isAddress ? nil : name, verifiedName: IPLiteral.withoutZone(name), address: address.text)
            try client.handshake(over: socket)
            return try client.servedChain()
        }
        throw failure
    }

    /// An equal share of the time that is left for the first of this many addresses.
    static func share(of deadline: Deadline, among count: Int) -> Deadline {
        let now = Deadline.now
        guard deadline != .never, count > 1, now < deadline else { return deadline }
        return Deadline(nanoseconds: now.nanoseconds + (deadline.nanoseconds - now.nanoseconds) / Int64(count))
    }
}
