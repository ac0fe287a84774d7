import TrstctlCrypto
import TrstctlSystem

/// The SHA-256 of pieces that come one after the other, each in one of a few buffers until it is hashed.
///
/// From the third piece on a thread of its own hashes, so that whoever reads and copies a large file does so meanwhile;
/// both only look at a piece. One thread fills, the same one finishes or abandons.
final class HashedPieces: @unchecked Sendable {
    /// How many buffers there are, and how many bytes one has.
    static let count = 4
    static let size = 128 << 10
    /// How many pieces are hashed at once, because a thread is not worth it.
    static let few = 2

    private let buffers = UnsafeMutableRawBufferPointer.allocate(
        byteCount: HashedPieces.count * HashedPieces.size, alignment: 4096)
    private let lock = Lock()
    private let changed = Condition()
    private var lengths = [Int](repeating: 0, count: HashedPieces.count)
    /// How many pieces were given, and how many are hashed.
    private var given = 0
    private var hashed = 0
    private var isOver = false
    private var hasThread = false
    /// Belongs to the filling thread until there is the other one, then to that until it has hashed everything.
    private var hash: SHA256? = SHA256()

    deinit { buffers.deallocate() }

    /// The buffer to fill next; waits until what it held is hashed.
    func next() -> UnsafeMutableRawBufferPointer {
        lock.lock()
        defer { lock.unlock() }
        while given - hashed >= HashedPieces.count { changed.wait(lock) }
        return buffer(given)
    }

    /// Gives the piece in the buffer that `next` returned last; it must not change before the next call of `next`.
    ///
    /// - Parameter length: how many bytes of the buffer it has.
    func give(_ length: Int) {
        if !hasThread, given >= HashedPieces.few { hasThread = startThread(stackBytes: 256 << 10) { self.run() } == 0 }
        guard hasThread else {
            hash?.update(UnsafeRawBufferPointer(rebasing: buffer(given).prefix(length)))
            lock.lock()
            given += 1
            hashed += 1
            lock.unlock()
            return
        }
        lock.lock()
        lengths[given % HashedPieces.count] = length
        given += 1
        changed.signal()
        lock.unlock()
    }

    /// Waits until everything is hashed.
    ///
    /// - Returns: the 32 bytes of the digest, or nil when OpenSSL failed.
    func finish() -> [UInt8]? {
        lock.lock()
        while hashed < given { changed.wait(lock) }
        lock.unlock()
        abandon()
        return hash.take()?.finalize()
    }

    /// Lets the thread end, when it is done with the piece that it has.
    func abandon() {
        lock.lock()
        isOver = true
        changed.signal()
        lock.unlock()
    }

    private func run() {
        lock.lock()
        defer { lock.unlock() }
        while true {
            while hashed == given, !isOver { changed.wait(lock) }
            if isOver { return }
            let piece = UnsafeRawBufferPointer(
                rebasing: buffer(hashed).prefix(lengths[hashed % HashedPieces.count]))
            lock.unlock()
            hash?.update(piece)
            lock.lock()
            hashed += 1
            changed.signal()
        }
    }

    private func buffer(_ number: Int) -> UnsafeMutableRawBufferPointer {
        let begin = number % HashedPieces.count * HashedPieces.size
        return UnsafeMutableRawBufferPointer(rebasing: buffers[begin..<begin + HashedPieces.size])
    }
}
