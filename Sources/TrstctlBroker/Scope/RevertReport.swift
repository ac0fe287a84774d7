package import TrstctlPolicy

/// What putting files back came to.
package struct RevertReport: Hashable, Sendable {
    /// The files that are again as they were, the latest changed first; those that never differed are not named.
    package var restored: [AbsolutePath] = []
    /// The files that are not, and why.
    package var failures: [EffectError] = []
    /// The files that somebody else changed since, which stay as they are, and what they are now.
    package var foreign: [String] = []
    /// The files that were put back although a command, or somebody else, had changed them, and what they were.
    package var overwritten: [String] = []
    /// What lies there instead: path, digest (none of a key), mode, owner.
    package var onDisk: [String] = []
    /// The files that somebody else changed meanwhile in a version that is not visible any more, and where they are now.
    package var setAside: [String] = []

    /// What was not removed although nothing needs it any more: earlier versions, which hold keys.
    package var leftovers: [EffectError] = []

    /// True when every file is as it was.
    package var isComplete: Bool { failures.isEmpty }
}
