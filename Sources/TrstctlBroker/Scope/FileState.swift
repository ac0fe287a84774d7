import Glibc
import TrstctlCrypto
import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

/// A file as a whole: what is put back, and what a plan compares.
struct FileState: Equatable, Sendable {
    var content: Bytes
    /// Permission bits, 0 to 0777.
    var mode: UInt32
    var uid: UInt32
    var gid: UInt32
    /// Whether a connector put a secret into it.
    var holdsNamedSecret = false

    /// Two states are equal when a reader could not tell them apart.
    static func == (left: FileState, right: FileState) -> Bool {
        left.mode == right.mode && left.uid == right.uid && left.gid == right.gid && left.content == right.content
    }

    /// What is there now; nil when nothing is, `tooLarge` when there are more bytes than the limit.
    static func present(
        _ ticket: FileTicket, in version: SharedDescriptor? = nil, limit: Int
    ) throws(EffectError) -> FileState? {
        try present(in: try GrantedDirectory(ticket, in: version, for: .lookup), limit: limit)
    }

    /// What is there now, in an open directory.
    static func present(in directory: borrowing GrantedDirectory, limit: Int) throws(EffectError) -> FileState? {
        guard let (content, attributes) = try FileReading.content(in: directory, limit: limit) else { return nil }
        return FileState(content: content, mode: attributes.mode, uid: attributes.uid, gid: attributes.gid)
    }

    /// The file as a recording scope shows it.
    var info: Wire.FileInfo {
        Wire.FileInfo(mode: mode, uid: uid, gid: gid, size: UInt64(content.count), modified: Int64(time(nil)))
    }

    /// What became of a file that was to be put back.
    enum Restoration {
        /// It was so already.
        case asItWas
        case putBack
        /// It holds what somebody else made of it, or is gone, and stays so.
        case left(FileState?)
    }

    /// Makes the file on disk this one, or removes it.
    ///
    /// - Parameters:
    ///   - state: what it was; nil when there was none.
    ///   - ticket: which file.
    ///   - version: the directory that holds it, when its path does not say it.
    ///   - name: of the temporary file.
    ///   - unsynced: gets the directory, which is still to be made durable.
    ///   - mayReplace: asked about what lies there now, or why it cannot be read, when that is something else.
    /// - Returns: what became of it.
    /// - Throws: when it could not be put back, or cannot be read and may not be replaced.
    static func restore(
        _ state: FileState?, _ ticket: FileTicket, in version: SharedDescriptor? = nil,
        through name: Bytes, into unsynced: inout UnsyncedDirectories,
        if mayReplace: (Result<FileState?, EffectError>) throws(EffectError) -> Bool
    ) throws(EffectError) -> Restoration {
        do throws(EffectError) {
            let present = try FileState.present(ticket, in: version, limit: ScopeLimits().restorableFile)
            if present == state { return .asItWas }
            guard try mayReplace(.success(present)) else { return .left(present) }
        } catch {
            guard try mayReplace(.failure(error)) else { throw error }
        }
        return try replace(state, ticket, in: version, through: name, into: &unsynced)
    }

    private static func replace(
        _ state: FileState?, _ ticket: FileTicket, in version: SharedDescriptor?, through name: Bytes,
        into unsynced: inout UnsyncedDirectories
    ) throws(EffectError) -> Restoration {
        guard let state else {
            try FileWriting.remove(ticket, in: version, into: &unsynced)
            return .putBack
        }
        let owner = Wire.FileOwner(uid: state.uid, gid: state.gid)
        try FileWriting.write(
            ticket, FileReplacement(content: state.content, mode: state.mode, owner: owner), through: name,
            in: version, into: &unsynced)
        return .putBack
    }
}

extension FileState {
    /// The change from one state to another; nil when they are the same.
    static func change(of path: AbsolutePath, from before: FileState?, to after: FileState?) -> Wire.Change? {
        guard before != after else { return nil }
        let isSecret = before?.looksSecret == true || after?.looksSecret == true
        let kind: Wire.Change.Kind = before == nil ? .create : after == nil ? .remove : .replace
        let isOther = before != nil && after != nil && before?.content != after?.content
        return Wire.Change(
            kind: kind, object: path.description, before: before?.text(isSecret ? "secret" : nil) ?? "",
            after: after?.text(isSecret ? (isOther ? "new secret" : "secret") : nil) ?? "")
    }

    // Even the digest of a key stays here: whoever has a candidate could recognise it.
    private var looksSecret: Bool {
        holdsNamedSecret || content.holds("PRIVATE KEY-----")
    }

    /// The file as reports show it: a short digest, but none of a key, mode and owner.
    var text: String { text(looksSecret ? "secret" : nil) }

    /// What lies there, for a report of what could not be put back.
    static func description(of ticket: FileTicket) -> String {
        do throws(EffectError) {
            return try present(ticket, limit: ScopeLimits().restorableFile)?.text ?? "not there"
        } catch {
            return "cannot be looked at: \(error)"
        }
    }

    private func text(_ label: String?) -> String {
        let digits = String(mode, radix: 8)
        let permissions = String(repeating: "0", count: max(0, 4 - digits.utf8.count)) + digits
        return "\(label ?? digest) \(permissions) \(name(uid)):\(name(gid))"
    }

    private func name(_ number: UInt32) -> String { number == 0 ? "root" : String(number) }

    private var digest: String {
        guard let digest = content.withUnsafeBytes({ SHA256.digest($0) }) else { return "sha256:?" }
        return "sha256:" + (SHA256Digest(bytes: digest)?.hex.prefix(12) ?? "?")
    }
}
