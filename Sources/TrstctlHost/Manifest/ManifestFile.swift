import CTrstctlSystem
import Glibc
package import TrstctlPolicy
package import TrstctlSystem

/// A manifest on disk, opened once and checked: whoever can write it decides what runs.
package struct ManifestFile: ~Copyable {
    /// The file as the operator named it, escaped for people.
    package let name: String
    /// The directory that holds it, with every link resolved by the kernel.
    package let directory: AbsolutePath
    /// The bytes.
    package let contents: [UInt8]

    private let given: Bytes
    private let parent: OwnedDescriptor
    private let leaf: String
    private let status: stat

    /// Reads a manifest of at most 1 MiB.
    ///
    /// It has to be a regular file, not a link, owned by root or the caller and writable by nobody else, in a directory
    /// of the same kind.
    ///
    /// - Parameter path: absolute or relative to the working directory.
    /// - Returns: the checked file with its bytes.
    /// - Throws: `ManifestError`.
    package static func open(_ path: Bytes) throws(ManifestError) -> ManifestFile {
        let name = printable(path)
        let bytes = path.array
        guard path.text != nil, !bytes.contains(0), let last = bytes.last, last != UInt8(ascii: "/") else {
            throw ManifestError(
                .unreadable, file: name, "expected the path of a file", nextStep: "pass it with --manifest FILE")
        }
        let cut = bytes.lastIndex(of: UInt8(ascii: "/"))
        let leaf = String(decoding: cut.map { bytes[($0 + 1)...] } ?? bytes[...], as: UTF8.self)
        let folder = cut.map { String(decoding: bytes[...$0], as: UTF8.self) } ?? "."
        let parent = try openDirectory(folder, file: name)
        let directory = try self.path(of: parent.raw, file: name)
        let file = try openFile(leaf, in: parent.raw, file: name)
        let status = try status(file.raw, file: name)
        try checkKind(status, file: name)
        try checkPermissions(
            try self.status(parent.raw, file: name), of: "its directory \(directory)", file: name)
        try checkPermissions(status, of: "it", file: name)
        let contents = try whole(file.raw, status, file: name)
        return ManifestFile(
            name: name, given: path, directory: directory, contents: contents, parent: parent, leaf: leaf,
            status: status)
    }

    private init(
        name: String, given: Bytes, directory: AbsolutePath, contents: [UInt8], parent: consuming OwnedDescriptor,
        leaf: String, status: stat
    ) {
        self.name = name
        self.given = given
        self.directory = directory
        self.contents = contents
        self.parent = parent
        self.leaf = leaf
        self.status = status
    }

    /// When the file was last written, in seconds since 1970.
    package var modified: Int64 { Int64(status.st_mtim.tv_sec) }

    /// The file's path, and the one that it was named with when that is another canonical one.
    package var paths: [AbsolutePath] {
        let base = directory.components.isEmpty ? [] : directory.bytes.array
        let resolved = try? AbsolutePath(Bytes(base + [UInt8(ascii: "/")] + Array(leaf.utf8)))
        return [resolved, try? AbsolutePath(given)].compactMap(\.self)
    }

    /// Reads the manifest's text.
    ///
    /// - Throws: `ManifestError`.
    package func parse() throws(ManifestError) -> Manifest {
        try ManifestParser.parse(contents, directory: directory, file: name)
    }

    /// Replaces the file's content atomically: a crash leaves the old or the new text.
    ///
    /// Mode and owner stay.
    ///
    /// - Throws: `ManifestError`, also when the file was changed since it was read; nothing is written then.
    package borrowing func replace(with text: [UInt8]) throws(ManifestError) {
        do throws(SystemError) {
            try writeReplacement(text)
        } catch {
            if error.errno == ESTALE { throw ManifestFile.changed(name) }
            throw ManifestError(
                .unreadable, file: name, "it could not be written: \(error)", nextStep: "correct this and try again")
        }
    }

    private borrowing func writeReplacement(_ text: [UInt8]) throws(SystemError) {
        var random: UInt64 = 0
        guard withUnsafeMutableBytes(of: &random, { trstctl_random($0.baseAddress, $0.count) }) == 0 else {
            throw SystemError.last("getrandom")
        }
        let temporary = ".trstctl-\(String(random, radix: 16)).tmp"
        let folder = parent.raw
        let file = OwnedDescriptor(
            try retryingInterrupts("openat", temporary) {
                openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
            })
        do throws(SystemError) {
            try write(text, to: file.raw, temporary)
            _ = try retryingInterrupts("rename", leaf) { renameat(folder, temporary, folder, leaf) }
        } catch {
            _ = unlinkat(folder, temporary, 0)
            throw error
        }
        _ = try retryingInterrupts("fsync", directory.description) { fsync(folder) }
    }

    private borrowing func write(_ text: [UInt8], to file: Int32, _ temporary: String) throws(SystemError) {
        var rest = text[...]
        while !rest.isEmpty {
            let count = try retryingInterrupts("write", temporary) {
                rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            }
            rest = rest.dropFirst(count)
        }
        var created = stat()
        _ = try retryingInterrupts("fstat", temporary) { fstat(file, &created) }
        if created.st_uid != status.st_uid || created.st_gid != status.st_gid {
            _ = try retryingInterrupts("fchown", temporary) { fchown(file, status.st_uid, status.st_gid) }
        }
        _ = try retryingInterrupts("fchmod", temporary) { fchmod(file, status.st_mode & 0o777) }
        _ = try retryingInterrupts("fsync", temporary) { fsync(file) }
        var now = stat()
        _ = try retryingInterrupts("fstatat", leaf) { fstatat(parent.raw, leaf, &now, AT_SYMLINK_NOFOLLOW) }
        guard ManifestFile.isSame(status, now) else {
            throw SystemError(stage: "compare", object: leaf, errno: ESTALE)
        }
    }
}
