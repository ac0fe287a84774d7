import CTrstctlSystem
import Glibc
package import TrstctlPolicy
import TrstctlSystem

/// Finds connectors by name.
///
/// A lookup opens that one name in each directory and never lists a directory.
package struct Discovery: Sendable {
    package let searchPath: SearchPath
    private let caller: uid_t

    package init(_ searchPath: SearchPath) {
        self.searchPath = searchPath
        caller = geteuid()
    }

    /// Looks a connector up in every directory: the first acceptable file wins, and the rest is reported.
    package func find(_ name: ConnectorName) -> Lookup {
        var candidate: Candidate?
        var shadowed: [Bytes] = []
        var rejections: [Rejection] = []
        for directory in searchPath.directories {
            let path = Bytes(directory.path.array + Array("/\(name.executableFileName)".utf8))
            do throws(Rejection) {
                guard let opened = try open(directory) else { continue }
                let found = try check(name, at: path, in: opened, of: directory)
                if candidate == nil { candidate = found } else { shadowed.append(path) }
            } catch {
                if !error.isAbsence { rejections.append(error) }
            }
        }
        return Lookup(candidate: candidate, shadowed: shadowed, rejections: rejections)
    }

    /// The executable for a name.
    ///
    /// - Throws: `NotFound` with everything that was searched and rejected.
    package func candidate(_ name: ConnectorName) throws(NotFound) -> Candidate {
        let lookup = find(name)
        guard let candidate = lookup.candidate else {
            let searched = searchPath.directories.map(\.path)
            throw NotFound(name: name, searched: searched, rejections: lookup.rejections)
        }
        return candidate
    }

    /// Opens a directory of the search path; nil when it is a standard one that does not exist.
    func open(_ directory: SearchPath.Directory) throws(Rejection) -> OwnedDescriptor? {
        if directory.origin == .environment, directory.path.array.first != UInt8(ascii: "/") {
            throw Rejection(path: directory.path, reason: .relativeDirectory)
        }
        do throws(Unacceptable) {
            return try openDirectory(directory.path, caller: caller)
        } catch {
            if directory.origin == .standard, error.reason == .missingDirectory { return nil }
            throw Rejection(path: directory.path, reason: error.reason)
        }
    }

    private func check(
        _ name: ConnectorName, at path: Bytes, in opened: borrowing OwnedDescriptor, of directory: SearchPath.Directory
    ) throws(Rejection) -> Candidate {
        do throws(Unacceptable) {
            let file = try OpenedExecutable.open(name.executableFileName, in: opened, caller: caller)
            return Candidate(name: name, path: path, directory: directory, opened: file)
        } catch {
            throw Rejection(path: path, target: error.target, reason: error.reason)
        }
    }
}

extension Rejection: Error {
    /// True when there is simply no such file.
    fileprivate var isAbsence: Bool {
        guard case .unreadable(let error) = reason else { return false }
        return error.errno == ENOENT
    }
}
