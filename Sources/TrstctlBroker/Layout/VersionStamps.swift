import Glibc
import TrstctlPolicy
import TrstctlSystem

/// What tells whether somebody changed the files of a directory: each one's inode, size and times (inode(7)).
///
/// The times have the granularity of the kernel's clock, some milliseconds: an edit in place that follows the look within that
/// time, and keeps the size, is not seen.
struct VersionStamps: Hashable, Sendable {
    /// One file.
    struct Stamp: Hashable, Sendable {
        private let inode: UInt64
        private let size: Int64
        private let modified: [Int64]
        private let changed: [Int64]

        fileprivate init(_ status: stat) {
            inode = UInt64(status.st_ino)
            size = Int64(status.st_size)
            modified = [Int64(status.st_mtim.tv_sec), Int64(status.st_mtim.tv_nsec)]
            changed = [Int64(status.st_ctim.tv_sec), Int64(status.st_ctim.tv_nsec)]
        }

        /// Whether both may differ in mode, owner and attributes only.
        fileprivate func hasContent(of other: Stamp) -> Bool {
            inode == other.inode && size == other.size && modified == other.modified
        }
    }

    /// What counts as a change.
    enum Depth {
        /// Everything that a copy takes over.
        case everything
        /// Content alone: another mode or owner is none.
        case content
    }

    private var files: [Bytes: Stamp] = [:]

    init() {}

    /// Looks at every file of a directory.
    init(_ directory: SharedDescriptor, _ layout: VersionedLayout) throws(EffectError) {
        for name in try DirectoryNames.read(directory, limit: .max, layout.link) {
            files[name] = try VersionStamps.stamp(name, in: directory, layout)
        }
    }

    /// Notes a file that is open; before it is read, so that an edit during the reading is a change.
    mutating func note(_ name: Bytes, _ file: borrowing OwnedDescriptor, _ path: AbsolutePath) throws(EffectError) {
        var status = stat()
        guard fstat(file.raw, &status) == 0 else { throw .file("cannot look at", path, errno: errno) }
        files[name] = Stamp(status)
    }

    /// The names that were added, removed or changed since.
    ///
    /// - Parameters:
    ///   - directory: as it is now.
    ///   - depth: what counts.
    ///   - layout: for errors.
    /// - Returns: the names, sorted.
    /// - Throws: when a file cannot be looked at.
    func changes(
        in directory: SharedDescriptor, _ depth: Depth, _ layout: VersionedLayout
    ) throws(EffectError) -> [Bytes] {
        let now = try VersionStamps(directory, layout)
        let changed = Set(files.keys).union(now.files.keys).filter { name in
            guard let old = files[name], let new = now.files[name] else { return true }
            return depth == .everything ? old != new : !old.hasContent(of: new)
        }
        return changed.sorted { $0.array.lexicographicallyPrecedes($1.array) }
    }

    private static func stamp(
        _ name: Bytes, in directory: SharedDescriptor, _ layout: VersionedLayout
    ) throws(EffectError) -> Stamp? {
        var status = stat()
        let (result, error) = name.withCString {
            (fstatat(directory.raw, $0, &status, AT_SYMLINK_NOFOLLOW), errno)
        }
        guard result == 0 else {
            guard error == ENOENT else { throw .file("cannot look at", try layout.path(name), errno: error) }
            return nil
        }
        return Stamp(status)
    }
}

extension EffectError {
    /// Somebody changed files after they were copied; what they did would be lost.
    static func filesChanged(_ layout: VersionedLayout, _ names: [Bytes]) -> EffectError {
        let shown = names.prefix(8).map { printable($0) }.joined(separator: ", ")
        let rest = names.count > 8 ? " and \(names.count - 8) more" : ""
        return EffectError(
            .exists, object: layout.link.description,
            "somebody else changed files in \(layout.link) during the deployment: \(shown)\(rest); the new version was "
                + "copied before that, and was not made visible",
            fix: "\(NextCommand.trstctl("apply")), when nobody works in \(layout.link) any more")
    }
}
