import CTrstctlSystem
import Glibc
import Synchronization
import TrstctlSystem

/// A flag that wakes whoever polls for it, for ending a brokered call early; once raised it stays raised.
///
/// Most calls never wait for anything: a descriptor is made when one first polls.
package final class Interruption: Sendable {
    private struct State: ~Copyable {
        var isRaised = false
        var event: OwnedDescriptor?
    }

    private let state = Mutex(State())

    package init() {}

    /// Readable once raised; -1 where the system had no descriptor left, then deadlines alone end a wait.
    var pollable: Int32 {
        state.withLock { state in
            if let raw = state.event?.raw { return raw }
            let event = OwnedDescriptor(trstctl_eventfd())
            let raw = event.raw
            if state.isRaised { Interruption.signal(raw) }
            state.event = consume event
            return raw
        }
    }

    package var isRaised: Bool { state.withLock { $0.isRaised } }

    /// Ends the call that polls for it.
    package func raise() {
        state.withLock { state in
            state.isRaised = true
            if let raw = state.event?.raw { Interruption.signal(raw) }
        }
    }

    private static func signal(_ event: Int32) {
        var one: UInt64 = 1
        _ = write(event, &one, 8)
    }
}

extension Interruption: Hashable {
    package static func == (left: Interruption, right: Interruption) -> Bool { left === right }
    package func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
