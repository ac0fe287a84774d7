import CTrstctlSystem
import Glibc
package import TrstctlSystem

/// A private directory in which one connector binds its socket: mode 0700, an unguessable name, removed afterwards.
///
/// It is made for the host; the confinement gives it to the connector's own uid, which is why root's base directory must
/// let others pass (mode 0711), as must what is above it.
///
/// The directory is locked (flock(2)) while its host lives; a host that finds an unlocked one at its start removes it,
/// so a host that was killed leaves nothing for ever.
package struct RunDirectory: ~Copyable, Sendable {
    /// The absolute path, without a trailing slash.
    package let path: String
    /// The directory itself: names below it are looked up here, whatever happens to the path.
    let descriptor: OwnedDescriptor
    private let base: OwnedDescriptor
    private let name: String

    /// Makes the directory.
    ///
    /// - Parameter basePath: the directory in which to make it; nil means `/run/trstctl` for root,
    ///   `$XDG_RUNTIME_DIR/trstctl`, or `/tmp/trstctl-<uid>`. It is made when missing, and must belong to the caller and
    ///   be writable by nobody else.
    /// - Throws: `SystemError` naming the step and the path.
    package init(base basePath: String? = nil) throws(SystemError) {
        let basePath = basePath ?? RunDirectory.defaultBase
        let base = try RunDirectory.openBase(basePath)
        let name = "run-" + (try RunDirectory.randomName())
        let path = basePath + "/" + name
        // The longest socket name is 32 bytes; sun_path holds 107 and a NUL (unix(7)).
        guard path.utf8.count + 1 + 32 <= 107 else {
            throw SystemError(
                stage: "socket directory (its path is too long for a socket)", object: path, errno: ENAMETOOLONG)
        }
        let number = try RunDirectory.make(name, in: base.raw, path)
        self.init(path: path, descriptor: OwnedDescriptor(number), base: base, name: name)
    }

    private init(path: String, descriptor: consuming OwnedDescriptor, base: consuming OwnedDescriptor, name: String) {
        self.path = path
        self.descriptor = descriptor
        self.base = base
        self.name = name
    }

    private static func randomName() throws(SystemError) -> String {
        var random: UInt64 = 0
        guard trstctl_random(&random, 8) == 0 else { throw SystemError.last("getrandom") }
        let digits = String(random, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    private static func make(_ name: String, in base: Int32, _ path: String) throws(SystemError) -> Int32 {
        _ = try retryingInterrupts("mkdir", path) { mkdirat(base, name, 0o700) }
        do {
            let number = try retryingInterrupts("open", path) {
                openat(base, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            }
            _ = flock(number, LOCK_EX | LOCK_NB)
            // The umask may have taken bits away that the owner needs.
            _ = fchmod(number, 0o700)
            return number
        } catch {
            _ = unlinkat(base, name, AT_REMOVEDIR)
            throw error
        }
    }

    deinit {
        RunDirectory.empty(descriptor.raw)
        _ = unlinkat(base.raw, name, AT_REMOVEDIR)
    }

    /// Removes directories whose host is gone.
    package static func sweep(base basePath: String? = nil) {
        guard let base = try? openBase(basePath ?? defaultBase),
            let reading = try? DirectoryReading(sharing: base.raw)
        else { return }
        var budget = 4096
        while budget > 0, let found = try? reading.next() {
            budget -= 1
            let name = String(decoding: found.array, as: UTF8.self)
            guard name.hasPrefix("run-"), name.utf8.count == 20 else { continue }
            let number = openat(base.raw, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            guard number >= 0 else { continue }
            let directory = OwnedDescriptor(number)
            guard flock(directory.raw, LOCK_EX | LOCK_NB) == 0, !isYoung(directory.raw) else { continue }
            empty(directory.raw)
            _ = unlinkat(base.raw, name, AT_REMOVEDIR)
        }
    }

    /// A directory that was just made may not be locked yet.
    private static func isYoung(_ directory: Int32) -> Bool {
        var status = stat()
        guard fstat(directory, &status) == 0 else { return true }
        return time(nil) - status.st_mtim.tv_sec < 60
    }

    private static var defaultBase: String {
        if getuid() == 0 { return "/run/trstctl" }
        if let runtime = getenv("XDG_RUNTIME_DIR").map({ String(cString: $0) }), runtime.hasPrefix("/") {
            return runtime + "/trstctl"
        }
        return "/tmp/trstctl-\(getuid())"
    }

    private static func openBase(_ path: String) throws(SystemError) -> OwnedDescriptor {
        if mkdir(path, 0o711) == -1 && errno != EEXIST { throw SystemError.last("mkdir", path) }
        let number = try retryingInterrupts("open", path) {
            open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        }
        let base = OwnedDescriptor(number)
        var status = stat()
        guard fstat(number, &status) == 0 else { throw SystemError.last("fstat", path) }
        guard status.st_uid == getuid(), status.st_mode & 0o022 == 0 else {
            throw SystemError(
                stage: "socket directory (must be yours and writable by nobody else)", object: path, errno: EPERM)
        }
        // The umask may have taken it away, or the directory was made for a host without own uids.
        if geteuid() == 0, status.st_mode & 0o011 != 0o011 { _ = fchmod(number, status.st_mode & 0o777 | 0o011) }
        return base
    }

    /// Removes everything in it, however much a connector made; each pass must remove something to be followed by another.
    private static func empty(_ directory: Int32) {
        var removed = 1
        var passes = 64
        while removed > 0, passes > 0 {
            removed = emptyOnce(directory)
            passes -= 1
        }
    }

    private static func emptyOnce(_ directory: Int32) -> Int {
        guard let reading = try? DirectoryReading(sharing: directory) else { return 0 }
        var removed = 0
        while removed < 1 << 20, let name = try? reading.next() {
            let isGone = name.withCString {
                unlinkat(directory, $0, 0) == 0 || unlinkat(directory, $0, AT_REMOVEDIR) == 0
            }
            if isGone { removed += 1 }
        }
        return removed
    }
}
