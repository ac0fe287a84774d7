import Glibc
import TrstctlPolicy
import TrstctlSystem

/// A file's content as it lies in a journal.
struct StoredFile: Sendable {
    /// Where in the journal, and how much.
    var position: Int64
    var count: Int
    var mode: UInt32
    var uid: UInt32
    var gid: UInt32
}

/// What a record says, as it is read.
enum StoredRecord: Sendable {
    struct Change: Sendable {
        enum Before: Sendable {
            case absent
            case file(StoredFile)
            case inVersion
        }

        var path: AbsolutePath
        var root: AbsolutePath
        var temporary: Bytes
        var before: Before?
        /// Nil for a removal.
        var after: [UInt8]?
    }

    case begin(DeploymentHeader)
    case change(Change)
    case run
    case end
    case stage(StagedVersion)
}

/// Reads a journal record by record.
///
/// The first record that is not whole is the end: what was not durable was not followed by a change.
struct JournalReader {
    /// Why a journal cannot be read at all.
    enum Fault: Error {
        case system(SystemError)
        /// Nothing had begun: the header never reached the disk.
        case neverBegun
        case notAJournal
        /// Written by a later version of trstctl.
        case version(UInt32)
        /// A record is whole, and says what this version does not understand.
        case damaged(position: Int64)
    }

    private let descriptor: Int32
    private let path: String
    /// What marks the records of this journal.
    let salt: [UInt8]
    /// Where the next record begins, or, after the last one, where the journal ends.
    private(set) var position = JournalFormat.headerBytes

    /// - Parameters:
    ///   - descriptor: of the open file; it outlives this value.
    ///   - path: for errors.
    /// - Throws: why it cannot be read at all.
    init(_ descriptor: Int32, path: String) throws(Fault) {
        self.descriptor = descriptor
        self.path = path
        let header = try JournalReader.read(descriptor, Int(JournalFormat.headerBytes), at: 0, path)
        guard let header, !header.array.allSatisfy({ $0 == 0 }) else { throw .neverBegun }
        let bytes = header.array
        guard bytes.starts(with: JournalFormat.magic) else { throw .notAJournal }
        let version = bytes[8..<12].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        guard (1...JournalFormat.version).contains(version) else { throw .version(version) }
        salt = Array(bytes[12..<12 + JournalFormat.saltBytes])
        // A damaged salt would make every record look as if it had never been written.
        guard bytes == JournalFormat.header(salt, version) else { throw .damaged(position: 0) }
    }

    /// The next record and the number of its deployment; nil at the end.
    mutating func next() throws(Fault) -> (id: UInt32, record: StoredRecord)? {
        guard let frame = try JournalReader.read(descriptor, JournalFormat.frameBytes, at: position, path)?.array else {
            return nil
        }
        let count = Int(frame[0..<4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
        let checked = Array(frame[(4 + JournalFormat.checkBytes)...])
        guard count > 0, count <= JournalFormat.maximumBody,
            checked == salt + bigEndian(UInt64(clamping: position)),
            let body = try JournalReader.read(
                descriptor, count, at: position + Int64(JournalFormat.frameBytes), path)
        else { return nil }
        var hashed = WipedBuffer(capacity: checked.count + count, limit: checked.count + count)
        _ = hashed.append(Bytes(checked))
        _ = hashed.append(body)
        let check = hashed.withUnsafeBytes { JournalFormat.check($0) }
        guard let check, frame[4..<4 + JournalFormat.checkBytes].elementsEqual(check) else { return nil }
        var decoder = JournalDecoder(body, at: position + Int64(JournalFormat.frameBytes))
        guard let id = decoder.header(), let record = decoder.record() else { throw .damaged(position: position) }
        position += Int64(JournalFormat.frameBytes + count)
        return (id, record)
    }

    /// The content of a file before the deployment.
    func content(_ file: StoredFile) throws(Fault) -> Bytes {
        guard file.count > 0 else { return Bytes() }
        guard let bytes = try JournalReader.read(descriptor, file.count, at: file.position, path) else {
            throw .damaged(position: file.position)
        }
        return bytes
    }

    /// So many bytes, wiped when they are no longer used; nil when there are fewer.
    private static func read(
        _ descriptor: Int32, _ count: Int, at position: Int64, _ path: String
    ) throws(Fault) -> Bytes? {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .system(.last("fstat", path)) }
        guard Int64(status.st_size) - position >= Int64(count) else { return nil }
        var buffer = WipedBuffer(capacity: count, limit: count)
        while buffer.count < count {
            let offset = off_t(position) + off_t(buffer.count)
            do throws(SystemError) {
                let got = try buffer.append { free throws(SystemError) in
                    try retryingInterrupts("pread", path) { pread(descriptor, free.baseAddress, free.count, offset) }
                }
                guard let got, got > 0 else { return nil }
            } catch {
                throw .system(error)
            }
        }
        return buffer.bytes(isSecret: true)
    }
}

/// Reads the fields of a record's body; nil for what is not as it has to be.
private struct JournalDecoder {
    private let body: Bytes
    private let position: Int64
    private var offset = 0
    private var kind: JournalRecord?

    init(_ body: Bytes, at position: Int64) {
        self.body = body
        self.position = position
    }

    mutating func header() -> UInt32? {
        kind = take(1)?.array.first.flatMap { JournalRecord(rawValue: $0) }
        return kind == nil ? nil : number()
    }

    mutating func record() -> StoredRecord? {
        switch kind {
        case .begin: begin().map { .begin($0) }
        case .change: change().map { .change($0) }
        case .run: .run
        case .stage: stage().map { .stage($0) }
        case .end: number().flatMap { DeploymentEnd(rawValue: UInt8(clamping: $0)) }.map { _ in .end }
        case nil: nil
        }
    }

    private mutating func begin() -> DeploymentHeader? {
        guard let target = text(), let connector = text(), let digest = text(), let fingerprint = text(),
            let served = list({ $0.text() }), let hasProbe = number()
        else { return nil }
        var header = DeploymentHeader(
            target: target, connector: connector, digest: digest, fingerprint: fingerprint)
        header.served = served
        if hasProbe > 0 {
            guard let address = text().flatMap({ try? DialAddress($0) }), let name = text(), let timeout = number()
            else { return nil }
            header.probe = Probe(
                address: address, serverName: name.isEmpty ? nil : try? DNSName(name), timeout: Int(timeout))
            if hasProbe > 1 {
                guard let startTLS = text().flatMap({ StartTLS(rawValue: $0) }) else { return nil }
                header.probe?.startTLS = startTLS
            }
        }
        guard let rollback = list({ $0.command() }) else { return nil }
        header.rollback = rollback
        return header
    }

    private mutating func command() -> RollbackCommand? {
        guard let argv = list({ $0.bytes() }), let terms = list({ $0.terms() }) else { return nil }
        return RollbackCommand(argv: argv, terms: terms)
    }

    private mutating func terms() -> ExecTerms? {
        guard let isSetuid = number(), let pins = list({ $0.bytes().flatMap { SHA256Digest(bytes: $0.array) } }) else {
            return nil
        }
        return ExecTerms(pins: pins, allowsSetuid: isSetuid == 1)
    }

    private mutating func change() -> StoredRecord.Change? {
        guard let path = bytes().flatMap({ try? AbsolutePath($0) }),
            let root = bytes().flatMap({ try? AbsolutePath($0) }),
            let temporary = bytes(), !temporary.array.contains(slash), temporary.array.starts(with: ".trstctl-".utf8),
            let after = bytes(), let kind = number()
        else { return nil }
        var change = StoredRecord.Change(path: path, root: root, temporary: temporary)
        change.after = after.isEmpty ? nil : after.array
        switch kind {
        case 0: break
        case 1: change.before = .absent
        case 2:
            guard let mode = number(), let uid = number(), let gid = number(), let count = number(),
                body.count - offset == Int(count)
            else { return nil }
            change.before = .file(
                StoredFile(position: position + Int64(offset), count: Int(count), mode: mode, uid: uid, gid: gid))
        case 3: change.before = .inVersion
        default: return nil
        }
        return change
    }

    private mutating func stage() -> StagedVersion? {
        guard let link = bytes().flatMap({ try? AbsolutePath($0) }),
            let root = bytes().flatMap({ try? AbsolutePath($0) }),
            let layout = try? VersionedLayout(link: link, root: root),
            let name = bytes().flatMap({ VersionName($0) }), let before = bytes().flatMap({ VersionName($0) }),
            let isDirectory = number()
        else { return nil }
        let origin = VersionOrigin(present: isDirectory == 1 ? .directory : .version(before), name: before)
        return StagedVersion(layout: layout, name: name, origin: origin)
    }

    private mutating func take(_ count: Int) -> Bytes? {
        guard count >= 0, count <= body.count - offset else { return nil }
        defer { offset += count }
        return body.withUnsafeBytes { Bytes(copying: UnsafeRawBufferPointer(rebasing: $0[offset..<offset + count])) }
    }

    private mutating func number() -> UInt32? {
        take(4)?.array.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    }

    private mutating func bytes() -> Bytes? {
        guard let count = number() else { return nil }
        return take(Int(count))
    }

    private mutating func text() -> String? { bytes()?.text }

    private mutating func list<Value>(_ value: (inout JournalDecoder) -> Value?) -> [Value]? {
        guard let count = number(), count <= 4_096 else { return nil }
        var values: [Value] = []
        for _ in 0..<count {
            guard let next = value(&self) else { return nil }
            values.append(next)
        }
        return values
    }
}

private let slash = UInt8(ascii: "/")
