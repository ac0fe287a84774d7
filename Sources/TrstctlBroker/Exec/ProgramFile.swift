import CTrstctlSystem
import Glibc
import TrstctlPolicy
import TrstctlSystem

/// The file of a program that was looked up name by name, and that nobody but root and the host's user can replace.
///
/// Every directory on the way is checked, those of links too: whoever may write to one of them chooses what runs. So the
/// file that is looked at here can be run by its path afterwards.
struct ProgramFile: ~Copyable {
    /// Opened without access to its content (O_PATH).
    let descriptor: OwnedDescriptor
    let path: AbsolutePath
    private let status: stat
    /// As many links as the kernel itself would follow, path_resolution(7).
    private static let maximumLinks = 40

    /// Looks the program up.
    ///
    /// - Throws: `privileged` for what others could have written, `notExecutable` for what is no program, and what the
    ///   system says.
    init(_ path: AbsolutePath) throws(EffectError) {
        var directories = [try Entry.root(path)]
        var names = Array(path.components.reversed())
        var links = 0
        var found: Entry?
        while let name = names.popLast() {
            guard let directory = directories.last, found == nil else {
                throw .file("cannot run", path, errno: ENOTDIR)
            }
            if name == ".." {
                if directories.count > 1 { directories.removeLast() }
                continue
            }
            let entry = try directory.entry(name, of: path)
            switch entry.status.st_mode & S_IFMT {
            case S_IFLNK:
                links += 1
                guard links <= ProgramFile.maximumLinks else { throw .file("cannot run", path, errno: ELOOP) }
                let target = try entry.target(of: path)
                if target.first == UInt8(ascii: "/") { directories.removeSubrange(1...) }
                let parts = target.split(separator: UInt8(ascii: "/")).map { Bytes(Array($0)) }
                names += parts.filter { $0 != "." }.reversed()
            case S_IFDIR:
                try entry.refuseIfWritable(path)
                directories.append(entry)
            default: found = entry
            }
        }
        guard let found, found.status.st_mode & S_IFMT == S_IFREG, found.status.st_mode & 0o111 != 0 else {
            throw EffectError(
                .notExecutable, object: path.description, "\(path) is not an executable file",
                fix: "look at it: ls -lL \(path)")
        }
        try found.refuseIfWritable(path)
        self.init(try found.opened(path), found.status, path)
    }

    private init(_ descriptor: consuming OwnedDescriptor, _ status: stat, _ path: AbsolutePath) {
        self.descriptor = descriptor
        self.status = status
        self.path = path
    }

    /// True for a program that changes whose rights it has when it starts.
    var changesRights: Bool { status.st_mode & 0o6000 != 0 }
}

/// Something on the way to a program.
private struct Entry {
    let descriptor: SharedDescriptor
    let status: stat
    /// How errors call it.
    let name: String

    private init(_ number: Int32, name: String, of path: AbsolutePath) throws(EffectError) {
        guard number >= 0 else { throw .file("cannot run", path, errno: errno) }
        descriptor = SharedDescriptor(number)
        var status = stat()
        guard fstat(number, &status) == 0 else { throw .file("cannot run", path, errno: errno) }
        self.status = status
        self.name = name
    }

    static func root(_ path: AbsolutePath) throws(EffectError) -> Entry {
        let root = try Entry(open("/", TRSTCTL_O_PATH | O_DIRECTORY | O_CLOEXEC), name: "/", of: path)
        try root.refuseIfWritable(path)
        return root
    }

    /// What a name in this directory is, a link itself and not what it leads to.
    func entry(_ leaf: Bytes, of path: AbsolutePath) throws(EffectError) -> Entry {
        let number = leaf.withCString { openat(descriptor.raw, $0, TRSTCTL_O_PATH | O_NOFOLLOW | O_CLOEXEC) }
        let entry = try Entry(number, name: (name == "/" ? "" : name) + "/" + printable(leaf), of: path)
        // In a directory such as /tmp everybody owns what he made, and nobody can replace what is another's.
        if status.st_mode & 0o022 != 0 { try entry.refuseStranger(path) }
        return entry
    }

    func target(of path: AbsolutePath) throws(EffectError) -> [UInt8] {
        var text = [UInt8](repeating: 0, count: AbsolutePath.maximumBytes + 1)
        let count = readlinkat(descriptor.raw, "", &text, text.count)
        guard count > 0, count < text.count else { throw .file("cannot run", path, errno: count < 0 ? errno : ELOOP) }
        return Array(text.prefix(count))
    }

    func opened(_ path: AbsolutePath) throws(EffectError) -> OwnedDescriptor {
        let copy = fcntl(descriptor.raw, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw .file("cannot run", path, errno: errno) }
        return OwnedDescriptor(copy)
    }

    /// Refuses what belongs to somebody else.
    private func refuseStranger(_ path: AbsolutePath) throws(EffectError) {
        guard status.st_uid != 0, status.st_uid != geteuid() else { return }
        throw EffectError(
            .privileged, object: path.description,
            "\(path) is not run: \(name) belongs to user \(status.st_uid), who could change what runs",
            fix: "chown \(geteuid()) \(name), after looking at what it is")
    }

    /// Refuses what another user owns or could write to.
    func refuseIfWritable(_ path: AbsolutePath) throws(EffectError) {
        try refuseStranger(path)
        let isDirectory = status.st_mode & S_IFMT == S_IFDIR
        guard status.st_mode & 0o022 != 0, !(isDirectory && status.st_mode & S_ISVTX != 0) else { return }
        throw EffectError(
            .privileged, object: path.description,
            "\(path) is not run: \(name) can be changed by others than its owner "
                + "(mode \(String(status.st_mode & 0o7777, radix: 8)))",
            fix: "chmod go-w \(name)")
    }
}
