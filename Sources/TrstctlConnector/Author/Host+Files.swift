internal import TrstctlSystem
internal import TrstctlWire

/// What is known about a file.
public struct FileStatus: Sendable, Hashable {
    /// Permission bits, 0 to 0o7777.
    public var mode: UInt32
    /// The owner's user id.
    public var uid: UInt32
    /// The group id.
    public var gid: UInt32
    /// In bytes.
    public var size: UInt64
    /// When the content last changed, seconds since the Unix epoch.
    public var modified: Int64
    /// Whether the content equals what was given to compare; false when nothing was.
    public var isContentEqual: Bool

    init(_ info: Wire.FileInfo?, isContentEqual: Bool = false) {
        let info = info ?? Wire.FileInfo()
        (mode, uid, gid, size, modified) = (info.mode, info.uid, info.gid, info.size, info.modified)
        self.isContentEqual = isContentEqual
    }
}

/// A file as it was read.
public struct FileContent: Sendable {
    /// The whole content.
    public var bytes: [UInt8]
    /// Mode, owner and so on, of the moment it was read.
    public var status: FileStatus
}

/// Whom a file belongs to.
public struct FileOwner: Sendable, Hashable {
    /// The user id.
    public var uid: UInt32
    /// The group id.
    public var gid: UInt32

    /// The user id and the group id.
    public init(uid: UInt32, gid: UInt32) {
        self.uid = uid
        self.gid = gid
    }
}

extension Host {
    /// Reads a regular file.
    ///
    /// Needs ``Grant/read(_:)``.
    ///
    /// - Parameters:
    ///   - path: absolute and canonical.
    ///   - maxBytes: 1 to 3 MiB; a longer file is `resourceExhausted`.
    /// - Returns: nil when there is none.
    /// - Throws: `denied`, `resourceExhausted`, and what else the host answers, except that there is none.
    public func readFile(_ path: String, maxBytes: Int = 1 << 20) throws(ConnectorError) -> FileContent? {
        let call = Wire.ReadFileRequest(path: Bytes(path), maxBytes: UInt32(clamping: maxBytes))
        guard let result = try unlessNotFound(.readFile(call)) else { return nil }
        guard case .readFile(let response) = result else { throw Host.mismatch }
        return FileContent(bytes: response.content.array, status: FileStatus(response.info))
    }

    /// Looks at a file, and compares its content without reading it: also with a key the connector never sees.
    ///
    /// Needs ``Grant/read(_:)`` or ``Grant/write(_:)``.
    ///
    /// - Parameters:
    ///   - path: absolute and canonical.
    ///   - segments: what to compare the content with; empty compares nothing.
    /// - Returns: nil when there is nothing.
    /// - Throws: `denied`, and what else the host answers, except that there is nothing.
    public func stat(_ path: String, comparedTo segments: [Segment] = []) throws(ConnectorError) -> FileStatus? {
        let call = Wire.StatRequest(path: Bytes(path), compareTo: segments.map(\.message))
        guard let result = try unlessNotFound(.stat(call), bytes: segments.estimatedBytes) else { return nil }
        guard case .stat(let response) = result else { throw Host.mismatch }
        return FileStatus(response.info, isContentEqual: response.contentEqual)
    }

    /// Replaces or creates a regular file in an existing directory; readers see the old content or the new, never a
    /// part.
    ///
    /// Needs ``Grant/write(_:)``.
    ///
    /// - Parameters:
    ///   - path: absolute and canonical.
    ///   - content: at most 3 MiB when the secrets are in place.
    ///   - mode: permission bits, 1 to 0o777; nil keeps an existing file's, and gives a new file 0600.
    ///   - owner: nil keeps an existing file's; a new file belongs to the host's user. A file with a secret may be given
    ///     to nobody but these two users, and to their groups or that of its directory.
    /// - Returns: whether there was a file before.
    /// - Throws: `denied`, `notFound` for a missing directory, and what else the host answers.
    @discardableResult
    public func writeFile(
        _ path: String, _ content: [Segment], mode: UInt32? = nil, owner: FileOwner? = nil
    ) throws(ConnectorError) -> Bool {
        let call = Wire.WriteFileRequest(
            path: Bytes(path), content: content.map(\.message), mode: mode ?? 0,
            owner: owner.map { Wire.FileOwner(uid: $0.uid, gid: $0.gid) })
        guard case .writeFile(let response) = try request(.writeFile(call), bytes: content.estimatedBytes) else {
            throw Host.mismatch
        }
        return response.replaced
    }

    /// Removes a regular file.
    ///
    /// Needs ``Grant/write(_:)``.
    ///
    /// - Returns: false when there was none.
    @discardableResult
    public func removeFile(_ path: String) throws(ConnectorError) -> Bool {
        try unlessNotFound(.removeFile(Wire.RemoveFileRequest(path: Bytes(path)))) != nil
    }

    /// Puts files back as they were before this call changed them, without the connector having seen them.
    ///
    /// - Parameter paths: which ones, at most 256; empty means everything this call changed.
    /// - Returns: how many files were put back.
    /// - Throws: when a file could not be put back.
    @discardableResult
    public func revert(paths: [String] = []) throws(ConnectorError) -> Int {
        let call = Wire.RevertRequest(paths: paths.map { Bytes($0) })
        guard case .revert(let response) = try request(.revert(call)) else { throw Host.mismatch }
        return Int(response.reverted)
    }

    private func unlessNotFound(
        _ method: Wire.Call.Method, bytes: Int = 256
    ) throws(ConnectorError) -> Wire.Reply.Result? {
        do throws(ConnectorError) {
            return try request(method, bytes: bytes)
        } catch {
            guard error.code == .notFound else { throw error }
            return nil
        }
    }
}

extension [Segment] {
    var estimatedBytes: Int { reduce(512) { $0 &+ $1.estimatedBytes } }
}
