import Glibc
import TrstctlPolicy
import TrstctlSystem

extension Host {
    /// Reads the audit log, the oldest line first.
    ///
    /// - Throws: `StateError` when there is a log that cannot be read, or no such directory as was named; `UsageError` for
    ///   a target that neither the log nor the manifest knows.
    package func audit(_ query: AuditQuery) throws -> AuditResult {
        let directory = StateDirectory(options.stateDirectory).path
        var scan = AuditScan(query)
        var warnings: [String] = []
        let files = try AuditReader.open(directory)
        if files.isEmpty {
            guard options.stateDirectory == nil || access(directory, F_OK) == 0 else {
                throw StateError(
                    description: "there is no directory \(printable(directory)), so no audit log"
                        + "\n  next: name the directory that apply used with --state-dir")
            }
            warnings.append("there is no audit log in \(printable(directory)) yet; --state-dir names another directory")
        }
        for file in files {
            scan.add(try file.content())
            warnings += file.warning.map { [$0] } ?? []
        }
        if let target = query.target, !scan.hasTarget { try checkTarget(target, scan.targets) }
        var result = scan.result
        result.warnings = warnings
        return result
    }

    /// Refuses a target of which there can be no lines: a mistyped one would look like one that nothing happened to.
    private func checkTarget(_ name: String, _ logged: Set<String>) throws(UsageError) {
        let manifest = (try? manifestIfThere())?.manifest
        let known = logged.union(manifest?.targets.map(\.name.text) ?? [])
        guard !known.contains(where: { $0.utf8.elementsEqual(name.utf8) }) else { return }
        let names = known.sorted()
        let meant = suggestion(for: Array(name.utf8), among: names).map { "; did you mean \"\($0)\"?" }
        let some = names.prefix(20).joined(separator: ", ") + (names.count > 20 ? ", …" : "")
        throw UsageError(
            "neither the audit log nor the manifest has a target \"\(printable(name))\""
                + (meant ?? (names.isEmpty ? "" : "; they have: \(some)"))
                + "\n  next: without --target it shows everything that was recorded: \(NextCommand.trstctl("audit"))")
    }
}

/// One file of the audit log, opened for reading.
final class AuditReader {
    private let path: String
    private let file: OwnedDescriptor
    private let status: stat

    /// Opens all files, the oldest first, at one moment: a run that moves them aside meanwhile waits for it.
    ///
    /// - Parameters:
    ///   - directory: of the log.
    ///   - observer: for tests, called with the name of each older file before it is opened.
    /// - Returns: those that there are.
    /// - Throws: `StateError` when one cannot be opened.
    static func open(
        _ directory: String, observer: (String) -> Void = { _ in }
    ) throws(StateError) -> [AuditReader] {
        let path = directory + "/" + AuditLog.name
        let older = (1...AuditLog.olderFiles).reversed().map { "\(path).\($0)" }
        for _ in 0..<100 {
            let current = try AuditReader(path)
            if let current { flock(current.file.raw, LOCK_SH) }
            defer { if let current { flock(current.file.raw, LOCK_UN) } }
            var files: [AuditReader?] = []
            for path in older {
                observer(path)
                files.append(try AuditReader(path))
            }
            files.append(current)
            // Between two names of a file there is a moment with none, in which there is nothing to lock. A file never gets
            // back a name that it had, so those that have theirs still, all of them, had them at one moment.
            guard zip(older + [path], files).allSatisfy({ isStill($1, at: $0) }) else { continue }
            return files.compactMap(\.self)
        }
        throw StateError(description: "\(path) is another file again and again\n  next: see what replaces it")
    }

    /// Whether the file has this name, or nothing has it; as long as one is open here no other one gets its number.
    private static func isStill(_ file: AuditReader?, at path: String) -> Bool {
        var found = stat()
        guard lstat(path, &found) == 0 else { return file == nil }
        return found.st_ino == file?.status.st_ino && found.st_dev == file?.status.st_dev
    }

    /// Opens a file; nil when there is none.
    private init?(_ path: String) throws(StateError) {
        let number = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard number >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw AuditReader.failure(.last("open", path))
        }
        self.path = path
        file = OwnedDescriptor(number)
        var found = stat()
        guard fstat(file.raw, &found) == 0 else { throw AuditReader.failure(.last("fstat", path)) }
        guard found.st_mode & S_IFMT == S_IFREG else {
            throw StateError(description: "\(path) is no regular file, so no audit log\n  next: see who put it there")
        }
        status = found
    }

    /// What makes the file doubtful; nil for one that only its owner, this user or root, could have written and read.
    ///
    /// A host refuses to write into such a log; it is shown all the same, because that is how one finds out.
    var warning: String? {
        var faults: [String] = []
        let mode = status.st_mode & 0o7777
        if mode & 0o077 != 0 { faults.append("is open to others (mode 0\(String(mode, radix: 8)))") }
        if status.st_uid != geteuid(), status.st_uid != 0 { faults.append("belongs to user \(status.st_uid)") }
        if status.st_nlink != 1 { faults.append("has \(status.st_nlink) names") }
        guard !faults.isEmpty else { return nil }
        return "\(path) \(faults.joined(separator: ", and ")): others may have changed its lines; see who changed it"
    }

    /// The newest whole lines, at most twice the bound of a file, because rotation happens a little late.
    ///
    /// - Throws: `StateError` when they cannot be read.
    func content() throws(StateError) -> [UInt8] {
        let most = Int(AuditLog.fileLimit) * 2
        var offset = max(0, status.st_size - most)
        let isCut = offset > 0
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while bytes.count < most {
            let count = pread(file.raw, &buffer, buffer.count, offset)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw AuditReader.failure(.last("read", path)) }
            if count == 0 { break }
            bytes += buffer[..<count]
            offset += count
        }
        guard isCut, let end = bytes.firstIndex(of: UInt8(ascii: "\n")) else { return bytes }
        return Array(bytes[(end + 1)...])
    }

    private static func failure(_ error: SystemError) -> StateError {
        StateError(error).adding("", "\n  next: see whose it is, or name another directory with --state-dir")
    }
}
