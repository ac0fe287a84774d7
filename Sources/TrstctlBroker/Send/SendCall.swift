import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

/// A connector's `Send` whose address and bounds follow the grammar; references are not resolved yet.
struct SendCall: Sendable {
    /// Whom it goes to.
    enum Peer: Hashable, Sendable {
        case address(DialAddress)
        case socket(AbsolutePath)
    }

    let peer: Peer
    let message: Wire.SendRequest
    let milliseconds: Int64
    let answerLimit: Int

    /// The most bytes of the sequence that ends an answer.
    static let sequenceLimit = 64

    /// Checks a call.
    ///
    /// - Throws: `invalid`.
    init(_ message: Wire.SendRequest) throws(EffectError) {
        do throws(GrammarError) {
            if message.address.utf8.starts(with: "unix:".utf8) {
                peer = .socket(try AbsolutePath(Bytes(Array(message.address.utf8.dropFirst(5)))))
            } else {
                peer = .address(try DialAddress(message.address))
            }
        } catch {
            throw EffectError(.invalid, object: error.found, "address \(error)")
        }
        milliseconds = Int64(
            try bounded(message.timeoutMilliseconds, default: 10_000, atMost: 600_000, "timeout_milliseconds"))
        answerLimit = Int(
            try bounded(
                message.maxResponseBytes, default: 64 << 10, atMost: UInt32(BrokeredRequest.contentLimit),
                "max_response_bytes"))
        guard message.readUntil.count <= SendCall.sequenceLimit else {
            throw EffectError(
                .invalid, object: "read_until", "read_until is longer than \(SendCall.sequenceLimit) bytes")
        }
        guard message.tls == nil || message.useTls else {
            throw EffectError(.invalid, object: "tls", "TLS options without use_tls mean nothing")
        }
        if case .socket = peer, message.useTls {
            throw EffectError(.invalid, object: "use_tls", "TLS over a Unix socket is not offered")
        }
        self.message = message
    }

    /// What has to be authorised; nobody knows what bytes do, so they may change something.
    var operation: Operation {
        switch peer {
        case .address(let address): .send(address)
        case .socket(let path): .sendSocket(path)
        }
    }
}
