import CTrstctlSystem
import Glibc
import TrstctlSystem

/// An executable file whose open descriptor passed every check.
struct OpenedExecutable: ~Copyable {
    let descriptor: OwnedDescriptor
    let size: Int64
    let modified: Int64
    /// Where a symbolic link led to; nil when there was none.
    let resolvedPath: Bytes?

    /// Opens a name in a directory: first without opening the file itself (O_PATH), so that nothing but a regular file
    /// is ever opened; then through that descriptor, so that it is the same file.
    ///
    /// A symbolic link is followed, because package managers install links; the file it leads to and the directory
    /// that file lies in must then pass the same checks. Directories in between are not checked: whoever can re-point
    /// one of them can only choose another file that passes, and the pin decides which bytes run.
    ///
    /// Set-id bits are refused because they tell that the file was not made to be a connector; like file capabilities
    /// they would have no effect, since what runs is a copy.
    static func open(
        _ name: String, in directory: borrowing OwnedDescriptor, caller: uid_t
    ) throws(Unacceptable) -> OpenedExecutable {
        let found = try FoundFile(name, in: directory, O_NOFOLLOW)
        guard found.type == S_IFLNK else {
            return try OpenedExecutable(found, caller: caller, resolvedPath: nil)
        }
        let target = try FoundFile.following(name, in: directory)
        let path = try target.path()
        do {
            try checkDirectory(of: path, holding: target, caller: caller)
            return try OpenedExecutable(target, caller: caller, resolvedPath: path)
        } catch {
            throw Unacceptable(error.reason, target: path)
        }
    }

    private init(_ found: borrowing FoundFile, caller: uid_t, resolvedPath: Bytes?) throws(Unacceptable) {
        guard found.type == S_IFREG else { throw Unacceptable(.notRegular) }
        let link = "/proc/self/fd/\(found.descriptor.raw)"
        let opened = try attempt { () throws(SystemError) in
            try retryingInterrupts("open") { Glibc.open(link, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) }
        }
        let file = OwnedDescriptor(opened)
        let status = try fileStatus(opened)
        let mode = UInt32(status.st_mode)
        guard status.st_uid == 0 || status.st_uid == caller else { throw Unacceptable(.owner(uid: status.st_uid)) }
        guard mode & 0o022 == 0 else { throw Unacceptable(.writable(mode: mode)) }
        guard mode & 0o6000 == 0 else { throw Unacceptable(.privileged) }
        guard mode & 0o111 != 0 else { throw Unacceptable(.notExecutable(mode: mode)) }
        guard status.st_size > 0 else { throw Unacceptable(.empty) }
        descriptor = file
        size = Int64(status.st_size)
        modified = Int64(status.st_mtim.tv_sec)
        self.resolvedPath = resolvedPath
    }

    /// The directory of a link's target: the same rules, and it must really hold that file.
    private static func checkDirectory(
        of path: Bytes, holding target: borrowing FoundFile, caller: uid_t
    ) throws(Unacceptable) {
        let bytes = path.array
        guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else { throw Unacceptable(.danglingLink) }
        let parent = slash == 0 ? [UInt8(ascii: "/")] : Array(bytes[..<slash])
        let leaf = String(decoding: bytes[bytes.index(after: slash)...], as: UTF8.self)
        let again = try FoundFile(leaf, in: try openDirectory(Bytes(parent), caller: caller), O_NOFOLLOW)
        guard again.isSameFile(as: target) else { throw Unacceptable(.danglingLink) }
    }
}

/// A reason without the path it belongs to.
struct Unacceptable: Error {
    let reason: Rejection.Reason
    let target: Bytes?

    init(_ reason: Rejection.Reason, target: Bytes? = nil) {
        self.reason = reason
        self.target = target
    }
}

/// Opens a directory that only its owner, root or the caller, may write to.
func openDirectory(_ path: Bytes, caller: uid_t) throws(Unacceptable) -> OwnedDescriptor {
    guard !path.array.contains(0) else { throw Unacceptable(.missingDirectory) }
    let number = path.withCString { Glibc.open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
    guard number != -1 else {
        switch errno {
        case ENOENT: throw Unacceptable(.missingDirectory)
        case ENOTDIR: throw Unacceptable(.notADirectory)
        default: throw Unacceptable(.unreadable(SystemError.last("open")))
        }
    }
    let directory = OwnedDescriptor(number)
    let status = try fileStatus(number)
    guard status.st_uid == 0 || status.st_uid == caller else { throw Unacceptable(.directoryOwner(uid: status.st_uid)) }
    guard status.st_mode & 0o022 == 0 else { throw Unacceptable(.directoryWritable(mode: UInt32(status.st_mode))) }
    return directory
}

/// A name that was looked up without opening what it names (O_PATH).
private struct FoundFile: ~Copyable {
    let descriptor: OwnedDescriptor
    private let status: stat

    init(_ name: String, in directory: borrowing OwnedDescriptor, _ flags: Int32) throws(Unacceptable) {
        let number = directory.raw
        let opened = try attempt { () throws(SystemError) in
            try retryingInterrupts("openat") { openat(number, name, Int32(TRSTCTL_O_PATH) | O_CLOEXEC | flags) }
        }
        let file = OwnedDescriptor(opened)
        status = try fileStatus(opened)
        descriptor = file
    }

    /// Follows a symbolic link.
    static func following(_ name: String, in directory: borrowing OwnedDescriptor) throws(Unacceptable) -> FoundFile {
        do throws(Unacceptable) {
            return try FoundFile(name, in: directory, 0)
        } catch {
            guard case .unreadable(let cause) = error.reason, cause.errno == ENOENT else { throw error }
            throw Unacceptable(.danglingLink)
        }
    }

    var type: mode_t { status.st_mode & S_IFMT }

    borrowing func isSameFile(as other: borrowing FoundFile) -> Bool {
        status.st_dev == other.status.st_dev && status.st_ino == other.status.st_ino
    }

    borrowing func path() throws(Unacceptable) -> Bytes {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/fd/\(descriptor.raw)", &buffer, buffer.count)
        guard count > 0 else { throw Unacceptable(.unreadable(SystemError.last("readlink"))) }
        return Bytes(Array(buffer.prefix(count)))
    }
}

private func fileStatus(_ descriptor: Int32) throws(Unacceptable) -> stat {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw Unacceptable(.unreadable(SystemError.last("fstat"))) }
    return status
}

private func attempt<Result>(_ body: () throws(SystemError) -> Result) throws(Unacceptable) -> Result {
    do throws(SystemError) {
        return try body()
    } catch {
        throw Unacceptable(.unreadable(error))
    }
}
