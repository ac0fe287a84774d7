import CTrstctlSystem
import Glibc
import TrstctlPolicy
import TrstctlSystem

/// A layout's place in the file system: the directory of its link, open, and through it the link and the versions.
///
/// No link is ever followed by the kernel here. The host reads the layout's link, takes it for its own only when its
/// text is one that it writes and its owner one who may, and opens the version by name beneath a directory that nobody
/// else can write to.
final class OpenedLayout: Sendable {
    /// What the layout's path is.
    enum Present: Hashable, Sendable {
        /// A directory, as it was before the first deployment.
        case directory
        /// A link to a version.
        case version(VersionName)
    }

    let layout: VersionedLayout
    let parent: OwnedDescriptor

    /// - Throws: `noParent` when the directory of the link does not exist.
    init(_ layout: VersionedLayout) throws(EffectError) {
        self.layout = layout
        do throws(EffectError) {
            // Where the operator's text names the link itself, what leads to it is the operator's text too.
            let below = layout.parent.components(below: layout.root)
            parent = try openGranted(
                below == nil ? layout.parent : layout.root, below: below ?? [], flags: O_RDONLY | O_DIRECTORY,
                layout.link)
        } catch {
            throw error.code == .notFound ? .noLayout(layout) : error
        }
    }

    /// Looks at what the layout's path is now.
    ///
    /// - Throws: `noParent` when there is nothing, `symbolicLink` for a link that the host did not make.
    func present() throws(EffectError) -> Present {
        let link = layout.link
        var status = stat()
        let (result, error) = layout.leaf.withCString {
            (fstatat(parent.raw, $0, &status, AT_SYMLINK_NOFOLLOW), errno)
        }
        guard result == 0 else {
            throw error == ENOENT ? .noLayout(layout) : .file("cannot look at", link, errno: error)
        }
        switch status.st_mode & S_IFMT {
        case S_IFDIR: return .directory
        case S_IFLNK: break
        default: throw EffectError(.notRegular, object: link.description, "\(link) is not a directory")
        }
        let text = try self.text(of: layout.leaf, in: parent)
        guard let version = layout.version(text), isTrusted(status.st_uid) else {
            throw EffectError(
                .symbolicLink, object: link.description,
                "\(link) is a symbolic link that trstctl did not make, to \(printable(text, limit: 256)), and "
                    + "layout: versioned makes its own",
                fix: "put the directory itself there: cp -aL \(link) \(link).new && rm \(link) "
                    + "&& mv \(link).new \(link)")
        }
        return .version(version)
    }

    /// Opens the directory of the files that are there.
    func open(_ present: Present) throws(EffectError) -> SharedDescriptor {
        switch present {
        case .directory: try openDirectory(layout.leaf, in: parent)
        case .version(let version): try openDirectory(version.bytes, in: try store())
        }
    }

    /// Opens the directory of the versions.
    ///
    /// - Throws: `notFound` when there is none, `noAccess` when others could put something in a version's place.
    func store() throws(EffectError) -> OwnedDescriptor {
        let store = try openBeneath(parent.raw, layout.storeName, flags: O_RDONLY | O_DIRECTORY, layout.link)
        var status = stat()
        guard fstat(store.raw, &status) == 0 else { throw .file("cannot look at", layout.link, errno: errno) }
        guard isTrusted(status.st_uid), status.st_mode & 0o022 == 0 else {
            throw EffectError(
                .noAccess, object: layout.store,
                "\(layout.store) holds the versions of \(layout.link), and has to belong to the host's user and be "
                    + "writable by nobody else: it belongs to user \(status.st_uid), with mode "
                    + "0\(String(status.st_mode & 0o7777, radix: 8))",
                fix: "ls -la \(layout.store); chown \(geteuid()) and chmod go-w, when what is in it is right")
        }
        return store
    }

    /// Makes the directory of the versions, when there is none.
    ///
    /// Others may pass through it, since what a version's own mode permits has to be reachable, and not list it.
    func makeStore() throws(EffectError) -> OwnedDescriptor {
        let (result, error) = layout.storeName.withCString { (mkdirat(parent.raw, $0, 0o700), errno) }
        guard result == 0 || error == EEXIST else {
            throw .file("cannot make the versions of", layout.link, errno: error)
        }
        let store = try store()
        if result == 0 {
            guard fchmod(store.raw, 0o711) == 0 else {
                throw .file("cannot set the mode of the versions of", layout.link, errno: errno)
            }
        }
        return store
    }

    /// Makes the directory of a new version, for the host alone until it becomes visible.
    func makeVersion(_ version: VersionName) throws(EffectError) -> SharedDescriptor {
        let store = try makeStore()
        let (result, error) = version.bytes.withCString { (mkdirat(store.raw, $0, 0o700), errno) }
        guard result == 0 else { throw .file("cannot make a version of", layout.link, errno: error) }
        return try openDirectory(version.bytes, in: store)
    }

    /// A name for a version, not in use.
    func newName() throws(EffectError) -> VersionName {
        do throws(SystemError) {
            return try VersionName.make()
        } catch {
            throw EffectError(
                .system, object: layout.link.description, "a version of \(layout.link) cannot be named: \(error)")
        }
    }

    /// What versions are made from when the path is this.
    func origin(of present: Present) throws(EffectError) -> VersionOrigin {
        switch present {
        case .version(let version): VersionOrigin(present: present, name: version)
        case .directory: VersionOrigin(present: present, name: try newName())
        }
    }

    /// Tells whether the link could be replaced.
    func checkWritable() throws(EffectError) {
        guard faccessat(parent.raw, ".", W_OK | X_OK, AT_EACCESS) == 0 else {
            throw .file("cannot write in the directory of", layout.link, errno: errno)
        }
    }

    func openDirectory(
        _ name: Bytes, in directory: borrowing OwnedDescriptor
    ) throws(EffectError) -> SharedDescriptor {
        SharedDescriptor(
            try openBeneath(directory.raw, name, flags: O_RDONLY | O_DIRECTORY, layout.link).release())
    }

    func text(of name: Bytes, in directory: borrowing OwnedDescriptor) throws(EffectError) -> Bytes {
        var buffer = [CChar](repeating: 0, count: 512)
        let (count, error) = name.withCString { (readlinkat(directory.raw, $0, &buffer, buffer.count), errno) }
        guard count >= 0 else { throw .file("cannot read the link", layout.link, errno: error) }
        return Bytes(buffer.prefix(count).map { UInt8(bitPattern: $0) })
    }

    private func isTrusted(_ owner: uid_t) -> Bool { owner == 0 || owner == geteuid() }
}

extension EffectError {
    static func noLayout(_ layout: VersionedLayout) -> EffectError {
        EffectError(
            .noParent, object: layout.link.description,
            "\(layout.link) does not exist; layout: versioned takes over a directory, whose owner and mode its versions "
                + "keep", fix: "mkdir -p -m 0755 \(layout.link), or with the mode that the target's server needs")
    }
}
