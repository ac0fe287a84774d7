import TrstctlBroker
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
    /// A versioned directory belongs to one target alone: whatever else is written there would be lost with the version.
    ///
    /// - Parameter targets: with their effective rules for writing, and their layouts, in the manifest's order.
    /// - Returns: the first conflict.
    static func find(
        _ targets: [(name: String, write: [PathGrant], layout: VersionedLayout?)]
    ) -> TargetConflict? {
        if let conflict = VersionedPlaces(targets.map(\.layout)).conflict(targets) { return conflict }
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

/// The versioned directories of a run, by what could reach into them; each rule is looked up, not compared with each.
private struct VersionedPlaces {
    /// A directory, or its versions, and whose it is.
    private var places: [AbsolutePath: Int] = [:]
    /// What lies above one, and whose that is; nil when it is above those of several targets.
    private var above: [AbsolutePath: Int?] = [:]
    /// Two targets of one directory.
    private var shared: (first: Int, second: Int)?

    init(_ layouts: [VersionedLayout?]) {
        for (index, layout) in layouts.enumerated() {
            for place in layout?.places ?? [] {
                if let owner = places[place] { shared = shared ?? (owner, index) }
                places[place] = index
                var directory = place.parent
                while let current = directory {
                    if let known = above[current], known != index {
                        above[current] = .some(nil)
                    } else {
                        above[current] = .some(index)
                    }
                    directory = current.parent
                }
            }
        }
    }

    func conflict(_ targets: [(name: String, write: [PathGrant], layout: VersionedLayout?)]) -> TargetConflict? {
        if let shared, let layout = targets[shared.first].layout {
            return TargetConflict(
                targets: [targets[shared.first].name, targets[shared.second].name], path: "in \(layout.link)")
        }
        guard !places.isEmpty else { return nil }
        for (index, target) in targets.enumerated() {
            for rule in target.write {
                guard let owner = owner(reachedBy: rule, not: index),
                    let layout = targets[owner].layout
                else { continue }
                return TargetConflict(
                    targets: [targets[min(index, owner)].name, targets[max(index, owner)].name],
                    path: "in \(layout.link), which is versioned")
            }
        }
        return nil
    }

    private func owner(reachedBy rule: PathGrant, not target: Int) -> Int? {
        var place: AbsolutePath? = rule.path
        while let current = place {
            if let owner = places[current], owner != target { return owner }
            place = current.parent
        }
        guard rule.extent == .below, let found = above[rule.path], found != target else { return nil }
        return found ?? places.first { $1 != target && $0.components(below: rule.path) != nil }?.value
    }
}
