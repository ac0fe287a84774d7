import Glibc
import TrstctlPolicy
import TrstctlSystem

/// A state directory that cannot be used now.
package struct StateError: Error, Sendable, CustomStringConvertible {
    package var description: String
    /// Whether another apply is at work, so that it is worth trying again.
    package var isBusy = false
    /// Whether this user, who is not root, may not write there.
    package var isForbidden = false

    init(description: String, isBusy: Bool = false, isForbidden: Bool = false) {
        self.description = description
        self.isBusy = isBusy
        self.isForbidden = isForbidden
    }

    /// A system call that failed; a full or broken disk is never what forbids.
    ///
    /// - Parameters:
    ///   - error: which, and why.
    ///   - user: who asked.
    init(_ error: SystemError, user: uid_t = getuid()) {
        self.init(
            description: "\(error)", isForbidden: user != 0 && [EACCES, EPERM, EROFS].contains(error.errno))
    }

    /// Whether what is there belongs to root, and the user, who is not root, has to leave it alone.
    static func isForeign(_ status: stat, user: uid_t) -> Bool {
        user != 0 && status.st_uid == 0 && status.st_mode & S_IFMT == S_IFDIR && status.st_mode & 0o022 == 0
    }

    /// The same error with words around it.
    func adding(_ before: String, _ after: String) -> StateError {
        var copy = self
        copy.description = before + description + after
        return copy
    }
}

/// Where the host keeps what outlives a run: mode 0700, the caller's own.
package struct StateDirectory: Sendable {
    let path: String

    /// Opens nothing yet.
    ///
    /// - Parameter path: nil means `/var/lib/trstctl` for root, otherwise `$XDG_STATE_HOME/trstctl` or
    ///   `~/.local/state/trstctl`.
    package init(_ path: String?) {
        let path = path ?? StateDirectory.standard
        self.path = path.hasPrefix("/") ? path : StateDirectory.workingDirectory + "/" + path
    }

    private static var workingDirectory: String {
        guard let path = getcwd(nil, 0) else { return "" }
        defer { free(path) }
        return String(cString: path)
    }

    static var standard: String {
        if getuid() == 0 { return "/var/lib/trstctl" }
        func variable(_ name: String) -> String? {
            getenv(name).map { String(cString: $0) }.flatMap { $0.hasPrefix("/") ? $0 : nil }
        }
        if let state = variable("XDG_STATE_HOME") { return state + "/trstctl" }
        return (variable("HOME") ?? "/tmp/trstctl-state-\(getuid())") + "/.local/state/trstctl"
    }

    /// Makes sure that no other apply runs on the same state.
    ///
    /// - Returns: the lock; it ends with the value.
    /// - Throws: `StateError` with the holder's process number.
    func lockForApply() throws(StateError) -> ApplyLock {
        try makeDirectories()
        let file = path + "/apply.lock"
        let number = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard number >= 0 else {
            throw StateError(
                description:
                    "\(SystemError.last("open", file))\n  next: see whose it is, or name another directory with --state-dir"
            )
        }
        let descriptor = OwnedDescriptor(number)
        guard flock(number, LOCK_EX | LOCK_NB) == 0 else {
            guard errno == EWOULDBLOCK else { throw StateError(description: "\(SystemError.last("flock", file))") }
            var buffer = [UInt8](repeating: 0, count: 32)
            let count = pread(number, &buffer, buffer.count, 0)
            let holder = printable(Bytes(Array(buffer.prefix(max(0, count)).prefix { $0 != 0x0A })))
            throw StateError(
                description: "another apply is running on \(path)" + (holder.isEmpty ? "" : " (process \(holder))")
                    + "\n  next: wait for it to end, and try again",
                isBusy: true)
        }
        _ = ftruncate(number, 0)
        let text = Array("\(getpid())\n".utf8)
        _ = pwrite(number, text, text.count, 0)
        return ApplyLock(descriptor: descriptor)
    }

    /// Where the journals of runs lie.
    var journals: String { path + "/journal" }

    /// Whether this user, who is not root, may not look at the journals.
    var hidesJournals: Bool { getuid() != 0 && access(journals, R_OK | X_OK) == -1 && errno == EACCES }

    /// Makes the directory of journals and opens it.
    func openJournals() throws(StateError) -> OwnedDescriptor {
        if mkdir(journals, 0o700) == -1 && errno != EEXIST {
            throw StateError(description: "\(SystemError.last("mkdir", journals))")
        }
        let number = open(journals, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard number >= 0 else { throw StateError(description: "\(SystemError.last("open", journals))") }
        let directory = OwnedDescriptor(number)
        var status = stat()
        guard fstat(number, &status) == 0, status.st_uid == getuid(), status.st_mode & 0o077 == 0 else {
            throw StateError(
                description: "\(journals) holds old keys while an apply runs, and must be yours alone"
                    + "\n  next: chmod 0700 \(journals)")
        }
        return directory
    }

    /// Whether an apply, or a recovery, is at work on this state.
    var isLocked: Bool {
        let number = open(path + "/apply.lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard number >= 0 else { return false }
        let descriptor = OwnedDescriptor(number)
        guard flock(descriptor.raw, LOCK_SH | LOCK_NB) == 0 else { return errno == EWOULDBLOCK }
        flock(descriptor.raw, LOCK_UN)
        return false
    }

    /// Makes the directory and checks whose it is.
    func makeDirectories() throws(StateError) {
        var partial = ""
        for component in path.split(separator: "/") {
            partial += "/" + component
            if mkdir(partial, 0o700) == -1 && errno != EEXIST {
                throw StateError(.last("mkdir", partial)).adding(
                    "", "\n  next: name another directory with --state-dir")
            }
        }
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, status.st_uid == getuid(),
            status.st_mode & 0o022 == 0
        else {
            throw StateError(
                description: "the state directory \(path) must be a directory of yours that nobody else can write to"
                    + "\n  next: chmod 0700 it, or name another with --state-dir",
                isForbidden: StateError.isForeign(status, user: getuid()))
        }
    }
}

/// Held while an apply runs.
final class ApplyLock: Sendable {
    private let descriptor: OwnedDescriptor

    init(descriptor: consuming OwnedDescriptor) {
        self.descriptor = descriptor
    }

    /// Closing alone would not do: a process that is being started has the descriptor too until it runs its program,
    /// and the lock belongs to both (flock(2)).
    deinit { flock(descriptor.raw, LOCK_UN) }
}
