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

    private var directories: [DirectoryIdentity: (SharedDescriptor, AbsolutePath)] = [:]

    var isEmpty: Bool { directories.isEmpty }

    /// Notes a directory; or makes it durable at once, when there are many.
    mutating func add(_ directory: borrowing GrantedDirectory) throws(EffectError) {
        try add(directory.descriptor, directory.path)
    }

    /// Notes an open directory; the path is for errors.
    mutating func add(_ directory: borrowing OwnedDescriptor, _ path: AbsolutePath) throws(EffectError) {
        let identity = try DirectoryIdentity(directory.raw, path)
        guard directories[identity] == nil else { return }
        guard directories.count < UnsyncedDirectories.limit else {
            return try directory.synchronise(path)
        }
        do throws(SystemError) {
            let copy = try directory.duplicate()
            directories[identity] = (SharedDescriptor(copy.release()), path)
        } catch {
            try directory.synchronise(path)
        }
    }

    /// Makes all of them durable; what fails stays to be tried again.
    ///
    /// - Parameter shared: lets those who change the same directory at the same time share one fsync(2).
    /// - Throws: what the first of them that cannot be synchronised says.
    mutating func synchronise(_ shared: SharedSynchronisation? = nil) throws(EffectError) {
        let shared = shared ?? SharedSynchronisation()
        for (identity, (descriptor, path)) in directories {
            do throws(SystemError) {
                try shared.synchronise(identity, descriptor.raw)
            } catch {
                throw .file("cannot make durable", path, errno: error.errno)
            }
            directories[identity] = nil
        }
    }
}
