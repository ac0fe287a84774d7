import CTrstctlSystem
import Glibc
import TrstctlPolicy
import TrstctlSystem

/// The directory that holds a ticket's file, opened so that it stays the same whatever is renamed meanwhile.
///
/// The granted root is the operator's own text, so symbolic links in it are followed (except those of /proc that lead
/// into other processes). Beneath it the kernel resolves without following any link, without leaving the root and
/// without crossing a mount (openat2(2)).
struct GrantedDirectory: ~Copyable {
    /// What the directory is opened for.
    enum Use {
        /// To look up and read a file in it.
        case lookup
        /// To change it and make the change durable; fsync(2) refuses descriptors opened with O_PATH.
        case change
    }

    let descriptor: OwnedDescriptor
    /// The name of the file in the directory.
    let leaf: Bytes
    let path: AbsolutePath

    static let resolution = UInt64(
        TRSTCTL_RESOLVE_BENEATH | TRSTCTL_RESOLVE_NO_SYMLINKS | TRSTCTL_RESOLVE_NO_MAGICLINKS
            | TRSTCTL_RESOLVE_NO_XDEV)

    /// Opens the directory.
    ///
    /// - Throws: `noParent` when it does not exist, whoever asked.
    init(_ ticket: borrowing FileTicket, for use: Use) throws(EffectError) {
        guard let leaf = ticket.relative.last else {
            throw EffectError(.invalid, object: ticket.path.description, "\(ticket.path) is not a file")
        }
        let path = ticket.path
        let flags = (use == .change ? O_RDONLY : Int32(TRSTCTL_O_PATH)) | O_DIRECTORY
        do throws(EffectError) {
            descriptor = try openGranted(ticket.root, below: Array(ticket.relative.dropLast()), flags: flags, path)
        } catch {
            throw error.code == .notFound ? .noParent(path) : error
        }
        self.leaf = leaf
        self.path = path
    }

    /// A directory of a version, which the host opened when it found where the layout's link leads.
    ///
    /// - Parameters:
    ///   - version: open for reading.
    ///   - leaf: the name of the file.
    ///   - path: the file's path through the link.
    /// - Throws: when there is no descriptor left.
    init(version: SharedDescriptor, leaf: Bytes, path: AbsolutePath) throws(EffectError) {
        let raw = version.raw
        do throws(SystemError) {
            descriptor = OwnedDescriptor(try retryingInterrupts("fcntl") { fcntl(raw, F_DUPFD_CLOEXEC, 3) })
        } catch {
            throw .file("cannot open the directory of", path, errno: error.errno)
        }
        self.leaf = leaf
        self.path = path
    }

    /// The directory of a ticket's file: where its path leads, or the version in which it lies.
    init(_ ticket: borrowing FileTicket, in version: SharedDescriptor?, for use: Use) throws(EffectError) {
        guard let version else {
            self = try GrantedDirectory(ticket, for: use)
            return
        }
        self = try GrantedDirectory(version: version, leaf: ticket.relative.last ?? Bytes(), path: ticket.path)
    }

    /// Opens the file, or creates one with this name, without following anything.
    borrowing func openFile(_ name: Bytes, flags: Int32, mode: UInt64 = 0) throws(EffectError) -> OwnedDescriptor {
        try openBeneath(descriptor.raw, name, flags: flags | O_NOFOLLOW, mode: mode, path)
    }
}

/// Opens a directory from a point that the operator's text names, and beneath it without following anything.
///
/// - Parameters:
///   - root: links in it are followed, except those of /proc that lead into other processes.
///   - below: components beneath it.
///   - flags: of the directory itself.
///   - path: for errors.
/// - Returns: the directory.
/// - Throws: what the system says about it.
func openGranted(
    _ root: AbsolutePath, below: [Bytes], flags: Int32, _ path: AbsolutePath
) throws(EffectError) -> OwnedDescriptor {
    let first = try open(
        AT_FDCWD, root.bytes, flags: below.isEmpty ? flags : Int32(TRSTCTL_O_PATH) | O_DIRECTORY,
        resolve: UInt64(TRSTCTL_RESOLVE_NO_MAGICLINKS), path)
    guard !below.isEmpty else { return first }
    return try openBeneath(
        first.raw, Bytes(Array(below.map(\.array).joined(separator: [UInt8(ascii: "/")]))), flags: flags, path)
}

/// Opens something beneath a directory without following a link, leaving the directory or crossing a mount.
func openBeneath(
    _ directory: Int32, _ name: Bytes, flags: Int32, mode: UInt64 = 0, _ path: AbsolutePath
) throws(EffectError) -> OwnedDescriptor {
    try open(directory, name, flags: flags, mode: mode, resolve: GrantedDirectory.resolution, path)
}

/// openat2(2), close-on-exec, repeated when a signal or a concurrent rename interrupts the resolution.
private func open(
    _ directory: Int32, _ name: Bytes, flags: Int32, mode: UInt64 = 0, resolve: UInt64, _ path: AbsolutePath
) throws(EffectError) -> OwnedDescriptor {
    let flags = UInt64(UInt32(bitPattern: flags | O_CLOEXEC))
    for _ in 0..<128 {
        let (result, error) = name.withCString { pointer in
            (trstctl_openat2(directory, pointer, flags, mode, resolve), errno)
        }
        if result >= 0 { return OwnedDescriptor(result) }
        guard error == EAGAIN || error == EINTR else { throw .file("cannot open", path, errno: error) }
    }
    throw .file("cannot open", path, errno: EAGAIN)
}
