package import TrstctlPolicy
package import TrstctlSystem

/// The proxy that a target's requests go through, as the operator chose it: nothing else is ever asked for one.
package struct RequestProxy: Hashable, Sendable {
    /// Where it listens; dialled wherever its name leads, because it is the operator's own word.
    package var address: DialAddress
    /// The value of `Proxy-Authorization`, secret; nil sends none.
    let authorization: Bytes?

    /// A proxy that asks nobody who he is.
    package init(address: DialAddress) {
        self.address = address
        authorization = nil
    }

    /// A proxy with basic authentication (RFC 7617); nil when the user or the password cannot be sent.
    ///
    /// - Parameters:
    ///   - address: where it listens.
    ///   - user: 1 byte or more without a colon and control characters.
    ///   - password: without control characters.
    package init?(address: DialAddress, user: String, password: Bytes) {
        let name = Bytes(user)
        guard !user.isEmpty, !user.utf8.contains(UInt8(ascii: ":")), HTTPField.isValue(name),
            HTTPField.isValue(password)
        else { return nil }
        self.address = address
        authorization = concatenated(["Basic ", base64(concatenated([name, ":", password]))])
    }

    /// Whether a granted peer is reached through the proxy.
    ///
    /// What the operator's rule says to be inside is dialled by the host itself: behind a proxy, 127.0.0.1 is another
    /// machine.
    func leads(to ticket: DialTicket) -> Bool {
        let number: Bytes
        switch ticket.address.host {
        case .name: return ticket.options.isDisjoint(with: [.privateNetwork, .loopback])
        case .ipv4(let bytes), .ipv6(let bytes): number = bytes
        }
        return PeerAddress(bytes: number.array, port: ticket.address.port).map { AddressReach($0) } == .everywhere
    }

    /// Asks the proxy for a connection (RFC 9110 section 9.3.6); what is said over it is between host and peer.
    ///
    /// - Parameters:
    ///   - socket: connected to the proxy, nothing said yet.
    ///   - peer: as it was granted; a name is looked up by the proxy.
    /// - Throws: `unreachable` when the proxy did not reach it, `proxy` when it does not want to, and the socket's errors.
    func connect(_ socket: borrowing ProbeSocket, to peer: DialAddress) throws(ProbeError) {
        var parts: [Bytes] = [Bytes("CONNECT \(peer.text) HTTP/1.1\r\nHost: \(peer.text)\r\n")]
        if let authorization { parts += ["Proxy-Authorization: ", authorization, "\r\n"] }
        let request = concatenated(parts + ["\r\n"])
        try request.withUnsafeBytes { bytes throws(ProbeError) in try socket.send(bytes) }
        let status = try RequestProxy.status(over: socket)
        switch status {
        case 200...299: return
        case 407:
            throw RequestProxy.refusal(
                authorization == nil
                    ? "the target's proxy asks who it is (407); the manifest gives the target's proxy no user"
                    : "the target's proxy does not accept its user and password (407)")
        // It tried, and nobody has seen a request.
        case 500...599:
            throw ProbeError(.unreachable, .connect, "proxy", "the target's proxy did not reach it (\(status))")
        default: throw RequestProxy.refusal("the target's proxy does not connect to it (\(status))")
        }
    }

    /// The status of the proxy's answer, which nothing may follow: what speaks TLS waits to be spoken to.
    private static func status(over socket: borrowing ProbeSocket) throws(ProbeError) -> UInt32 {
        // The length that some proxies announce means nothing before a tunnel, and a refusal's text is not read.
        var reply = HTTPReply(bodyLimit: 1, isHead: true)
        var pending: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while !reply.hasHead {
            if let end = pending.firstIndex(of: 0x0A) {
                let line = Array(pending[...end])
                pending.removeSubrange(...end)
                guard line.withUnsafeBytes({ reply.take(line: $0) }) else {
                    throw refusal("the target's proxy answered something that is not HTTP/1.1")
                }
                continue
            }
            guard pending.count <= HTTPReply.headerBytes else {
                throw refusal("the target's proxy answered without end")
            }
            let got = try socket.receive(into: &buffer)
            guard got > 0 else {
                throw ProbeError(.unreachable, .connect, "proxy", "the target's proxy closed the connection")
            }
            pending += buffer.prefix(got)
        }
        guard pending.isEmpty || !(200...299).contains(reply.status) else {
            throw refusal("the target's proxy sent more behind its answer; somebody on the way may have put it there")
        }
        return reply.status
    }

    private static func refusal(_ reason: String) -> ProbeError { ProbeError(.proxy, .connect, "proxy", reason) }
}
