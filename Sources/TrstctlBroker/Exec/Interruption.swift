import CTrstctlSystem
import Glibc
import TrstctlSystem

/// A flag that wakes whoever polls for it; once raised it stays raised.
final class Interruption: Sendable {
    private let event: OwnedDescriptor

    init() {
        event = OwnedDescriptor(trstctl_eventfd())
    }

    /// Readable once raised; -1 where the system had no descriptor left, then deadlines alone end a wait.
    var pollable: Int32 { event.raw }

    var isRaised: Bool {
        var entry = pollfd(fd: pollable, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, 0) > 0
    }

    func raise() {
        var one: UInt64 = 1
        _ = write(pollable, &one, 8)
    }
}
