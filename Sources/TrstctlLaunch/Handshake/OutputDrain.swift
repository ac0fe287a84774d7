import CTrstctlSystem
import Glibc
import Synchronization
import TrstctlSystem

/// Reads one of a connector's output streams to its end, always, so that the connector never blocks on it.
///
/// On stdout the first line can be taken as the handshake; everything else is log text.
final class OutputDrain: EventSource {
    private struct State {
        var lines = OutputLines()
        var first: [UInt8]? = []
        var token: UInt64 = 0
        var isOpen = true
    }

    /// What came of the first line.
    enum FirstLine: Sendable, Equatable {
        case line([UInt8])
        case tooLong
        /// The stream ended before a line feed; with what there was.
        case ended([UInt8])
    }

    private let pipe: OwnedDescriptor
    private let log: @Sendable (String) -> Void
    private let state: Mutex<State>
    let firstLine = OneShot<FirstLine>()
    /// Set when the stream has ended or was closed.
    let finished = OneShot<Bool>()

    /// Takes over the reading end of a pipe, which must be non-blocking.
    ///
    /// - Parameters:
    ///   - pipe: the reading end.
    ///   - takesFirstLine: whether the first line is the handshake, and not log text.
    ///   - log: gets every line, sanitised.
    /// - Throws: when the loop cannot watch the pipe.
    init(_ pipe: consuming OwnedDescriptor, takesFirstLine: Bool, log: @Sendable @escaping (String) -> Void)
        throws(SystemError)
    {
        self.pipe = pipe
        self.log = log
        var initial = State()
        if !takesFirstLine { initial.first = nil }
        state = Mutex(initial)
        // Under the lock: the loop may call `handle` before `add` has returned, and that may need the token.
        let descriptor = self.pipe.raw
        try state.withLock { state throws(SystemError) in
            state.token = try EventLoop.shared.add(descriptor, TRSTCTL_EPOLL_IN, self)
        }
    }

    /// The last lines, for error messages.
    var tail: [String] { state.withLock { $0.lines.tail } }

    /// How many bytes were not kept.
    var dropped: Int { state.withLock { $0.lines.dropped } }

    func handle(_ events: UInt32) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        // Up to 16 buffers a round: a flood must not keep the loop from its other work.
        for _ in 0..<16 {
            let count = read(pipe.raw, &buffer, buffer.count)
            guard count > 0 else {
                if count == 0 || (errno != EAGAIN && errno != EINTR) { close() }
                return
            }
            take(buffer[..<count])
            if count < buffer.count { return }
        }
    }

    private func take(_ bytes: ArraySlice<UInt8>) {
        var bytes = bytes
        var lines: [String] = []
        var first: FirstLine?
        state.withLock { state in
            if var line = state.first {
                let end = bytes.firstIndex(of: UInt8(ascii: "\n"))
                line += bytes[..<(end ?? bytes.endIndex)].prefix(4098)
                if line.count > 4096 {
                    first = .tooLong
                    state.first = nil
                } else if let end {
                    first = .line(line)
                    state.first = nil
                    bytes = bytes[(end + 1)...]
                } else {
                    state.first = line
                    bytes = []
                }
            }
            lines = bytes.withUnsafeBytes { state.lines.append($0) }
        }
        if let first { firstLine.set(first) }
        for line in lines { log(line) }
    }

    /// Gives up on a first line: the process has ended, and something else holds the stream open.
    func endFirstLine() {
        let first = state.withLock { $0.first.take() }
        if let first { firstLine.set(.ended(first)) }
    }

    /// Stops reading; the writer gets SIGPIPE from now on.
    func close() {
        let (wasOpen, token, last, first) = state.withLock { state in
            defer {
                state.isOpen = false
                state.first = nil
            }
            return (state.isOpen, state.token, state.lines.finish(), state.first)
        }
        guard wasOpen else { return }
        EventLoop.shared.remove(pipe.raw, token)
        if let last { log(last) }
        firstLine.set(.ended(first ?? []))
        finished.set(true)
    }
}
