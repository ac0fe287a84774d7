import CTrstctlSystem
import Glibc
import TrstctlCrypto
import TrstctlSystem

/// The layout of a journal's file; `spec/transactions.md` describes it.
enum JournalFormat {
    /// The first bytes of every journal.
    static let magic = Array("TRSTCTLJ".utf8)
    /// 2 has versions of directories; 1 is read as well.
    static let version: UInt32 = 2
    /// Bytes of the header: magic, version, salt, check, zeros.
    static let headerBytes: Int64 = 64
    static let saltBytes = 16
    /// Bytes before a record's body: length, check, salt, position.
    static let frameBytes = 4 + checkBytes + saltBytes + 8
    static let checkBytes = 16
    /// The most bytes of one record's body: a file that can be put back, and its names.
    static let maximumBody = (16 << 20) + (64 << 10)

    /// A header.
    static func header(_ salt: [UInt8], _ version: UInt32 = version) -> [UInt8]? {
        let checked = magic + bigEndian(version) + salt
        guard let check = checked.withUnsafeBytes({ check($0) }) else { return nil }
        return checked + check + [UInt8](repeating: 0, count: Int(headerBytes) - checked.count - check.count)
    }

    /// The check of a record: what follows it, hashed.
    static func check(_ checked: UnsafeRawBufferPointer) -> ArraySlice<UInt8>? {
        SHA256.digest(checked)?.prefix(checkBytes)
    }
}

/// A run's journal on disk: records are appended, and durable once `synchronise` has returned.
///
/// The space ahead is written with zeros in good time. fdatasync(2) then has to write data only: with blocks that are
/// merely reserved (fallocate(2)) it takes twice as long, because the first write to each changes metadata.
final class JournalFile: Sendable {
    private struct State {
        /// Where the next record goes.
        var end = JournalFormat.headerBytes
        /// How far the file is written with zeros.
        var allocated: Int64 = 0
        /// Whether zeros are written ahead of the records.
        var fillsAhead = true
        /// Bytes ahead that belong to records which must not fail for want of space.
        var reserved: Int64 = 0
        /// Once a write did not reach the disk, nothing later counts as durable (fsync(2) reports an error once).
        var failure: SystemError?
    }

    /// Removes a journal, durably.
    ///
    /// - Parameters:
    ///   - name: of the file.
    ///   - directory: open.
    ///   - path: for errors.
    /// - Throws: when it is still there, or may be after a power loss.
    static func remove(_ name: String, in directory: Int32, path: String) throws(SystemError) {
        _ = try retryingInterrupts("unlink", path) { unlinkat(directory, name, 0) }
        _ = try retryingInterrupts("fsync", path) { fsync(directory) }
    }

    static let firstChunk: Int64 = 64 << 10
    static let largestChunk: Int64 = 4 << 20

    /// For people: the file's path.
    let path: String
    private let descriptor: OwnedDescriptor
    private let salt: [UInt8]
    private let state: Locked<State>
    private let commit = GroupCommit()

    /// Makes the file, durably.
    ///
    /// - Parameters:
    ///   - directory: where, open for as long as this value lives.
    ///   - path: the directory's path, for errors.
    ///   - name: the file's name, which does not exist yet.
    /// - Throws: when it cannot be made; then nothing is left.
    init(in directory: Int32, path: String, name: String) throws(SystemError) {
        self.path = path + "/" + name
        var salt = [UInt8](repeating: 0, count: JournalFormat.saltBytes)
        guard trstctl_random(&salt, salt.count) == 0 else { throw .last("getrandom") }
        self.salt = salt
        let flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
        descriptor = OwnedDescriptor(try retryingInterrupts("open", path) { openat(directory, name, flags, 0o600) })
        state = Locked(State())
        do throws(SystemError) {
            try state.withLock { state throws(SystemError) in try grow(&state, by: JournalFile.firstChunk) }
            guard let header = JournalFormat.header(salt) else {
                throw SystemError(stage: "SHA-256", object: self.path, errno: EIO)
            }
            try write(Bytes(header), at: 0)
            let (file, object) = (descriptor.raw, self.path)
            _ = try retryingInterrupts("fsync", object) { fsync(file) }
            _ = try retryingInterrupts("fsync", path) { fsync(directory) }
        } catch {
            unlinkat(directory, name, 0)
            throw error
        }
    }

    /// Goes on with the journal of an earlier run: what is behind the position was never durable, and is cut off.
    ///
    /// - Parameters:
    ///   - descriptor: of the open file.
    ///   - salt: what marks its records.
    ///   - position: where its last whole record ends.
    ///   - path: for errors.
    /// - Throws: when it cannot be cut.
    init(continuing descriptor: consuming OwnedDescriptor, salt: [UInt8], at position: Int64, path: String)
        throws(SystemError)
    {
        self.path = path
        self.salt = salt
        let raw = descriptor.raw
        _ = try retryingInterrupts("ftruncate", path) { ftruncate(raw, off_t(position)) }
        self.descriptor = descriptor
        // What is left to be said is short, and fits where the file was cut, on a full disk too.
        state = Locked(State(end: position, allocated: position, fillsAhead: false))
    }

    /// Appends records, with one write; they are not durable yet.
    ///
    /// - Parameters:
    ///   - bodies: what each record says.
    ///   - reserving: bytes to keep free for records that come later and must not fail for want of space.
    ///   - releasing: bytes that were reserved for these records.
    /// - Returns: where they are; the end is the position to `synchronise` up to.
    /// - Throws: when they are not in the file; then the next ones take their place.
    func append(
        _ bodies: Bytes..., reserving: Int64 = 0, releasing: Int64 = 0
    ) throws(SystemError) -> Range<Int64> {
        let size = bodies.reduce(0) { $0 + Int64(JournalFormat.frameBytes + $1.count) }
        return try state.withLock { state throws(SystemError) in
            if let failure = state.failure { throw failure }
            let needed = state.end + size + state.reserved + reserving - releasing
            if needed > state.allocated { try grow(&state, by: needed - state.allocated) }
            let place = state.end..<state.end + size
            try write(try frames(bodies, at: place.lowerBound), at: place.lowerBound)
            state.end = place.upperBound
            state.reserved += reserving - releasing
            return place
        }
    }

    /// Lets the disk begin with records for which somebody will wait soon.
    ///
    /// Not while somebody waits: whoever is next takes these along, and each part that is begun alone costs a request.
    func beginWriteback(_ records: Range<Int64>) {
        guard !commit.isUnderWay else { return }
        descriptor.beginWriteback(from: records.lowerBound)
    }

    /// Makes everything up to a position durable, together with whatever others appended meanwhile.
    func synchronise(upTo position: Int64) throws(SystemError) {
        try commit.wait(upTo: UInt64(clamping: position), of: end) { () throws(SystemError) in
            do throws(SystemError) {
                let file = descriptor.raw
                _ = try retryingInterrupts("fdatasync", path) { fdatasync(file) }
            } catch {
                state.withLock { $0.failure = error }
                throw error
            }
        }
    }

    private func end() throws(SystemError) -> UInt64 {
        try state.withLock { state throws(SystemError) in
            if let failure = state.failure { throw failure }
            return UInt64(clamping: state.end)
        }
    }

    /// Makes everything durable that was appended so far.
    func synchronise() throws(SystemError) { try synchronise(upTo: state.withLock { $0.end }) }

    private func frames(_ bodies: [Bytes], at start: Int64) throws(SystemError) -> Bytes {
        let total = bodies.reduce(0) { $0 + JournalFormat.frameBytes + $1.count }
        var frames = WipedBuffer(capacity: total, limit: total)
        for body in bodies {
            let mark = salt + bigEndian(UInt64(clamping: start + Int64(frames.count)))
            var hash = SHA256()
            mark.withUnsafeBytes { hash.update($0) }
            body.withUnsafeBytes { hash.update($0) }
            guard let digest = hash.finalize() else { throw SystemError(stage: "SHA-256", object: path, errno: EIO) }
            let head = bigEndian(UInt32(clamping: body.count)) + digest.prefix(JournalFormat.checkBytes) + mark
            _ = head.withUnsafeBytes { frames.append(copying: $0) }
            _ = frames.append(body)
        }
        return frames.bytes(isSecret: true)
    }

    private func grow(_ state: inout State, by missing: Int64) throws(SystemError) {
        let ahead = min(max(JournalFile.firstChunk, state.allocated), JournalFile.largestChunk)
        let chunk = state.fillsAhead ? ahead : 0
        let zeros = Bytes([UInt8](repeating: 0, count: Int(max(chunk, missing))))
        try write(zeros, at: state.allocated)
        state.allocated += Int64(zeros.count)
    }

    private func write(_ content: Bytes, at position: Int64) throws(SystemError) {
        let file = descriptor.raw
        try content.withUnsafeBytes { bytes throws(SystemError) in
            var rest = bytes[...]
            var position = off_t(position)
            while !rest.isEmpty {
                let part = UnsafeRawBufferPointer(rebasing: rest)
                let count = try retryingInterrupts("pwrite", path) {
                    pwrite(file, part.baseAddress, part.count, position)
                }
                rest = rest.dropFirst(count)
                position += count
            }
        }
    }
}

/// The bytes of a number, the highest first.
func bigEndian(_ number: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: number.bigEndian) { Array($0) }
}
