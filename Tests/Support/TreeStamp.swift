import Foundation
import Glibc

/// Everything below a directory that somebody could change: names, content, mode, owner, time of change.
///
/// The time of change (ctime) moves with every one of them and with extended attributes, and cannot be set back, see
/// inode(7).
package struct TreeStamp: Equatable, Sendable {
    /// By path; each value is one line.
    package private(set) var entries: [String: String] = [:]

    /// Takes the stamps of these directories and files.
    package init(_ paths: [String]) {
        for path in paths {
            add(path)
            for name in (try? FileManager.default.subpathsOfDirectory(atPath: path)) ?? [] { add("\(path)/\(name)") }
        }
    }

    private mutating func add(_ path: String) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        let isFile = status.st_mode & S_IFMT == S_IFREG && status.st_size < 64 << 20
        let content = isFile ? FileManager.default.contents(atPath: path) ?? Data() : Data()
        entries[path] =
            "mode \(status.st_mode) owner \(status.st_uid):\(status.st_gid) links \(status.st_nlink) inode "
            + "\(status.st_ino) changed \(status.st_ctim.tv_sec).\(status.st_ctim.tv_nsec) size \(status.st_size) content \(content.hashValue)"
    }

    /// What is not as it was, in words; empty when nothing changed.
    package func changes(to other: TreeStamp) -> [String] {
        Set(entries.keys).union(other.entries.keys).sorted().filter { entries[$0] != other.entries[$0] }
            .map { "\($0): \(entries[$0] ?? "nothing") -> \(other.entries[$0] ?? "nothing")" }
    }
}
