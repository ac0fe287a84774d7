package import TrstctlSystem

/// A rule for files: exactly one file, or, written with a trailing slash, everything below one directory.
package struct PathGrant: Hashable, Sendable, CustomStringConvertible {
    /// Whether the rule names one file or what is below a directory.
    package enum Extent: Hashable, Sendable {
        case file
        case below
    }

    /// The file, or the directory.
    package let path: AbsolutePath
    /// Whether the rule names one file or what is below a directory.
    package let extent: Extent
    /// The directory that has to be opened before anything is resolved beneath it.
    ///
    /// It is the directory that the operator's own text names. An intersection keeps the operator's, so that a
    /// connector cannot move the point from which on symbolic links are refused by declaring less than was approved.
    package let anchor: AbsolutePath

    /// Reads a rule as it stands in the manifest.
    ///
    /// - Throws: `GrammarError`; a bare `/` is refused, because it would grant the whole file system.
    package init(_ text: Bytes) throws(GrammarError) {
        let array = text.array
        guard !array.starts(with: [slash, slash]) else {
            throw GrammarError(.emptyComponent, found: text, "the path has two slashes in a row")
        }
        guard array != [slash] else {
            throw GrammarError(.wholeFileSystem, found: text, "this would grant the whole file system")
        }
        if array.last == slash {
            let path = try AbsolutePath(Bytes(Array(array.dropLast())))
            self.init(path: path, extent: .below, anchor: path)
        } else {
            let path = try AbsolutePath(text)
            self.init(path: path, extent: .file, anchor: path.parent ?? .root)
        }
    }

    /// Reads the UTF-8 bytes of a text.
    package init(_ text: String) throws(GrammarError) {
        try self.init(Bytes(text))
    }

    private init(path: AbsolutePath, extent: Extent, anchor: AbsolutePath) {
        self.path = path
        self.extent = extent
        self.anchor = anchor
    }

    /// True when the rule covers this object.
    package func covers(_ object: AbsolutePath) -> Bool {
        switch extent {
        case .file: object == path
        case .below: object.components(below: path) != nil
        }
    }

    /// True when every object that the other rule covers is covered by this one.
    package func covers(_ other: PathGrant) -> Bool {
        switch other.extent {
        case .file: covers(other.path)
        case .below: extent == .below && (other.path == path || covers(other.path))
        }
    }

    /// The same rule, to be resolved from the other one's anchor.
    func anchored(like other: PathGrant) -> PathGrant {
        PathGrant(path: path, extent: extent, anchor: other.anchor)
    }

    /// True when the first rule is resolved from a directory nearer to the root.
    static func isAnchoredHigher(_ left: PathGrant, _ right: PathGrant) -> Bool {
        left.anchor.components.count < right.anchor.components.count
    }

    /// The bytes as they stand in the manifest.
    package var bytes: Bytes { extent == .below ? Bytes(path.bytes.array + [slash]) : path.bytes }

    /// Two rules are equal when they cover the same objects, wherever they are anchored.
    package static func == (left: PathGrant, right: PathGrant) -> Bool {
        left.path == right.path && left.extent == right.extent
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(path)
        hasher.combine(extent)
    }

    package var description: String { printable(bytes, limit: AbsolutePath.maximumBytes + 1) }
}
