import CTrstctlSystem
import TrstctlSystem
import TrstctlWire

/// What a connection knows; guarded by its mutex.
struct ConnectionState: ~Copyable {
    /// Above this much memory of what is not written yet, in bytes, nothing more is read.
    static let highWaterMark = 16 << 20

    var multiplexer: Multiplexer
    var outgoing = OutgoingQueue()
    /// Whether a thread writes frames that it took, outside of the lock.
    private(set) var isWriting = false
    /// How much memory what it took takes.
    private var weightBeingWritten = 0
    /// An empty queue with room, for what comes while the other one is being written.
    private var spare = OutgoingQueue()
    var pending: [UInt32: PendingCall] = [:]
    var waitingForRoom: [PendingCall] = []
    /// How to end the peer's calls that are being worked on; nil while one begins.
    var running: [UInt32: CallHandler.Cancel?] = [:]
    var end: ConnectionEnd?
    var token: UInt64 = 0
    var flushRequested = false
    var watched = TRSTCTL_EPOLL_IN
    var stallDeadline = Deadline.never
    /// Until when what the peer said last may be read, once it takes nothing any more.
    var lastWordsDeadline = Deadline.never
    var armedTimer = Deadline.never

    init(multiplexer: Multiplexer) {
        self.multiplexer = multiplexer
    }

    /// How much memory what waits to be written takes, in bytes.
    var unwrittenWeight: Int { outgoing.weight + weightBeingWritten }

    /// Takes the frames to be written out of the lock; nil when there are none, or somebody else does it already.
    mutating func takeOutgoing() -> OutgoingQueue? {
        guard end == nil, !isWriting, !outgoing.isEmpty else { return nil }
        isWriting = true
        weightBeingWritten = outgoing.weight
        let taken = outgoing
        (outgoing, spare) = (spare, OutgoingQueue())
        return taken
    }

    /// Gives back what could not be written, before what was appended meanwhile.
    mutating func giveBack(_ rest: OutgoingQueue) {
        isWriting = false
        weightBeingWritten = 0
        guard end == nil else { return }
        guard !rest.isEmpty else {
            spare = rest
            return
        }
        let later = outgoing
        outgoing = rest
        outgoing.append(later)
    }

    /// A reply's encoded frame, or when that is longer than the peer accepts, one that says so.
    func acceptable(_ encoded: Bytes, for id: UInt32) -> Bytes {
        guard encoded.count - 4 > multiplexer.peerLimits.frameBytes else { return encoded }
        let status = Wire.Status(
            code: .resourceExhausted,
            message: "the answer has \(encoded.count - 4) bytes, and you accept \(multiplexer.peerLimits.frameBytes)")
        return Wire.Frame(id: id, kind: .reply(Wire.Reply(status: status))).encoded()
    }

    /// Sends a call's frame if the peer's window has room for it.
    ///
    /// - Returns: false when it must wait.
    /// - Throws: `tooLong` when the peer would not accept it at all.
    mutating func start(_ pending: PendingCall) throws(CallFailure) -> Bool {
        let encoded = Wire.Frame(id: multiplexer.nextID, kind: .call(pending.call)).encoded()
        guard encoded.count - 4 <= multiplexer.peerLimits.frameBytes else {
            throw .tooLong(bytes: encoded.count - 4, limit: multiplexer.peerLimits.frameBytes)
        }
        guard multiplexer.hasRoom(forBytes: encoded.count),
            let frame = multiplexer.start(pending.call, bytes: encoded.count, deadline: pending.deadline)
        else { return false }
        pending.id = frame.id
        self.pending[frame.id] = pending
        pending.started?(frame.id)
        outgoing.append(encoded)
        return true
    }
}

/// One of our calls while it waits; every field is guarded by the connection's mutex.
final class PendingCall: @unchecked Sendable {
    typealias Outcome = Result<Wire.Reply, CallFailure>

    let call: Wire.Call
    let deadline: Deadline
    let started: (@Sendable (UInt32) -> Void)?
    let answered: (@Sendable () -> Void)?
    var id: UInt32?
    var continuation: CheckedContinuation<Outcome, Never>?
    var isGivenUp = false

    init(call: Wire.Call, deadline: Deadline, started: (@Sendable (UInt32) -> Void)?, answered: (@Sendable () -> Void)?)
    {
        self.call = call
        self.deadline = deadline
        self.started = started
        self.answered = answered
    }
}
