import Glibc
import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

/// Copying the files of a version, so that a deployment changes the copy.
struct VersionCopy {
    let layout: VersionedLayout
    let limits: ScopeLimits
    /// The directory whose files are copied.
    let source: SharedDescriptor
    /// The names of its files.
    let names: [Bytes]

    /// Looks at everything that would be copied.
    ///
    /// - Throws: for what is no regular file with one name, and when there is too much.
    init(_ layout: VersionedLayout, _ source: SharedDescriptor, _ limits: ScopeLimits) throws(EffectError) {
        (self.layout, self.source, self.limits) = (layout, source, limits)
        try VersionCopy.checkOwner(try VersionCopy.status(source, layout).st_uid, layout.link)
        names = try DirectoryNames.read(source, limit: limits.files, layout.link)
        var left = UInt64(clamping: limits.restorable)
        for name in names {
            let path = try layout.path(name)
            let file = try GrantedDirectory(version: source, leaf: name, path: path)
            guard let found = try VersionCopy.inspect(file) else { continue }
            try VersionCopy.checkOwner(found.uid, path)
            guard found.size <= UInt64(clamping: limits.restorableFile), found.size <= left else {
                throw EffectError(
                    .limit, object: path.description,
                    "\(layout.link) holds more than \(limits.restorable) bytes, or a file of more than "
                        + "\(limits.restorableFile): too much to be copied for each version",
                    fix: "give the target's files a directory of their own")
            }
            left -= found.size
        }
    }

    /// Copies the files, durably; the directory itself is not.
    ///
    /// - Returns: what the files were when they were copied.
    func copy(into copy: SharedDescriptor) throws(EffectError) -> VersionStamps {
        var stamps = VersionStamps()
        for name in names {
            let path = try layout.path(name)
            let from = try GrantedDirectory(version: source, leaf: name, path: path)
            guard let original = try from.openForReading() else { continue }
            try stamps.note(name, original.descriptor, path)
            guard let (content, attributes) = try FileReading.content(in: from, limit: limits.restorableFile) else {
                continue
            }
            let directory = try GrantedDirectory(version: copy, leaf: name, path: path)
            let file = try TemporaryFile(in: directory, named: name)
            try file.write(content)
            try file.setOwner(Wire.FileOwner(uid: attributes.uid, gid: attributes.gid))
            try file.setMode(attributes.mode)
            try ExtendedAttributes.copy(from: original.descriptor.raw, to: file.descriptor.raw, path)
            try file.descriptor.synchronise(path)
        }
        return stamps
    }

    /// Looks at a file; what cannot be copied keeps the whole directory from being versioned, so that is said.
    private static func inspect(_ file: borrowing GrantedDirectory) throws(EffectError) -> FileAttributes? {
        do throws(EffectError) {
            guard let found = try file.inspect() else { return nil }
            guard found.mode & 0o7000 == 0 else { throw .privilegedFile(file.path) }
            return found
        } catch {
            guard error.isDenial else { throw error }
            throw EffectError(
                error.code, object: error.object,
                "\(error.message); layout: versioned copies the whole directory, which may hold regular files only",
                fix: "move \(file.path) elsewhere, or take layout: versioned away")
        }
    }

    /// Lets only the host into the directory of a copy, in which files get the group that they would get in the original.
    func close(_ copy: SharedDescriptor) throws(EffectError) {
        let status = try VersionCopy.status(source, layout)
        try VersionCopy.set(copy, uid_t.max, status.st_gid, status.st_mode & 0o7000 | 0o700, layout)
    }

    /// Gives the directory of a copy the owner, mode and extended attributes of the one that it replaces.
    static func open(
        _ copy: SharedDescriptor, like source: SharedDescriptor, _ layout: VersionedLayout
    ) throws(EffectError) {
        let status = try status(source, layout)
        try set(copy, status.st_uid, status.st_gid, status.st_mode & 0o7777, layout)
        try ExtendedAttributes.copy(from: source.raw, to: copy.raw, layout.link)
    }

    private static func set(
        _ copy: SharedDescriptor, _ uid: uid_t, _ gid: gid_t, _ mode: mode_t, _ layout: VersionedLayout
    ) throws(EffectError) {
        let present = try status(copy, layout)
        if (uid != .max && uid != present.st_uid) || gid != present.st_gid {
            guard fchown(copy.raw, uid, gid) == 0 else {
                throw .file("cannot set the owner of a version of", layout.link, errno: errno)
            }
        }
        // After the owner: a change of owner clears permission bits (chown(2)).
        guard fchmod(copy.raw, mode) == 0 else {
            throw .file("cannot set the mode of a version of", layout.link, errno: errno)
        }
    }

    private static func status(_ directory: SharedDescriptor, _ layout: VersionedLayout) throws(EffectError) -> stat {
        var status = stat()
        guard fstat(directory.raw, &status) == 0 else { throw .file("cannot look at", layout.link, errno: errno) }
        return status
    }

    /// Said before anything is made: a copy has to belong to whom the original belongs to.
    private static func checkOwner(_ owner: uid_t, _ path: AbsolutePath) throws(EffectError) {
        guard geteuid() != 0, owner != geteuid() else { return }
        throw EffectError(
            .cannotChangeOwner, object: path.description,
            "\(path) belongs to user \(owner), and so would its copy in the next version; the host runs as user "
                + "\(geteuid()), which may not give files away",
            fix: "run trstctl as root, or: chown \(geteuid()) \(path)")
    }
}
