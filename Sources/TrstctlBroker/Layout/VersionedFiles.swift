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
    private var staged: (name: VersionName, directory: SharedDescriptor)?
    /// The scope's version that is visible.
    private var live: VersionName?
    /// Every version that the scope made.
    private var made: Set<VersionName> = []

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
        let name = try makeName()
        let origin: VersionOrigin
        if let known = self.origin { origin = known } else { origin = try self.origin(of: present) }
        try deployment?.willStage(StagedVersion(layout: layout, name: name, origin: origin), opened, copy.source)
        self.origin = origin
        made.insert(name)
        let directory = try opened.makeVersion(name)
        try deployment?.claim(directory, of: layout)
        try copy.close(directory)
        try copy.copy(into: directory)
        staged = (name, directory)
        return directory
    }

    /// Makes what was staged visible; it is durable before that, and the link is once `unsynced` is synchronised.
    ///
    /// - Parameters:
    ///   - deployment: its records become durable first.
    ///   - unsynced: gets the directories whose entries change.
    /// - Throws: then it is not visible.
    mutating func publish(
        _ deployment: DeploymentJournal?, _ unsynced: inout UnsyncedDirectories
    ) throws(EffectError) {
        guard let staged, let origin, let expected else { return }
        let opened = try open()
        try deployment?.settle()
        try VersionCopy.open(staged.directory, like: try opened.open(expected), layout)
        let store = try opened.store()
        try staged.directory.synchronise(layout.link)
        try store.synchronise(layout.link)
        try unsynced.add(opened.parent, layout.link)
        try unsynced.add(store, layout.link)
        try opened.publish(staged.name, over: expected, origin)
        live = staged.name
        self.staged = nil
    }

    /// Makes the directory what it was before the scope's first change, durably; does nothing when that is so.
    mutating func restore() throws(EffectError) {
        guard let origin else { return }
        let opened = try open()
        guard try opened.putBack(to: origin, from: made) != .foreign else { throw .layoutChanged(layout) }
        live = nil
        staged = nil
        try opened.discard(made, origin)
        self.origin = nil
        made = []
    }

    /// Removes every version but the live one and the one before the deployment, once the deployment is committed.
    func prune() throws(EffectError) {
        guard let opened, let origin, let live else { return }
        try opened.prune(keeping: [live, origin.name])
    }

    /// What the layout's path has to be, as far as the scope knows.
    private var expected: OpenedLayout.Present? { live.map { .version($0) } ?? origin?.present }

    private func origin(of present: OpenedLayout.Present) throws(EffectError) -> VersionOrigin {
        switch present {
        case .version(let version): VersionOrigin(present: present, name: version)
        case .directory: VersionOrigin(present: present, name: try makeName())
        }
    }

    private func makeName() throws(EffectError) -> VersionName {
        do throws(SystemError) {
            return try VersionName.make()
        } catch {
            throw EffectError(
                .system, object: layout.link.description, "a version of \(layout.link) cannot be named: \(error)")
        }
    }

    private mutating func open() throws(EffectError) -> OpenedLayout {
        if let opened { return opened }
        let new = try OpenedLayout(layout)
        opened = new
        return new
    }
}
