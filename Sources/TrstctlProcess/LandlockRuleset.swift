import CTrstctlSandbox
import Glibc
package import TrstctlSystem

/// What a connector may do beneath a directory, or with a file; the bits of landlock(7).
package struct LandlockAccess: OptionSet, Sendable {
    package let rawValue: UInt64

    package init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    package static let execute = LandlockAccess(rawValue: UInt64(LANDLOCK_ACCESS_FS_EXECUTE))
    package static let writeFile = LandlockAccess(rawValue: UInt64(LANDLOCK_ACCESS_FS_WRITE_FILE))
    package static let readFile = LandlockAccess(rawValue: UInt64(LANDLOCK_ACCESS_FS_READ_FILE))
    package static let readDirectory = LandlockAccess(rawValue: UInt64(LANDLOCK_ACCESS_FS_READ_DIR))
    package static let makeSocket = LandlockAccess(rawValue: UInt64(LANDLOCK_ACCESS_FS_MAKE_SOCK))
}

/// A Landlock ruleset that denies whatever the running kernel can deny, except what was granted.
package final class LandlockRuleset: Sendable {
    package let descriptor: OwnedDescriptor
    /// The version of the kernel's Landlock, 1 or more: network from 4 on, signals and abstract sockets from 6 on.
    package let abi: Int32

    /// Builds the ruleset in the host; the child only enters it.
    ///
    /// - Parameter rules: O_PATH descriptors with what may be done beneath them.
    /// - Throws: `landlock_create_ruleset` with ENOSYS or EOPNOTSUPP where the kernel has no Landlock.
    package init(_ rules: [(descriptor: Int32, access: LandlockAccess)]) throws(SystemError) {
        let raw = rules.map { trstctl_landlock_rule(descriptor: $0.descriptor, access: $0.access.rawValue) }
        var abi: Int32 = 0
        let ruleset = trstctl_landlock_ruleset(raw, raw.count, &abi)
        guard ruleset != -1 else { throw SystemError.last("landlock_create_ruleset") }
        descriptor = OwnedDescriptor(ruleset)
        self.abi = abi
    }

    /// The bit mask of the corrected errors of the kernel's Landlock, or nil where it does not tell (before 6.15).
    package static var errata: Int32? {
        let mask = trstctl_landlock_errata()
        return mask == -1 ? nil : mask
    }
}
