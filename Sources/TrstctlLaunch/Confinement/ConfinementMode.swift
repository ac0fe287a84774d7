/// What happens when a layer cannot be applied.
package enum ConfinementMode: String, Hashable, Sendable, CaseIterable {
    /// The connector does not start.
    case strict
    /// It starts, and every run lists what is missing.
    case bestEffort = "best-effort"
    /// No layer at all; the manifest says so in words that nobody writes by accident.
    case off = "i-accept-the-risk"
}

/// How much a connector may take, whatever it was granted.
package struct ConfinementLimits: Hashable, Sendable {
    /// Processes and threads, 1 or more.
    package var processes: UInt64 = 64
    /// Bytes of memory, without swap.
    package var memoryBytes: UInt64 = 256 << 20

    package init() {}
}

/// For tests only: layers that are left out, and layers that fail as if the kernel lacked them.
package struct ConfinementFaults: Sendable {
    package var skipped: Set<Layer>
    package var failing: Set<Layer>

    package init(skipped: Set<Layer> = [], failing: Set<Layer> = []) {
        self.skipped = skipped
        self.failing = failing
    }
}
