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

extension GrantedDirectory {
    /// Which directory this is.
    ///
    /// - Throws: what fstat(2) says.
    borrowing func identity() throws(EffectError) -> DirectoryIdentity {
        try DirectoryIdentity(descriptor.raw, path)
    }
}

/// Makes directories durable for many who change them at the same time: whoever comes while one fsync(2) runs waits
/// for the next, which then counts for all who wait.
final class SharedSynchronisation: Sendable {
    private final class Turn: Sendable {
        /// How many have asked so far.
        let asked = Atomic<UInt64>(0)
        /// Up to whom it is done; held while it is being done.
        let done = Mutex<UInt64>(0)
    }

    private let turns = Mutex<[DirectoryIdentity: Turn]>([:])
    private let synchronise: @Sendable (Int32) -> Int32

    /// - Parameter synchronise: fsync(2); a test puts its own here.
    init(_ synchronise: @escaping @Sendable (Int32) -> Int32 = { fsync($0) }) {
        self.synchronise = synchronise
    }

    /// How many have asked for a directory so far, for tests.
    func asked(_ directory: DirectoryIdentity) -> UInt64 {
        turns.withLock { $0[directory] }?.asked.load(ordering: .acquiring) ?? 0
    }

    /// Returns when everything that was changed in the directory before the call is durable.
    ///
    /// - Parameters:
    ///   - directory: which one it is.
    ///   - descriptor: of it, not opened with O_PATH.
    /// - Throws: what fsync(2) says to this caller; it says nothing about the others.
    func synchronise(_ directory: DirectoryIdentity, _ descriptor: Int32) throws(SystemError) {
        let turn = turns.withLock { turns in
            if let turn = turns[directory] { return turn }
            let turn = Turn()
            turns[directory] = turn
            return turn
        }
        let number = turn.asked.add(1, ordering: .acquiringAndReleasing).newValue
        try turn.done.withLock { done throws(SystemError) in
            guard done < number else { return }
            let all = turn.asked.load(ordering: .acquiring)
            _ = try retryingInterrupts("fsync") { synchronise(descriptor) }
            done = all
        }
    }
}
