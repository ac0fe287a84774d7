import CTrstctlSystem

/// A point on the monotonic clock: unaffected by changes of the wall clock.
package struct Deadline: Comparable, Hashable, Sendable {
    /// Nanoseconds of `CLOCK_MONOTONIC`.
    package var nanoseconds: Int64

    package init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    /// The current instant.
    package static var now: Deadline { Deadline(nanoseconds: trstctl_monotonic_nanoseconds()) }

    /// A point that is never reached.
    package static let never = Deadline(nanoseconds: .max)

    /// The point that lies this far ahead; negative durations count as zero, overlong ones as never.
    package static func after(milliseconds: Int64) -> Deadline {
        let (product, overflow) = max(0, milliseconds).multipliedReportingOverflow(by: 1_000_000)
        guard !overflow else { return .never }
        let (sum, wrapped) = trstctl_monotonic_nanoseconds().addingReportingOverflow(product)
        return wrapped ? .never : Deadline(nanoseconds: sum)
    }

    /// True once the point is reached.
    package var hasPassed: Bool { self != .never && Deadline.now >= self }

    /// What is left, in milliseconds rounded up, for poll(2) and epoll_wait(2): -1 for never, 0 when passed.
    package var pollTimeout: Int32 {
        guard self != .never else { return -1 }
        let left = nanoseconds &- trstctl_monotonic_nanoseconds()
        guard left > 0 else { return 0 }
        return Int32(clamping: (left &+ 999_999) / 1_000_000)
    }

    package static func < (left: Deadline, right: Deadline) -> Bool { left.nanoseconds < right.nanoseconds }
}
