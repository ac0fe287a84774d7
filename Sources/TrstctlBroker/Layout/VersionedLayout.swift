package import TrstctlPolicy
import TrstctlSystem

/// A directory of a target whose files become visible together: its name is a symbolic link that the host makes.
///
/// `/etc/nginx/tls/www` leads to `.www.trstctl/20270131T080000Z-5f3a9c01` beside it, one of the versions in a directory
/// that belongs to the host. A deployment writes into a copy of the live version; then the link is replaced, in one step.
package struct VersionedLayout: Hashable, Sendable {
    /// The directory's name, which is a link.
    package let link: AbsolutePath
    /// The directory that the operator's text names: what is beneath it is resolved without following links.
    let root: AbsolutePath
    /// The directory that holds the link.
    let parent: AbsolutePath
    /// The link's name in it.
    let leaf: Bytes

    private static let suffix = Array(".trstctl".utf8)

    /// Finds the one directory that a target writes into.
    ///
    /// - Parameter rules: what the target may write: single files, or all files below a directory.
    /// - Throws: `invalid` when there is none, or when there are several.
    package init(_ rules: [PathGrant]) throws(EffectError) {
        var link: AbsolutePath?
        for rule in rules {
            guard let directory = rule.extent == .below ? rule.path : rule.path.parent else { continue }
            guard link == nil || link == directory else {
                throw EffectError(
                    .invalid, object: directory.description,
                    "layout: versioned is for files of one directory, and the connector writes in "
                        + "\(link.map(\.description) ?? "") and in \(directory)",
                    fix: "give the target's files one directory, or take layout: versioned away")
            }
            link = directory
        }
        guard let link, let root = rules.map(\.anchor).min(by: { $0.components.count < $1.components.count }) else {
            throw EffectError(
                .invalid, object: "", "layout: versioned is for files, and the connector writes none",
                fix: "take layout: versioned away")
        }
        try self.init(link: link, root: root)
    }

    /// The layout that a journal names.
    ///
    /// - Throws: `invalid` when these cannot be a link and a directory from which it is found.
    init(link: AbsolutePath, root: AbsolutePath) throws(EffectError) {
        guard let parent = link.parent, let leaf = link.leaf,
            root == link || root == parent || parent.components(below: root) != nil || root == .root
        else {
            throw EffectError(.invalid, object: link.description, "\(link) cannot be a versioned directory")
        }
        guard leaf.count + VersionedLayout.suffix.count < AbsolutePath.maximumComponentBytes else {
            throw EffectError(
                .invalid, object: link.description,
                "the name of \(link) is too long for layout: versioned, which needs a longer one beside it")
        }
        (self.link, self.root, self.parent, self.leaf) = (link, root, parent, leaf)
    }

    /// The name of the directory of the versions, beside the link.
    var storeName: Bytes { Bytes([UInt8(ascii: ".")] + leaf.array + VersionedLayout.suffix) }

    /// The directory of the versions, for people.
    package var store: String { "\(parent == .root ? "" : parent.description)/\(printable(storeName))" }

    /// Says where a file lies that somebody else changed in a version that is not visible any more.
    func setAside(_ file: String, _ version: VersionName) -> String {
        "\(file) was set aside in \(store)/\(version); copy it back before the next apply, which removes that"
    }

    /// What the link says when it leads to a version.
    func text(_ version: VersionName) -> Bytes {
        Bytes(storeName.array + [UInt8(ascii: "/")] + version.bytes.array)
    }

    /// The version that a link with this text leads to; nil for a link that the host did not make.
    func version(_ text: Bytes) -> VersionName? {
        let prefix = storeName.array + [UInt8(ascii: "/")]
        guard text.array.starts(with: prefix) else { return nil }
        return VersionName(Bytes(Array(text.array.dropFirst(prefix.count))))
    }

    /// Whether a file belongs to the layout.
    ///
    /// - Throws: `invalid` for one in a directory below: versions have files only.
    func holds(_ path: AbsolutePath) throws(EffectError) -> Bool {
        guard let below = path.components(below: link) else { return false }
        guard below.count == 1 else {
            throw EffectError(
                .invalid, object: path.description,
                "\(path) lies in a directory below \(link), and layout: versioned is for files of one directory")
        }
        return true
    }

    /// What nobody else may write to: the directory, and its versions.
    package var places: [AbsolutePath] {
        let store = Bytes((parent == .root ? [] : parent.bytes.array) + [UInt8(ascii: "/")] + storeName.array)
        return [link] + ((try? AbsolutePath(store)).map { [$0] } ?? [])
    }

    /// The path of a file of the layout.
    func path(_ name: Bytes) throws(EffectError) -> AbsolutePath {
        do throws(GrammarError) {
            return try AbsolutePath(Bytes(link.bytes.array + [UInt8(ascii: "/")] + name.array))
        } catch {
            throw EffectError(.invalidPath, object: link.description, "a file in \(link): \(error)")
        }
    }
}
