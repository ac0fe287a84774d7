import CTrstctlSystem
import Glibc

/// Memory for one secret: pages that are kept out of swap, core dumps and forked children, overwritten when the one owner
/// goes away, on every path.
///
/// `mlock(2)`, `MADV_DONTDUMP` and `MADV_WIPEONFORK` (madvise(2)). Where the limit of locked memory (`RLIMIT_MEMLOCK`) is
/// used up the rest still holds; `SecretMemory.usage` tells, and `trstctl doctor` says what the limit is.
package struct SecretMemory: ~Copyable, Sendable {
    nonisolated(unsafe) private let start: UnsafeMutableRawPointer
    private let place: SecretPool.Place
    /// How many bytes can be used, at least as many as were asked for.
    package let capacity: Int

    /// Takes memory, all zero.
    ///
    /// - Parameter capacity: bytes, at least 1; who asks bounds it.
    package init(capacity: Int) {
        (start, place) = SecretPool.take(max(1, capacity))
        self.capacity = place.size
    }

    deinit {
        trstctl_wipe(start, capacity)
        SecretPool.giveBack(start, place)
    }

    /// The first byte, valid only while this value lives.
    package var base: UnsafeMutableRawPointer { start }

    /// How much memory holds secrets, or did.
    package struct Usage: Hashable, Sendable {
        /// Bytes that are kept out of swap.
        package var locked = 0
        /// Bytes in use that the limit did not allow to lock.
        package var unlocked = 0
        /// The most bytes that were unlocked at the same time.
        package var mostUnlocked = 0
        /// Bytes of small pieces, which is what keys are, that could not be locked.
        package var unlockedSmall = 0
    }

    /// What this process uses now.
    package static var usage: Usage { SecretPool.usage }

    /// The soft limit of locked memory in bytes (getrlimit(2)); nil when there is none.
    package static var limit: Int? {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(UInt32(TRSTCTL_RLIMIT_MEMLOCK)), &limit) == 0, limit.rlim_cur != .max else {
            return nil
        }
        return Int(clamping: limit.rlim_cur)
    }

    /// Whether one more page can be locked now.
    package static var canLock: Bool {
        var locked: Int32 = 0
        guard let page = trstctl_secret_map(SecretPool.pageSize, 1, &locked) else { return false }
        trstctl_secret_unmap(page, SecretPool.pageSize)
        return locked != 0
    }
}
