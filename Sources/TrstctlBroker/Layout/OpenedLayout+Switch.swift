import CTrstctlSystem
import Glibc
import TrstctlPolicy
import TrstctlSystem

/// What a deployment's versions were made from: how the layout's path has to be when they are undone.
struct VersionOrigin: Hashable, Sendable {
    /// What the path was.
    var present: OpenedLayout.Present
    /// The name that the directory gets among the versions; of the version itself when the path was a link already.
    var name: VersionName
}

/// What a layout's path was found to be when it was put back.
enum LayoutReturn: Hashable, Sendable {
    /// It was as before.
    case unchanged
    /// It led to this version of the deployment, and does not any more.
    case putBack(VersionName)
    /// It was neither as before nor as the deployment made it, and was not touched.
    case foreign
}

/// Changing where the link leads; each change is one renaming.
extension OpenedLayout {
    /// Makes a version the visible one; it has to be durable already.
    ///
    /// - Parameters:
    ///   - version: which.
    ///   - expected: what the path is.
    ///   - origin: where the directory goes when the path is one.
    /// - Throws: `exists` when the path is something else by now; then nothing has changed.
    func publish(_ version: VersionName, over expected: Present, _ origin: VersionOrigin) throws(EffectError) {
        let store = try store()
        guard try present() == expected else { throw .layoutChanged(layout) }
        switch expected {
        case .version: try replaceLink(with: version, through: version, in: store)
        case .directory:
            try makeLink(to: version, named: origin.name.bytes, in: store)
            try exchange(origin.name, in: store)
        }
    }

    /// Makes the path what it was before a deployment, durably, and leaves alone what somebody else made of it.
    ///
    /// It may be done again, also after a power loss in the middle.
    ///
    /// - Parameters:
    ///   - origin: what it was.
    ///   - versions: those that the deployment made.
    /// - Returns: what the path was found to be.
    /// - Throws: when it is not as before, although it could be.
    func putBack(to origin: VersionOrigin, from versions: Set<VersionName>) throws(EffectError) -> LayoutReturn {
        let present = try presentIfOurs()
        guard case .version(let live) = present, versions.contains(live) else {
            guard present == origin.present else { return .foreign }
            if present == .directory, try isDisplaced(origin) { return .foreign }
            // Whoever was interrupted may have put it back just now: that must be durable before it counts.
            try parent.synchronise(layout.link)
            return .unchanged
        }
        let store = try store()
        // What it goes back to has to be there.
        _ = try openDirectory(origin.name.bytes, in: store)
        switch origin.present {
        case .version(let version): try replaceLink(with: version, through: live, in: store)
        case .directory: try exchange(origin.name, in: store)
        }
        try parent.synchronise(layout.link)
        return .putBack(live)
    }

    /// Keeps a version of a deployment that is undone, because somebody else changed files in it.
    ///
    /// It gets another name, which no journal has, so that no recovery takes it for one to remove; the next deployment
    /// does (`prune`). The caller makes it durable, with `discard`.
    ///
    /// - Parameter version: one that is not visible any more.
    /// - Returns: its name.
    /// - Throws: then it lies where it was.
    func setAside(_ version: VersionName) throws(EffectError) -> VersionName {
        let store = try store()
        let name = try newName()
        let (result, error) = version.bytes.withCString { from in
            name.bytes.withCString { (renameat(store.raw, from, store.raw, $0), errno) }
        }
        guard result == 0 else { throw .file("cannot keep a version of", layout.link, errno: error) }
        return name
    }

    /// Removes what a deployment left among the versions, except what the path leads to.
    ///
    /// - Parameters:
    ///   - versions: those that the deployment made.
    ///   - origin: what the path was.
    /// - Throws: when something is left.
    func discard(_ versions: Set<VersionName>, _ origin: VersionOrigin) throws(EffectError) {
        // Whoever put something else there may be using any of them.
        guard let present = try presentIfOurs() else { return }
        let store: OwnedDescriptor
        do throws(EffectError) {
            store = try self.store()
        } catch {
            guard error.code == .notFound else { throw error }
            return
        }
        // The directory's future name is a link until they are exchanged, and again when they were exchanged back.
        if origin.present == .directory, try !isDisplaced(origin) { try unlink(origin.name.bytes, in: store) }
        for version in versions where .version(version) != present {
            try unlink(version.link, in: store)
            try remove(version, in: store)
        }
        try store.synchronise(layout.link)
        // Where it is still in use, it stays.
        guard present == .directory else { return }
        let (result, error) = layout.storeName.withCString { (unlinkat(parent.raw, $0, AT_REMOVEDIR), errno) }
        guard result == 0 || [ENOENT, ENOTEMPTY, EEXIST].contains(error) else {
            throw .file("cannot remove the directory of the versions of", layout.link, errno: error)
        }
    }

    /// Removes every version but these.
    func prune(keeping kept: Set<VersionName>) throws(EffectError) {
        let store = try store()
        let directory = try openDirectory(".", in: store)
        for name in try DirectoryNames.read(directory, limit: .max, layout.link) {
            guard let version = VersionName(name), !kept.contains(version) else { continue }
            try remove(version, in: store)
        }
    }

    /// What the path is; nil for what the host did not make of it.
    private func presentIfOurs() throws(EffectError) -> Present? {
        do throws(EffectError) {
            return try present()
        } catch {
            guard [.symbolicLink, .notRegular, .noParent].contains(error.code) else { throw error }
            return nil
        }
    }

    /// Removes a version and its files; it may have gone already.
    func remove(_ version: VersionName, in store: borrowing OwnedDescriptor) throws(EffectError) {
        let directory: SharedDescriptor
        do throws(EffectError) {
            directory = try openDirectory(version.bytes, in: store)
        } catch {
            guard error.code == .notFound else { throw error }
            return
        }
        for name in try DirectoryNames.read(directory, limit: .max, layout.link) {
            let (result, error) = name.withCString { (unlinkat(directory.raw, $0, 0), errno) }
            guard result == 0 || error == ENOENT else {
                throw .file("cannot remove the version \(version) of", layout.link, errno: error)
            }
        }
        let (result, error) = version.bytes.withCString { (unlinkat(store.raw, $0, AT_REMOVEDIR), errno) }
        guard result == 0 || error == ENOENT else {
            throw .file("cannot remove the version \(version) of", layout.link, errno: error)
        }
    }

    /// Whether the directory of before lies among the versions.
    private func isDisplaced(_ origin: VersionOrigin) throws(EffectError) -> Bool {
        do throws(EffectError) {
            _ = try openDirectory(origin.name.bytes, in: try store())
            return true
        } catch {
            guard [.notFound, .notRegular, .symbolicLink].contains(error.code) else { throw error }
            return false
        }
    }

    private func replaceLink(
        with version: VersionName, through name: VersionName, in store: borrowing OwnedDescriptor
    ) throws(EffectError) {
        try unlink(name.link, in: store)
        try makeLink(to: version, named: name.link, in: store)
        let (result, error) = name.link.withCString { from in
            layout.leaf.withCString { (renameat(store.raw, from, parent.raw, $0), errno) }
        }
        guard result == 0 else { throw .file("cannot replace the link", layout.link, errno: error) }
    }

    private func makeLink(
        to version: VersionName, named name: Bytes, in store: borrowing OwnedDescriptor
    ) throws(EffectError) {
        let (result, error) = layout.text(version).withCString { text in
            name.withCString { (symlinkat(text, store.raw, $0), errno) }
        }
        guard result == 0 else { throw .file("cannot make a link for", layout.link, errno: error) }
    }

    private func unlink(_ name: Bytes, in store: borrowing OwnedDescriptor) throws(EffectError) {
        let (result, error) = name.withCString { (unlinkat(store.raw, $0, 0), errno) }
        guard result == 0 || error == ENOENT else {
            throw .file("cannot remove a link that was made for", layout.link, errno: error)
        }
    }

    /// The link and the directory that it stands for change places.
    private func exchange(_ name: VersionName, in store: borrowing OwnedDescriptor) throws(EffectError) {
        let (result, error) = name.bytes.withCString { inside in
            layout.leaf.withCString { (trstctl_rename_exchange(store.raw, inside, parent.raw, $0), errno) }
        }
        guard result == 0 else {
            guard error == EINVAL || error == ENOSYS else {
                throw .file("cannot put a link in the place of", layout.link, errno: error)
            }
            throw EffectError(
                .unimplemented, object: layout.link.description,
                "the file system of \(layout.link) cannot exchange a directory and a link in one step",
                fix: "take layout: versioned away")
        }
    }
}

extension EffectError {
    static func layoutChanged(_ layout: VersionedLayout) -> EffectError {
        EffectError(
            .exists, object: layout.link.description,
            "\(layout.link) was changed by somebody else during the deployment",
            fix: "ls -la \(layout.link) \(layout.store)")
    }
}
