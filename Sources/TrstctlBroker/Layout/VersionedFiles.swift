import TrstctlPolicy
import TrstctlSystem

/// The versions of a directory that one scope makes: at most one that nobody sees yet, and those that became visible.
struct VersionedFiles: Sendable {
    let layout: VersionedLayout
    private let limits: ScopeLimits
    private var opened: OpenedLayout?
    /// What the layout's path was before the first version; nil when there is none.
    private var origin: VersionOrigin?
    /// What nobody sees yet.
    private var staged: Staged?
    /// The scope's version that is visible.
    private var live: VersionName?
    /// Every version that the scope made.
    private var made: Set<VersionName> = []
    /// Which directories these are.
    private var places: Set<DirectoryIdentity> = []
    /// Each version that became visible, as it was then.
    private var published: [VersionName: VersionStamps] = [:]
    /// The versions with somebody else's changes that `restore` left, under their new names.
    private var kept: Set<VersionName> = []
    /// The files that `restore` found changed by somebody else, and where they are, for people.
    private(set) var setAside: [String] = []

    private struct Staged: Sendable {
        let name: VersionName
        let directory: SharedDescriptor
        /// What it was copied from, when it was.
        let source: VersionStamps
    }

    init(_ layout: VersionedLayout, limits: ScopeLimits) {
        self.layout = layout
        self.limits = limits
    }

    /// Whether there is nothing to undo and nothing to remove.
    var isUntouched: Bool { origin == nil }

    /// What the layout's path is now.
    mutating func present() throws(EffectError) -> OpenedLayout.Present { try open().present() }

    /// The directory in which the scope finds the files: the copy that it changes, or the live version.
    mutating func current() throws(EffectError) -> SharedDescriptor {
        if let staged { return staged.directory }
        let opened = try open()
        return try opened.open(try opened.present())
    }

    /// Tells whether a version could be made and become visible, without making it.
    mutating func rehearse() throws(EffectError) {
        _ = try VersionCopy(layout, try current(), limits)
        try open().checkWritable()
    }

    /// The directory in which the scope changes files: a copy of the live version, made when there is none.
    ///
    /// - Parameter deployment: gets what there will be before it is there.
    /// - Returns: the copy.
    /// - Throws: for a directory that cannot be versioned, and when there is no room; `restore` removes what was begun.
    mutating func stage(_ deployment: DeploymentJournal?) throws(EffectError) -> SharedDescriptor {
        if let staged { return staged.directory }
        let opened = try open()
        let present = try opened.present()
        guard origin == nil || present == expected else { throw .layoutChanged(layout) }
        let copy = try VersionCopy(layout, try opened.open(present), limits)
        let name = try opened.newName()
        let origin: VersionOrigin
        if let known = self.origin { origin = known } else { origin = try opened.origin(of: present) }
        try deployment?.willStage(StagedVersion(layout: layout, name: name, origin: origin), opened, copy.source)
        self.origin = origin
        made.insert(name)
        let directory = try opened.makeVersion(name)
        places.insert(try DirectoryIdentity(directory.raw, layout.link))
        try deployment?.claim(directory, of: layout)
        try copy.close(directory)
        staged = Staged(name: name, directory: directory, source: try copy.copy(into: directory))
        return directory
    }

    /// Makes what was staged visible; it is durable before that, and the link is once `unsynced` is synchronised.
    ///
    /// - Parameters:
    ///   - deployment: its records become durable first.
    ///   - unsynced: gets the directories whose entries change.
    /// - Throws: then the deployment has failed, and `restore` undoes what became visible; also when somebody changed the
    ///   files of before since they were copied.
    mutating func publish(
        _ deployment: DeploymentJournal?, _ unsynced: inout UnsyncedDirectories
    ) throws(EffectError) {
        guard let staged, let origin, let expected else { return }
        let opened = try open()
        try deployment?.settle()
        let source = try opened.open(expected)
        try VersionCopy.open(staged.directory, like: source, layout)
        let store = try opened.store()
        try staged.directory.synchronise(layout.link)
        try store.synchronise(layout.link)
        let stamps = try VersionStamps(staged.directory, layout)
        // As late as possible: what somebody does between this and the renaming is only in the version of before.
        let changes = try staged.source.changes(in: source, .everything, layout)
        guard changes.isEmpty else { throw .filesChanged(layout, changes) }
        try opened.publish(staged.name, over: expected, origin)
        published[staged.name] = stamps
        live = staged.name
        self.staged = nil
        // Not before: somebody else's fsync(2) would then count for a change that came after it.
        try unsynced.add(opened.parent, layout.link)
        try unsynced.add(store, layout.link)
    }

    /// Makes the directory what it was before the scope's first change, durably; does nothing when that is so.
    ///
    /// A version in which somebody else changed files is kept until the next deployment, and named in `setAside`.
    ///
    /// - Parameter deployment: lets go of the versions.
    /// - Throws: when it is not so.
    mutating func restore(_ deployment: DeploymentJournal?) throws(EffectError) {
        guard let origin else { return }
        let opened = try open()
        let edited = try edited(opened)
        guard try opened.putBack(to: origin, from: made) != .foreign else { throw .layoutChanged(layout) }
        live = nil
        staged = nil
        for (version, names) in edited {
            let name = try opened.setAside(version)
            kept.insert(name)
            for file in names { setAside.append(layout.setAside("\(try layout.path(file))", name)) }
        }
        deployment?.release(places)
        try opened.discard(made, origin)
        self.origin = nil
        made = []
        places = []
        published = [:]
    }

    /// What is left among the versions when `restore` did not restore; nil when nothing is.
    var left: String? { origin.flatMap { opened?.left(made, $0) } }

    /// The scope's versions in which somebody else changed files since they became visible, and which files.
    private func edited(_ opened: OpenedLayout) throws(EffectError) -> [(VersionName, [Bytes])] {
        var edited: [(VersionName, [Bytes])] = []
        for (version, stamps) in published.sorted(by: { $0.key.description < $1.key.description }) {
            do throws(EffectError) {
                let names = try stamps.changes(in: try opened.open(.version(version)), .content, layout)
                if !names.isEmpty { edited.append((version, names)) }
            } catch {
                // It was set aside by an attempt that failed after that, or the path is no longer the host's.
                guard error.code == .notFound else { throw error }
            }
        }
        return edited
    }

    /// Removes every version but the live one and the one before the deployment, once the deployment is committed.
    func prune() throws(EffectError) {
        guard let opened, let origin, let live else { return }
        try opened.prune(keeping: kept.union([live, origin.name]))
    }

    /// What the layout's path has to be, as far as the scope knows.
    private var expected: OpenedLayout.Present? { live.map { .version($0) } ?? origin?.present }

    private mutating func open() throws(EffectError) -> OpenedLayout {
        if let opened { return opened }
        let new = try OpenedLayout(layout)
        opened = new
        return new
    }
}
