import Glibc
import TrstctlPolicy
import TrstctlSystem

/// A deployment that neither was committed nor is undone.
package struct InterruptedDeployment: Sendable {
    /// A file that it changed, or was about to change.
    struct File: Sendable {
        let path: AbsolutePath
        let root: AbsolutePath
        let before: StoredRecord.Change.Before
        /// Names under which temporary files may have been left.
        var temporaries: Set<Bytes>
        /// Whether it lies in a version of a directory, which is undone as a whole.
        var isInVersion: Bool {
            if case .inVersion = before { true } else { false }
        }
        /// The digests of what it was made to contain; nil stands for its removal.
        var after: Set<[UInt8]?>
    }

    let id: UInt32
    /// What it was.
    package let header: DeploymentHeader
    /// In the order of their first change.
    var files: [File] = []
    /// The versions of a directory that it made, or was about to make.
    var versions: [StagedVersion] = []
    /// Whether a command was run.
    package var hasRun = false

    init(id: UInt32, header: DeploymentHeader) {
        self.id = id
        self.header = header
    }

    /// Whether a file may have been changed.
    package var hasChanges: Bool { !files.isEmpty || !versions.isEmpty }

    mutating func note(_ change: StoredRecord.Change) {
        // What a file was stands in the record of its first change, and again when the connector had it put back between.
        if let before = change.before {
            files.append(
                File(
                    path: change.path, root: change.root, before: before, temporaries: [change.temporary],
                    after: [change.after]))
        } else if let index = files.lastIndex(where: { $0.path == change.path }) {
            files[index].temporaries.insert(change.temporary)
            files[index].after.insert(change.after)
        }
    }
}
