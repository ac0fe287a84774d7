package import TrstctlPolicy

/// The digests the operator accepts for one connector: one per build or platform.
package struct Pins: Hashable, Sendable {
    package let digests: [SHA256Digest]

    package init(_ digests: [SHA256Digest]) {
        self.digests = digests
    }

    /// True when the digest is one of them; compares with each, in constant time.
    package func accept(_ digest: SHA256Digest) -> Bool {
        var isAccepted = false
        for pin in digests where pin.matches(digest) { isAccepted = true }
        return isAccepted
    }
}
