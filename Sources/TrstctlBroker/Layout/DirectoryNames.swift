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
            if let names = try all(limit, { () throws(SystemError) in try reading.next() }) { return names }
        } catch {
            throw .file("cannot list", path, errno: error.errno)
        }
        throw EffectError(
            .limit, object: path.description, "\(path) has more than \(limit) files",
            fix: "give the target's files a directory of their own")
    }

    /// All names that there are.
    ///
    /// - Parameters:
    ///   - limit: the most that there may be.
    ///   - next: the next one; nil at the end. It is not asked any more once there are too many: whoever writes there
    ///     makes as many as they like.
    /// - Returns: nil when there are more.
    /// - Throws: what `next` does.
    static func all(_ limit: Int, _ next: () throws(SystemError) -> Bytes?) throws(SystemError) -> [Bytes]? {
        var names: [Bytes] = []
        while let name = try next() {
            guard names.count < limit else { return nil }
            names.append(name)
        }
        return names
    }
}
