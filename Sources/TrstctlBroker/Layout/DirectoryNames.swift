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
        do throws(SystemError) {
            let reading = try DirectoryReading(of: directory.raw)
            var names: [Bytes] = []
            while let name = try reading.next() {
                names.append(name)
                // One more says that there are too many.
                if names.count > limit { break }
            }
            guard names.count > limit else { return names }
        } catch {
            throw .file("cannot list", path, errno: error.errno)
        }
        throw EffectError(
            .limit, object: path.description, "\(path) has more than \(limit) files",
            fix: "give the target's files a directory of their own")
    }
}
