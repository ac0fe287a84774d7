import Glibc
import TrstctlPolicy
import TrstctlSystem

/// The effect of sending bytes: everything goes out, and what comes back is taken up to where it ends.
struct SendExchange {
    /// What ends the answer; empty means the end of the stream.
    let end: Bytes
    /// The most bytes of the answer.
    let limit: Int
    /// The peer, for messages.
    let object: String
    let patience: Patience

    /// Sends and receives at the same time, so that neither side waits for the other.
    ///
    /// - Parameters:
    ///   - content: what is sent.
    ///   - stream: where to.
    /// - Returns: the answer, secret because nobody knows what it is.
    /// - Throws: `tooLarge`, `timedOut`, `badPeer` when the stream ends before the answer does, `scopeOver`.
    func run(_ content: Bytes, over stream: any SendStream) throws(EffectError) -> Bytes {
        var sent = 0
        var answer = WipedBuffer(capacity: min(16 << 10, limit + 1), limit: limit + 1)
        var isFinished = false
        while true {
            if sent < content.count {
                sent += try content.withUnsafeBytes { bytes throws(EffectError) in
                    try stream.send(UnsafeRawBufferPointer(rebasing: bytes[sent...]))
                }
            }
            if sent == content.count, !isFinished {
                isFinished = true
                if end.isEmpty { stream.finish() }
            }
            let known = answer.count
            var hasEnded = false
            let got = try answer.append { free throws(EffectError) in
                guard let got = try stream.receive(into: free) else { return 0 }
                hasEnded = got == 0
                return got
            }
            if let place = place(of: end, in: answer, from: known) {
                return answer.withUnsafeBytes {
                    Bytes(copying: UnsafeRawBufferPointer(rebasing: $0[..<place]), isSecret: true)
                }
            }
            guard got != nil, answer.count <= limit else {
                throw EffectError(.tooLarge, object: object, "\(object) answered more than \(limit) bytes")
            }
            if hasEnded {
                guard end.isEmpty, sent == content.count else {
                    throw EffectError(
                        .badPeer, object: object, "\(object) closed the connection before its answer was complete")
                }
                return answer.bytes(isSecret: true)
            }
            if answer.count == known { try wait(for: stream, toSend: sent < content.count) }
            try checkPatience()
        }
    }

    /// The place behind the first occurrence that ends in what is new; nil when there is none within the limit.
    private func place(of sequence: Bytes, in answer: borrowing WipedBuffer, from known: Int) -> Int? {
        guard !sequence.isEmpty else { return nil }
        let limit = limit
        return answer.withUnsafeBytes { bytes in
            sequence.withUnsafeBytes { part in
                guard let base = bytes.baseAddress, let wanted = part.baseAddress else { return nil }
                var index = max(0, known - part.count + 1)
                while index + part.count <= min(bytes.count, limit) {
                    if memcmp(base + index, wanted, part.count) == 0 { return index + part.count }
                    index += 1
                }
                return nil
            }
        }
    }

    private func wait(for stream: any SendStream, toSend: Bool) throws(EffectError) {
        var entries = [
            pollfd(fd: stream.pollable, events: Int16(toSend ? POLLIN | POLLOUT : POLLIN), revents: 0),
            pollfd(fd: patience.interruption.pollable, events: Int16(POLLIN), revents: 0),
        ]
        while poll(&entries, 2, patience.deadline.pollTimeout) < 1 { try checkPatience() }
    }

    private func checkPatience() throws(EffectError) {
        if patience.interruption.isRaised { throw .interrupted(object) }
        if patience.deadline.hasPassed {
            throw EffectError(.timedOut, object: object, "\(object) did not finish its answer before the deadline")
        }
    }
}
