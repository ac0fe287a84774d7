internal import TrstctlSystem
internal import TrstctlWire

/// What the host does for a connector during one call, each time after checking the grants.
///
/// It is borrowed: it cannot be stored, because the host refuses everything once the call has ended. Every operation
/// throws what the host answered: `denied` with the manifest line that would allow it, `unavailable` when nobody
/// answers at an address, and so on.
public struct Host: ~Copyable {
    let session: Session
    let worker: Session.Worker
    let call: Session.RunningCall

    /// Whether this is a rehearsal: operations are checked and recorded, and answer as if they had succeeded.
    ///
    /// A connector seldom needs to know: only when it keeps state of its own, or would wait for an effect.
    public let isRecording: Bool

    init(session: Session, worker: Session.Worker, call: Session.RunningCall, isRecording: Bool) {
        self.session = session
        self.worker = worker
        self.call = call
        self.isRecording = isRecording
    }

    /// Whether the host no longer wants the result of this call, or its deadline has passed.
    ///
    /// Asking also takes in what the host has sent, so ask now and then in long computations.
    public var isCancelled: Bool {
        session.state.lock()
        defer { session.state.unlock() }
        if !call.isCancelled { session.lookAround(worker) }
        return call.isCancelled || call.deadline.hasPassed
    }

    /// A clock in milliseconds that only goes forward, for limits of your own; where it begins means nothing.
    public var clock: Int { Int(clamping: Deadline.now.nanoseconds / 1_000_000) }

    /// Waits.
    ///
    /// - Parameter milliseconds: how long; 0 or less returns at once.
    /// - Throws: `cancelled` when the host gives the call up meanwhile, `deadlineExceeded` when its deadline passes.
    public func sleep(milliseconds: Int) throws(ConnectorError) {
        let end = Deadline.after(milliseconds: Int64(milliseconds))
        session.state.lock()
        let got = session.wait(worker, for: .cancellation(call), until: min(end, call.deadline))
        session.state.unlock()
        switch got {
        case .cancellation: throw ConnectorError(.cancelled, "the host cancelled the call")
        case .end: throw Session.ended
        default: break
        }
        guard !call.deadline.hasPassed else {
            throw ConnectorError(.deadlineExceeded, "the deadline of the call has passed")
        }
    }

    func request(
        _ method: Wire.Call.Method, bytes: Int = 256
    ) throws(ConnectorError) -> Wire.Reply.Result? {
        try session.request(method, in: call, worker, bytes: bytes)
    }

    /// For answers of the wrong kind, which the session refuses before they get here.
    static let mismatch = ConnectorError(.internal, "the host answered with another method's result")
}
