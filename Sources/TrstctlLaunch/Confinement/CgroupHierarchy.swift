import Glibc

/// A mounted tree of control groups, version 1 or 2 (cgroups(7)), and where this process is in it.
struct CgroupHierarchy: Hashable {
    let isUnified: Bool
    /// What it controls here: `pids`, `memory`, ….
    let controllers: Set<String>
    let mountPoint: String
    /// The directory of this process's own group.
    let own: String

    /// Directories in which a group of ours may be made, the best first.
    ///
    /// In version 2 a group that holds processes cannot hand controllers down, which is what ours mostly is; its parent
    /// can when it was delegated, and the root always can.
    var parents: [String] {
        guard isUnified else { return own == mountPoint ? [own] : [own, mountPoint] }
        var all = [own]
        if own != mountPoint, let slash = own.lastIndex(of: "/") { all.append(String(own[..<slash])) }
        if !all.contains(mountPoint) { all.append(mountPoint) }
        return all
    }

    /// The trees that are mounted now.
    static func mounted() -> [CgroupHierarchy] {
        hierarchies(
            mounts: TextFile.lines("/proc/self/mountinfo"), groups: TextFile.lines("/proc/self/cgroup"),
            unifiedControllers: { Set(words(TextFile.text($0 + "/cgroup.controllers"))) })
    }

    /// Reads proc_pid_mountinfo(5) and cgroups(7) text.
    static func hierarchies(
        mounts: [Substring], groups: [Substring], unifiedControllers: (String) -> Set<String>
    ) -> [CgroupHierarchy] {
        let own = groups.map { $0.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false) }
            .filter { $0.count == 3 }.map { (controllers: Set(words($0[1], by: ",")), path: String($0[2])) }
        var seen: Set<String> = []
        return mounts.compactMap { line in
            let halves = line.split(separator: " - ", maxSplits: 1)
            guard let left = halves.first?.split(separator: " "), left.count >= 5, halves.count == 2 else { return nil }
            let right = halves[1].split(separator: " ")
            guard right.count == 3, !left[4].contains("\\") else { return nil }
            let (root, mountPoint) = (String(left[3]), String(left[4]))
            let isUnified = right[0] == "cgroup2"
            guard isUnified || right[0] == "cgroup", seen.insert(mountPoint).inserted else { return nil }
            let options = Set(words(right[2], by: ","))
            let path = own.first { isUnified ? $0.controllers.isEmpty : !$0.controllers.isDisjoint(with: options) }?
                .path
            let controllers = isUnified ? unifiedControllers(mountPoint) : options.intersection(["pids", "memory"])
            guard isUnified || !controllers.isEmpty else { return nil }
            return CgroupHierarchy(
                isUnified: isUnified, controllers: controllers, mountPoint: mountPoint,
                own: directory(of: path ?? "/", root: root, mountPoint: mountPoint))
        }
    }

    /// In a container the group's path may begin outside of what is mounted: then the mount's root has to do.
    private static func directory(of path: String, root: String, mountPoint: String) -> String {
        if path == root { return mountPoint }
        if root == "/" { return mountPoint + path }
        return path.hasPrefix(root + "/") ? mountPoint + path.dropFirst(root.count) : mountPoint
    }

    private static func words(_ text: some StringProtocol, by separator: Character = " ") -> [String] {
        text.split(whereSeparator: { $0 == separator || $0 == "\n" }).map { String($0) }
    }
}
