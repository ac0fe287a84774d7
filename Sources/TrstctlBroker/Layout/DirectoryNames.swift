import Glibc
import TrstctlPolicy
import TrstctlSystem

/// The names in a directory.
enum DirectoryNames {
    /// Reads them, without `.` and `..`.
    ///
    /// - Parameters:
    ///   - directory: open for reading.
    ///   - limit: the most that there may be.
    ///   - path: for errors.
    /// - Returns: the names, in no order.
    /// - Throws: `limit` when there are more.
    static func read(
        _ directory: SharedDescriptor, limit: Int, _ path: AbsolutePath
    ) throws(EffectError) -> [Bytes] {
        // Its own place in the directory, so that it can be read again.
        let raw = openat(directory.raw, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard raw >= 0 else { throw .file("cannot list", path, errno: errno) }
        guard let stream = fdopendir(raw) else {
            let error = errno
            close(raw)
            throw .file("cannot list", path, errno: error)
        }
        defer { closedir(stream) }
        var names: [Bytes] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                guard errno == 0 else { throw .file("cannot list", path, errno: errno) }
                return names
            }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { Bytes(Array($0.prefix { $0 != 0 })) }
            guard name != ".", name != ".." else { continue }
            guard names.count < limit else {
                throw EffectError(
                    .limit, object: path.description, "\(path) has more than \(limit) files",
                    fix: "give the target's files a directory of their own")
            }
            names.append(name)
        }
    }
}
