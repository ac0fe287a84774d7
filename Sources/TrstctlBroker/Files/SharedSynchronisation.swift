import Glibc
import Synchronization
import TrstctlPolicy
import TrstctlSystem

/// Which directory it is, whatever its name.
struct DirectoryIdentity: Hashable, Sendable {
    let device: dev_t
    let inode: ino_t
}

extension DirectoryIdentity {
    /// Asks an open directory; the path is for errors.
    init(_ descriptor: Int32, _ path: AbsolutePath) throws(EffectError) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .file("cannot look at", path, errno: errno) }
        (device, inode) = (status.st_dev, status.st_ino)
    }
}

/// Makes directories durable for many who change them at the same time: one fsync(2) counts for all changes that were
/// made before it, whoever asked for it.
final class SharedSynchronisation: Sendable {
    private final class Directory: Sendable {
        /// How often it was changed so far.
        let changes = Atomic<UInt64>(0)
        let commit = GroupCommit()
    }

    private let directories = Mutex<[DirectoryIdentity: Directory]>([:])
    private let synchronise: @Sendable (Int32) -> Int32

    /// - Parameter synchronise: fsync(2); a test puts its own here.
    init(_ synchronise: @escaping @Sendable (Int32) -> Int32 = { fsync($0) }) {
        self.synchronise = synchronise
    }

    private subscript(identity: DirectoryIdentity) -> Directory {
        directories.withLock { directories in
            if let directory = directories[identity] { return directory }
            let directory = Directory()
            directories[identity] = directory
            return directory
        }
    }

    /// Notes that a directory was changed.
    ///
    /// - Returns: the change's number, to be given to `synchronise`.
    func noteChange(_ directory: DirectoryIdentity) -> UInt64 {
        self[directory].changes.add(1, ordering: .acquiringAndReleasing).newValue
    }

    /// Returns when a change of the directory is durable; at once when somebody else's fsync(2) came after it.
    ///
    /// - Parameters:
    ///   - identity: which one it is.
    ///   - number: the change's.
    ///   - descriptor: of the directory, not opened with O_PATH.
    /// - Throws: what fsync(2) says to this caller; it says nothing about the others.
    func synchronise(
        _ identity: DirectoryIdentity, upTo number: UInt64, _ descriptor: Int32
    ) throws(SystemError) {
        let directory = self[identity]
        try directory.commit.wait(upTo: number, of: { directory.changes.load(ordering: .acquiring) }) {
            () throws(SystemError) in _ = try retryingInterrupts("fsync") { synchronise(descriptor) }
        }
    }
}
