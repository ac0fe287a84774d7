import Glibc
import TrstctlPolicy
import TrstctlProcess
import TrstctlSystem

/// Directories whose entries were changed and are not yet durable: each needs one fsync(2), however many files in it
/// were replaced.
///
/// They stay open, so that the right ones are synchronised whatever is renamed meanwhile.
struct UnsyncedDirectories: Sendable {
    private struct Identity: Hashable {
        let device: dev_t
        let inode: ino_t
    }

    /// The most that are held open.
    static let limit = 16

    private var directories: [Identity: (SharedDescriptor, AbsolutePath)] = [:]

    /// Notes a directory; or makes it durable at once, when there are many.
    mutating func add(_ directory: borrowing GrantedDirectory) throws(EffectError) {
        var status = stat()
        guard fstat(directory.descriptor.raw, &status) == 0 else {
            throw .file("cannot look at", directory.path, errno: errno)
        }
        let identity = Identity(device: status.st_dev, inode: status.st_ino)
        guard directories[identity] == nil else { return }
        guard directories.count < UnsyncedDirectories.limit else {
            return try directory.descriptor.synchronise(directory.path)
        }
        do throws(SystemError) {
            let copy = try directory.descriptor.duplicate()
            directories[identity] = (SharedDescriptor(copy.release()), directory.path)
        } catch {
            try directory.descriptor.synchronise(directory.path)
        }
    }

    /// Makes all of them durable; what fails stays to be tried again.
    mutating func synchronise() throws(EffectError) {
        for (identity, (descriptor, path)) in directories {
            do throws(SystemError) {
                _ = try retryingInterrupts("fsync") { fsync(descriptor.raw) }
            } catch {
                throw .file("cannot make durable", path, errno: error.errno)
            }
            directories[identity] = nil
        }
    }
}
