import CTrstctlSystem
import Glibc
import TrstctlPolicy
import TrstctlProcess
import TrstctlSystem

/// One output stream of a command: always drained, kept up to a bound, in memory for secrets because a command may print
/// what it was given.
struct CommandOutput: ~Copyable {
    /// What is kept of a stream.
    struct Kept: Hashable, Sendable {
        /// The first bytes.
        var bytes = Bytes()
        /// How many more there were.
        var dropped: UInt64 = 0
    }

    private let limit: Int
    private var reader: SharedDescriptor?
    private var end: SharedDescriptor?
    private var buffer: WipedBuffer
    private var dropped: UInt64 = 0

    /// What is kept so far.
    var kept: Kept {
        Kept(bytes: buffer.withUnsafeBytes { Bytes(copying: $0, isSecret: true) }, dropped: dropped)
    }

    init(keeping limit: Int, _ program: AbsolutePath) throws(EffectError) {
        var ends: [Int32] = [-1, -1]
        guard trstctl_pipe(&ends, 1) == 0 else { throw .file("cannot take the output of", program, errno: errno) }
        reader = SharedDescriptor(ends[0])
        end = SharedDescriptor(ends[1])
        self.limit = max(0, limit)
        buffer = WipedBuffer(capacity: 4_096, limit: max(1, limit))
    }

    /// The end that the command writes to; -1 once it is closed here.
    var writer: Int32 { end?.raw ?? -1 }
    /// The end to poll; -1, which poll(2) skips, once the stream is finished.
    var pollable: Int32 { reader?.raw ?? -1 }
    var isFinished: Bool { reader == nil }

    mutating func closeWriter() { end = nil }

    /// Takes what is there; a stream that ended or failed is finished.
    mutating func take(into chunk: UnsafeMutableRawBufferPointer) {
        let count = read(pollable, chunk.baseAddress, chunk.count)
        if count < 0, errno == EAGAIN || errno == EINTR { return }
        guard count > 0 else {
            reader = nil
            return
        }
        let wanted = min(count, limit - buffer.count)
        _ = buffer.append(copying: UnsafeRawBufferPointer(rebasing: chunk.prefix(wanted)))
        dropped &+= UInt64(count - wanted)
    }
}

/// Both output streams of a command.
struct CommandOutputs: ~Copyable {
    /// Why the draining stopped.
    enum Ending: Hashable, Sendable {
        case ended
        case timedOut
        case interrupted
    }

    private(set) var stdout: CommandOutput
    private(set) var stderr: CommandOutput

    init(keeping limit: Int, _ program: AbsolutePath) throws(EffectError) {
        let first = try CommandOutput(keeping: limit, program)
        let second = try CommandOutput(keeping: limit, program)
        stdout = first
        stderr = second
    }

    /// True when nobody can write to either stream any more.
    var areFinished: Bool { stdout.isFinished && stderr.isFinished }

    mutating func closeWriters() {
        stdout.closeWriter()
        stderr.closeWriter()
    }

    /// Drains both streams until the command has ended; kills its group at the deadline or when interrupted.
    ///
    /// A descendant that keeps the streams open is waited for `CommandRun.lingerMilliseconds` at most.
    mutating func drain(_ child: ChildProcess, until deadline: Deadline, interruption: Interruption?) -> Ending {
        let memory = SecretMemory(capacity: 65_536)
        let chunk = UnsafeMutableRawBufferPointer(start: memory.base, count: memory.capacity)
        var ending = Ending.ended
        var patience = deadline
        var hasEnded = false
        var isKilled = false
        while true {
            if isKilled || hasEnded {
                if patience.hasPassed || (hasEnded && areFinished) { return ending }
            } else if patience.hasPassed || interruption?.isRaised == true {
                ending = interruption?.isRaised == true ? .interrupted : .timedOut
                child.signalGroup(SIGKILL)
                isKilled = true
                patience = .after(milliseconds: CommandRun.lingerMilliseconds)
            }
            var entries = [
                pollfd(fd: stdout.pollable, events: Int16(POLLIN), revents: 0),
                pollfd(fd: stderr.pollable, events: Int16(POLLIN), revents: 0),
                pollfd(fd: hasEnded ? -1 : child.pidfd, events: Int16(POLLIN), revents: 0),
                pollfd(fd: isKilled || hasEnded ? -1 : interruption?.pollable ?? -1, events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&entries, nfds_t(entries.count), patience.pollTimeout) > 0 else { continue }
            if entries[0].revents != 0 { stdout.take(into: chunk) }
            if entries[1].revents != 0 { stderr.take(into: chunk) }
            if entries[2].revents != 0 {
                hasEnded = true
                if !isKilled { patience = .after(milliseconds: CommandRun.lingerMilliseconds) }
            }
        }
    }
}

/// A descriptor that is closed when the last reference goes away.
final class SharedDescriptor: Sendable {
    private let owned: OwnedDescriptor

    /// Takes over a descriptor that nobody else will close.
    init(_ number: Int32) {
        owned = OwnedDescriptor(number)
    }

    var raw: Int32 { owned.raw }

    /// See `OwnedDescriptor.synchronise`.
    func synchronise(_ path: AbsolutePath) throws(EffectError) { try owned.synchronise(path) }
}
