import TrstctlPolicy

/// Two targets that write the same file: an error of the manifest, found before anything is touched.
///
/// Neither could be undone alone, and each run would undo what the other did.
package struct TargetConflict: Error, Sendable, CustomStringConvertible {
    package let targets: [String]
    package let path: String

    package var description: String {
        "the targets \(targets.joined(separator: " and ")) both write \(path); nothing was touched\n"
            + "next: give them different files, or remove one of them"
    }

    /// Looks for files that two targets write.
    ///
    /// Only files that a connector declares one by one can be compared. What it writes below a directory is known when
    /// it does so: then the journal refuses the second deployment.
    ///
    /// - Parameter targets: with their effective rules for writing, in the manifest's order.
    /// - Returns: the first conflict.
    static func find(_ targets: [(name: String, write: [PathGrant])]) -> TargetConflict? {
        var owners: [AbsolutePath: String] = [:]
        for target in targets {
            for rule in target.write where rule.extent == .file {
                if let owner = owners[rule.path], owner != target.name {
                    return TargetConflict(targets: [owner, target.name], path: rule.path.description)
                }
                owners[rule.path] = target.name
            }
        }
        return nil
    }
}
