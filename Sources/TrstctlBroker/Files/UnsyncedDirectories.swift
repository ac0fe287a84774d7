import Glibc
import TrstctlPolicy
import TrstctlProcess
import TrstctlSystem

/// Directories whose entries were changed and are not yet durable: each needs one fsync(2), however many files in it
/// were replaced.
///
/// They stay open, so that the right ones are synchronised whatever is renamed meanwhile.
struct UnsyncedDirectories: Sendable {
    /// The most that are held open.
    static let limit = 16

    /// One whose entries were changed.
    private struct Directory {
        let descriptor: SharedDescriptor
        let path: AbsolutePath
        /// The number of the latest change.
        var change: UInt64
    }

    private let shared: SharedSynchronisation
    private var directories: [DirectoryIdentity: Directory] = [:]

    /// - Parameter shared: lets those who change the same directory at the same time share one fsync(2).
    init(_ shared: SharedSynchronisation = SharedSynchronisation()) { self.shared = shared }

    var isEmpty: Bool { directories.isEmpty }

    /// Notes a directory; or makes it durable at once, when there are many.
    mutating func add(_ directory: borrowing GrantedDirectory) throws(EffectError) {
        try add(directory.descriptor, directory.path)
    }

    /// Notes an open directory; the path is for errors.
    mutating func add(_ directory: borrowing OwnedDescriptor, _ path: AbsolutePath) throws(EffectError) {
        let identity = try DirectoryIdentity(directory.raw, path)
        let change = shared.noteChange(identity)
        guard directories[identity] == nil else {
            directories[identity]?.change = change
            return
        }
        guard directories.count < UnsyncedDirectories.limit else {
            return try synchronise(identity, upTo: change, directory.raw, path)
        }
        do throws(SystemError) {
            let copy = try directory.duplicate()
            directories[identity] = Directory(
                descriptor: SharedDescriptor(copy.release()), path: path, change: change)
        } catch {
            try synchronise(identity, upTo: change, directory.raw, path)
        }
    }

    private func synchronise(
        _ identity: DirectoryIdentity, upTo change: UInt64, _ descriptor: Int32, _ path: AbsolutePath
    ) throws(EffectError) {
        do throws(SystemError) {
            try shared.synchronise(identity, upTo: change, descriptor)
        } catch {
            throw .file("cannot make durable", path, errno: error.errno)
        }
    }

    /// Makes all of them durable; what fails stays to be tried again.
    ///
    /// - Throws: what the first of them that cannot be synchronised says.
    mutating func synchronise() throws(EffectError) {
        for (identity, directory) in directories {
            try synchronise(identity, upTo: directory.change, directory.descriptor.raw, directory.path)
            directories[identity] = nil
        }
    }
}
