import CTrstctlSystem
import Glibc
import TrstctlSystem

/// A flag that wakes whoever polls for it, for ending a brokered call early; once raised it stays raised.
package final class Interruption: Sendable {
    private let event: OwnedDescriptor

    package init() {
        event = OwnedDescriptor(trstctl_eventfd())
    }

    /// Readable once raised; -1 where the system had no descriptor left, then deadlines alone end a wait.
    var pollable: Int32 { event.raw }

    package var isRaised: Bool {
        var entry = pollfd(fd: pollable, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, 0) > 0
    }

    /// Ends the call that polls for it.
    package func raise() {
        var one: UInt64 = 1
        _ = write(pollable, &one, 8)
    }
}

extension Interruption: Hashable {
    package static func == (left: Interruption, right: Interruption) -> Bool { left === right }
    package func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
