package import TrstctlPolicy
package import TrstctlSystem

/// A directory or a file that was looked at and not taken, with the reason and what to do about it.
package struct Rejection: Equatable, Sendable, CustomStringConvertible {
    /// Why it was not taken.
    package enum Reason: Equatable, Sendable {
        /// A directory of `$TRSTCTL_PLUGIN_DIR` that depends on the working directory.
        case relativeDirectory
        case missingDirectory
        case notADirectory
        /// The directory itself, or the directory of a symbolic link's target, may be changed by others.
        case directoryWritable(mode: UInt32)
        case directoryOwner(uid: UInt32)
        /// More entries than are looked at.
        case tooManyEntries(limit: Int)
        /// `trstctl-connector-` followed by something that is no connector name.
        case badName
        case notRegular
        case danglingLink
        case notExecutable(mode: UInt32)
        case empty
        case writable(mode: UInt32)
        case owner(uid: UInt32)
        /// Set-user-id or set-group-id.
        case privileged
        /// A system call failed.
        case unreadable(SystemError)
    }

    /// As it was looked up; not resolved.
    package let path: Bytes
    /// The directory or file the reason is about, when a symbolic link led to another one.
    package let target: Bytes?
    package let reason: Reason

    package init(path: Bytes, target: Bytes? = nil, reason: Reason) {
        self.path = path
        self.target = target == path ? nil : target
        self.reason = reason
    }

    /// Whether it is about a connector's file, and not about a directory.
    package func isFile(of name: ConnectorName) -> Bool {
        path.array.suffix(name.executableFileName.utf8.count + 1).elementsEqual("/\(name.executableFileName)".utf8)
    }

    /// What is wrong, as a sentence without its object.
    package var text: String {
        switch reason {
        case .relativeDirectory: "is not an absolute path"
        case .missingDirectory: "does not exist"
        case .notADirectory: "is not a directory"
        case .directoryWritable(let mode): "\(place) others may write to (mode \(octal(mode)))"
        case .directoryOwner(let uid): "\(place) belongs to uid \(uid), not to root or to you"
        case .tooManyEntries(let limit): "has more than \(limit) entries; the rest was not looked at"
        case .badName: "has a name that no connector can have: a-z, then a-z, 0-9 or -, at most 63 characters"
        case .notRegular: "is not a regular file"
        case .danglingLink: "is a symbolic link to nothing"
        case .notExecutable(let mode): "is not executable (mode \(octal(mode)))"
        case .empty: "is empty"
        case .writable(let mode): "may be written to by others (mode \(octal(mode)))"
        case .owner(let uid): "belongs to uid \(uid), not to root or to you"
        case .privileged: "is set-user-id or set-group-id, which a connector never needs"
        case .unreadable(let error): "cannot be opened: \(error.stage): \(error.reason)"
        }
    }

    private var place: String { target == nil ? "is a directory that" : "leads into a directory that" }

    /// What the operator does about it, often a command to type.
    package var fix: String {
        let object = "'" + printable(target ?? path) + "'"
        return switch reason {
        case .relativeDirectory: "write the absolute path into TRSTCTL_PLUGIN_DIR"
        case .missingDirectory: "mkdir -p \(object), or leave it out"
        case .notADirectory: "name the directory that holds the connectors"
        case .directoryWritable: "chmod go-w \(target == nil ? object : "\"$(dirname \(object))\"")"
        case .directoryOwner: "move the connector to a directory that belongs to root or to you"
        case .tooManyEntries: "keep connectors in a directory of their own"
        case .badName: "rename it"
        case .notRegular: "put the connector's file there"
        case .danglingLink: "install what it points to, or remove the link"
        case .notExecutable: "chmod 755 \(object)"
        case .empty: "install it again; the copy was not completed"
        case .writable: "chmod go-w \(object)"
        case .owner: "chown root \(object), after checking where it came from"
        case .privileged: "chmod ug-s \(object)"
        case .unreadable: "check that you may read it: ls -l \(object)"
        }
    }

    package var description: String {
        let link = target.map { " (\(printable($0)))" } ?? ""
        return "\(printable(path))\(link) \(text); \(fix)"
    }
}

private func octal(_ mode: UInt32) -> String {
    "0" + String(mode & 0o7777, radix: 8)
}
