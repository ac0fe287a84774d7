import CTrstctlSystem
import Glibc
import TrstctlPolicy
import TrstctlSystem

/// Extended attributes of files and directories, access lists among them (xattr(7), acl(5)).
enum ExtendedAttributes {
    /// The most bytes of all names, and of one value, that are copied; the system's own limit (`XATTR_LIST_MAX`).
    private static let limit = 65_536

    /// Gives a copy the attributes of its original.
    ///
    /// Those of the `security.` namespace belong to the kernel, which labels a new file by the directory in which it is made.
    ///
    /// - Parameters:
    ///   - source: open for reading.
    ///   - copy: open.
    ///   - path: for errors.
    /// - Throws: when one cannot be copied.
    static func copy(
        from source: Int32, to copy: Int32, _ path: AbsolutePath
    ) throws(EffectError) {
        var names = [CChar](repeating: 0, count: limit)
        let count = trstctl_xattr_names(source, &names, names.count)
        guard count >= 0 else {
            // A file system without them.
            guard errno == ENOTSUP else { throw .file("cannot list the extended attributes of", path, errno: errno) }
            return
        }
        for part in names.prefix(count).split(separator: 0) {
            let name = Bytes(part.map { UInt8(bitPattern: $0) })
            guard !name.array.starts(with: "security.".utf8) else { continue }
            var value = [UInt8](repeating: 0, count: limit)
            let (size, error) = name.withCString { (trstctl_xattr_value(source, $0, &value, limit), errno) }
            guard size >= 0 else { throw .file("cannot read an extended attribute of", path, errno: error) }
            let (result, failure) = name.withCString { (trstctl_xattr_set(copy, $0, value, size), errno) }
            guard result == 0 else {
                throw .file("cannot copy the extended attribute \(printable(name)) of", path, errno: failure)
            }
        }
    }
}
