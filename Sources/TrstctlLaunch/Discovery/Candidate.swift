package import TrstctlPolicy
package import TrstctlSystem

/// A connector's executable that was found, checked and opened: the open file is what is verified later, not the path.
package final class Candidate: Sendable {
    package let name: ConnectorName
    /// Where it was found.
    package let path: Bytes
    /// Where a symbolic link led to; nil when there was none.
    package let resolvedPath: Bytes?
    /// The directory of the search path.
    package let directory: SearchPath.Directory
    /// Open for reading; the file that was checked.
    package let descriptor: OwnedDescriptor
    /// Bytes, when it was checked.
    package let size: Int64
    /// Seconds since 1970, when it was checked.
    package let modified: Int64

    init(
        name: ConnectorName, path: Bytes, directory: SearchPath.Directory, opened: consuming OpenedExecutable
    ) {
        self.name = name
        self.path = path
        resolvedPath = opened.resolvedPath
        self.directory = directory
        size = opened.size
        modified = opened.modified
        descriptor = opened.descriptor
    }
}

/// What a lookup of one name saw.
package struct Lookup: Sendable {
    /// The first acceptable executable; nil when there is none.
    package let candidate: Candidate?
    /// Acceptable executables of the same name further down, which are never run.
    package let shadowed: [Bytes]
    /// Everything of that name that was not acceptable, and directories that could not be searched.
    package let rejections: [Rejection]
}

/// No acceptable executable for a name.
package struct NotFound: Error, Sendable, CustomStringConvertible {
    package let name: ConnectorName
    /// The directories that were searched, in order.
    package let searched: [Bytes]
    package let rejections: [Rejection]

    package init(name: ConnectorName, searched: [Bytes], rejections: [Rejection]) {
        self.name = name
        self.searched = searched
        self.rejections = rejections
    }

    package var description: String {
        let places = searched.map { "\n  searched: \(printable($0))" }.joined()
        let reasons = rejections.map { "\n  rejected: \($0)" }.joined()
        let isThere = rejections.contains { $0.isFile(of: name) }
        return
            "no executable \(name.executableFileName) \(isThere ? "that may run, " : "")for the connector \(name.text)"
            + "\(places)\(reasons)\n  next: "
            + (isThere
                ? "do what stands behind the file that was rejected, after checking where it came from"
                : "put it into one of these directories, or name its directory with --plugin-dir")
    }
}
