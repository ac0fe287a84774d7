import TrstctlBroker
import TrstctlPolicy

/// A target that writes where another one writes: an error of the manifest, found before anything is touched.
///
/// Neither could be undone alone, and each run would undo what the other did.
package struct TargetConflict: Hashable, Sendable {
    /// The target and a rival of it, in the manifest's order.
    package let targets: [String]
    package let path: String

    /// One sentence.
    var summary: String { "the targets \(targets.joined(separator: " and ")) both write \(path); nothing was touched" }
    /// The next step.
    var detail: String { "next: give them different files, or remove one of them" }

    /// Looks for files that two targets write.
    ///
    /// Only files that a connector declares one by one can be compared. What it writes below a directory is known when
    /// it does so: then the journal refuses the second deployment.
    ///
    /// A versioned directory belongs to one target alone: whatever else is written there would be lost with the version.
    ///
    /// - Parameter targets: with their effective rules for writing, and their layouts, in the manifest's order.
    /// - Returns: every target that has a rival, by its place in the list, with the first one that was found.
    static func find(
        _ targets: [(name: String, write: [PathGrant], layout: VersionedLayout?)]
    ) -> [Int: TargetConflict] {
        var search = ConflictSearch(targets)
        search.findVersioned()
        search.findFiles()
        return search.conflicts
    }
}

/// The rules of a run's targets by their paths; each is looked up, not compared with each.
private struct ConflictSearch {
    /// Those of one path; of more than two, the first two: each of them has a rival among these.
    struct Owners {
        private let first: Int
        private var second: Int?

        init(_ first: Int) { self.first = first }

        mutating func add(_ target: Int) { if target != first, second == nil { second = target } }

        func rival(of target: Int) -> Int? { first == target ? second : first }
    }

    private let targets: [(name: String, write: [PathGrant], layout: VersionedLayout?)]
    private(set) var conflicts: [Int: TargetConflict] = [:]

    init(_ targets: [(name: String, write: [PathGrant], layout: VersionedLayout?)]) { self.targets = targets }

    mutating func findFiles() {
        var owners: [AbsolutePath: Owners] = [:]
        for (index, target) in targets.enumerated() {
            for rule in target.write where rule.extent == .file { owners[rule.path, default: Owners(index)].add(index) }
        }
        for (index, target) in targets.enumerated() {
            for rule in target.write where rule.extent == .file {
                guard let rival = owners[rule.path]?.rival(of: index) else { continue }
                note(index, rival, "\(rule.path)")
            }
        }
    }

    mutating func findVersioned() {
        // A versioned directory, or its versions, and whose it is; and what may be written below a directory, by whom.
        var places: [AbsolutePath: Owners] = [:]
        var wide: [AbsolutePath: Owners] = [:]
        for (index, target) in targets.enumerated() {
            for place in target.layout?.places ?? [] { places[place, default: Owners(index)].add(index) }
            for rule in target.write where rule.extent == .below { wide[rule.path, default: Owners(index)].add(index) }
        }
        guard !places.isEmpty else { return }
        // The directories from which somebody reaches a versioned one, and whose that is.
        var reached: [AbsolutePath: Owners] = [:]
        for (index, target) in targets.enumerated() {
            guard let layout = target.layout else { continue }
            for place in layout.places {
                if let rival = places[place]?.rival(of: index) { note(index, rival, "in \(layout.link)") }
                var above = place.parent
                while let directory = above {
                    if let writers = wide[directory] {
                        reached[directory, default: Owners(index)].add(index)
                        if let rival = writers.rival(of: index) { note(index, rival, inside(layout)) }
                    }
                    above = directory.parent
                }
            }
        }
        for (index, target) in targets.enumerated() {
            for rule in target.write {
                if rule.extent == .below, let owner = reached[rule.path]?.rival(of: index) { note(index, owner) }
                var place: AbsolutePath? = rule.path
                while let current = place {
                    if let owner = places[current]?.rival(of: index) {
                        note(index, owner)
                        if let layout = targets[owner].layout { note(owner, index, inside(layout)) }
                    }
                    place = current.parent
                }
            }
        }
    }

    /// A target that reaches into the versioned directory of another one.
    private mutating func note(_ target: Int, _ owner: Int) {
        guard let layout = targets[owner].layout else { return }
        note(target, owner, inside(layout))
    }

    private func inside(_ layout: VersionedLayout) -> String { "in \(layout.link), which is versioned" }

    private mutating func note(_ target: Int, _ rival: Int, _ path: String) {
        guard conflicts[target] == nil else { return }
        let names = [targets[min(target, rival)].name, targets[max(target, rival)].name]
        conflicts[target] = TargetConflict(targets: names, path: path)
    }
}
