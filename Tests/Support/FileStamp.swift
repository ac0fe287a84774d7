package import Foundation
import Glibc
import TrstctlSystem

/// Everything about a file that a write would change: equal stamps mean that nobody touched it.
package struct FileStamp: Equatable, Sendable {
    package let content: Data
    package let mode: mode_t
    package let owner: uid_t
    package let group: gid_t
    package let inode: ino_t
    /// Nanoseconds since 1970.
    package let modified: Int

    /// Takes the stamp.
    ///
    /// - Throws: when there is no such file.
    package init(_ path: String) throws {
        var status = stat()
        guard lstat(path, &status) == 0 else { throw SystemError.last("lstat", path) }
        content = try Data(contentsOf: URL(fileURLWithPath: path))
        mode = status.st_mode
        owner = status.st_uid
        group = status.st_gid
        inode = status.st_ino
        modified = status.st_mtim.tv_sec * 1_000_000_000 + status.st_mtim.tv_nsec
    }
}
