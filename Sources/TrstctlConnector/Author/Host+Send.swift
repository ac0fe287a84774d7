internal import TrstctlSystem
internal import TrstctlWire

/// What a peer answered to bytes.
public struct SendAnswer: Sendable {
    /// What came back, the sequence that ends it included.
    public var bytes: [UInt8]
    /// Whether nothing was sent, only recorded, see ``Host/isRecording``.
    public var isPlanned: Bool

    /// The bytes as text; broken UTF-8 is replaced.
    public var text: String { String(decoding: bytes, as: UTF8.self) }
}

extension Host {
    /// Sends bytes to a peer and takes its answer.
    ///
    /// Needs ``Grant/dial(_:)``. It counts as changing something, so it is denied in calls that only read.
    ///
    /// - Parameters:
    ///   - content: at most 3 MiB when the secrets are in place.
    ///   - address: `host:port`, or `unix:/path`. Without TLS a `host:port` is this machine, unless the operator
    ///     permits more.
    ///   - tls: how the peer is verified; nil sends without TLS.
    ///   - end: the sequence that ends the answer, at most 64 bytes; empty means the end of the stream, and then the
    ///     peer is told that nothing more will come.
    ///   - maxResponseBytes: a longer answer is `resourceExhausted`; 1 to 3 MiB.
    ///   - timeoutMilliseconds: for everything, 1 to 600 000.
    /// - Returns: the answer.
    /// - Throws: `denied`, `unavailable` when nobody answers, `failedPrecondition` when the peer cannot be verified or
    ///   leaves before its answer ends.
    public func send(
        _ content: [Segment], to address: String, tls: TLSOptions? = nil, until end: [UInt8] = [],
        maxResponseBytes: Int = 64 << 10, timeoutMilliseconds: Int = 10_000
    ) throws(ConnectorError) -> SendAnswer {
        let call = Wire.SendRequest(
            address: address, useTls: tls != nil, tls: tls?.message, content: content.map(\.message),
            readUntil: Bytes(end), maxResponseBytes: UInt32(clamping: maxResponseBytes),
            timeoutMilliseconds: UInt32(clamping: timeoutMilliseconds))
        guard case .send(let response) = try request(.send(call), bytes: content.estimatedBytes) else {
            throw Host.mismatch
        }
        return SendAnswer(bytes: response.content.array, isPlanned: response.planned)
    }
}
