import Synchronization
import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

/// Bytes to a peer: really, or in the plan.
extension BrokerScope {
    func send(_ call: SendCall, _ ticket: Ticket, _ patience: Patience) throws(EffectError) -> Effect {
        let patience = patience.atMost(milliseconds: call.milliseconds)
        let object = call.operation.object
        var sent = SentSecrets()
        let content = try secrets.assemble(
            call.message.content, limit: BrokeredRequest.contentLimit, field: "content", patience: patience)
        sent.note(call.message.content, secrets)
        let tls = try call.message.tls.map { options throws(EffectError) in try tlsSettings(options, &sent) }
        var peer: CheckedPeer?
        if case .dial(let ticket) = ticket {
            peer = try CheckedPeer(ticket, isPlain: !call.message.useTls, network, patience)
        }
        return try exclusively(object) { () throws(EffectError) in
            guard rights != .recording else {
                files.withLock { $0.note(call: object) }
                return Effect(result: .send(Wire.SendResponse(planned: true)), isPlanned: true)
            }
            let stream = try connect(ticket, peer, call.message.useTls ? tls ?? TLSSettings() : nil, patience)
            let exchange = SendExchange(
                end: call.message.readUntil, limit: call.answerLimit, object: object, patience: patience)
            deployment?.willRun()
            files.withLock { $0.note(call: object) }
            let answer = try exchange.run(content, over: stream)
            try secrets.refuseKey(in: answer, "the answer of \(object)", isCut: true)
            try sent.refuse([answer], object, isCut: true)
            return Effect(result: .send(Wire.SendResponse(content: answer)), bytes: answer.count)
        }
    }

    private func connect(
        _ ticket: Ticket, _ peer: CheckedPeer?, _ tls: TLSSettings?, _ patience: Patience
    ) throws(EffectError) -> any SendStream {
        switch (ticket, peer, tls) {
        case (.socket(let ticket), _, nil): return SocketStream(try UnixSocket.connect(ticket, patience))
        case (.dial, let peer?, let tls?): return try CurlStream(peer, tls, patience)
        case (.dial, let peer?, nil): return SocketStream(try peer.connect(patience).release())
        default: throw EffectError(.system, object: "Send", "the ticket is for another operation")
        }
    }
}
