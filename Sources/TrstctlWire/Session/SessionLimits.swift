/// What a side of the connection accepts, as exchanged in Hello.
package struct SessionLimits: Hashable, Sendable {
    /// The longest frame, in bytes without the length prefix.
    package var frameBytes: Int
    /// Calls without a reply yet.
    package var calls: Int
    /// Bytes of such calls.
    package var callBytes: Int

    package init(frameBytes: Int = 4 << 20, calls: Int = 64, callBytes: Int = 16 << 20) {
        self.frameBytes = frameBytes
        self.calls = calls
        self.callBytes = callBytes
    }

    /// What a peer announced, with defaults for zeros and everything clamped into the bounds of `session.proto`.
    package init(_ limits: Wire.Limits?) {
        let announced = limits ?? Wire.Limits()
        self.init(
            frameBytes: announced.maxFrameBytes == 0
                ? 4 << 20 : min(64 << 20, max(64 << 10, Int(announced.maxFrameBytes))),
            calls: announced.maxCalls == 0 ? 64 : min(1024, Int(announced.maxCalls)),
            callBytes: announced.maxCallBytes == 0 ? 16 << 20 : Int(announced.maxCallBytes))
    }

    /// The message that announces these limits.
    package var message: Wire.Limits {
        Wire.Limits(
            maxFrameBytes: UInt32(clamping: frameBytes), maxCalls: UInt32(clamping: calls),
            maxCallBytes: UInt32(clamping: callBytes))
    }
}
