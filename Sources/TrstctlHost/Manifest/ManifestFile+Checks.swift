import Glibc
import TrstctlPolicy
import TrstctlSystem

extension ManifestFile {
    static func openDirectory(_ path: String, file: String) throws(ManifestError) -> OwnedDescriptor {
        do throws(SystemError) {
            return OwnedDescriptor(
                try retryingInterrupts("open", printable(path)) {
                    Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                })
        } catch {
            guard error.errno != ENOENT else { throw notThere(file) }
            throw ManifestError(
                .unreadable, file: file, error.description, nextStep: "check the path, or pass it with --manifest FILE")
        }
    }

    private static func notThere(_ file: String) -> ManifestError {
        ManifestError(
            .notFound, file: file, "there is no such file",
            nextStep: "pass the manifest with --manifest FILE, or put it here as trstctl.yaml; README has one to begin "
                + "with")
    }

    static func openFile(_ leaf: String, in directory: Int32, file: String) throws(ManifestError) -> OwnedDescriptor {
        do throws(SystemError) {
            // Without O_NONBLOCK a FIFO of this name would hold the host up.
            let flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC
            return OwnedDescriptor(try retryingInterrupts("open") { openat(directory, leaf, flags) })
        } catch {
            switch error.errno {
            case ELOOP:
                throw ManifestError(
                    .symbolicLink, file: file, "expected a regular file, found a symbolic link",
                    nextStep: "pass the file it points to: --manifest \"$(readlink -f \(file))\"")
            case ENOENT:
                throw notThere(file)
            default:
                throw ManifestError(.unreadable, file: file, error.description, nextStep: "check the path and its mode")
            }
        }
    }

    static func status(_ descriptor: Int32, file: String) throws(ManifestError) -> stat {
        var status = stat()
        do throws(SystemError) {
            _ = try retryingInterrupts("fstat") { fstat(descriptor, &status) }
        } catch {
            throw ManifestError(.unreadable, file: file, error.description, nextStep: "check the file system")
        }
        return status
    }

    static func checkKind(_ status: stat, file: String) throws(ManifestError) {
        let kind = status.st_mode & S_IFMT
        guard kind != S_IFREG else { return }
        let found = [
            S_IFDIR: "a directory", S_IFIFO: "a FIFO", S_IFSOCK: "a socket", S_IFCHR: "a device", S_IFBLK: "a device",
        ]
        throw ManifestError(
            .notRegularFile, file: file, "expected a regular file, found \(found[kind] ?? "something else")",
            nextStep: "pass the manifest itself with --manifest FILE")
    }

    static func checkPermissions(_ status: stat, of what: String, file: String) throws(ManifestError) {
        let caller = geteuid()
        guard status.st_uid == 0 || status.st_uid == caller else {
            throw ManifestError(
                .unsafePermissions, file: file,
                "expected that \(what) belongs to root or to you (uid \(caller)), found uid \(status.st_uid)",
                nextStep: "change the owner with chown, or keep the manifest elsewhere")
        }
        guard status.st_mode & 0o022 == 0 else {
            let mode = String(status.st_mode & 0o7777, radix: 8)
            throw ManifestError(
                .unsafePermissions, file: file,
                "expected that only its owner can write \(what), found mode \(mode)",
                nextStep: "take the right away with chmod go-w: whoever writes there decides what runs")
        }
    }

    static func read(_ descriptor: Int32, file: String) throws(ManifestError) -> [UInt8] {
        var contents: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while contents.count <= ManifestText.maximumBytes {
            let count: Int
            do throws(SystemError) {
                count = try retryingInterrupts("read") {
                    chunk.withUnsafeMutableBytes {
                        pread(descriptor, $0.baseAddress, $0.count, off_t(contents.count))
                    }
                }
            } catch {
                throw ManifestError(.unreadable, file: file, error.description, nextStep: "check the file system")
            }
            guard count > 0 else { break }
            contents += chunk.prefix(count)
        }
        try ManifestText.check(contents, file: file)
        return contents
    }

    // The kernel's own name of an open directory: proc(5), /proc/pid/fd.
    static func path(of directory: Int32, file: String) throws(ManifestError) -> AbsolutePath {
        var buffer = [CChar](repeating: 0, count: AbsolutePath.maximumBytes + 1)
        let count = readlink("/proc/self/fd/\(directory)", &buffer, buffer.count)
        let path = buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }
        do throws(GrammarError) {
            return try AbsolutePath(Bytes(path))
        } catch {
            throw ManifestError(
                .unreadable, file: file, "the path of its directory could not be read from /proc",
                nextStep: "mount /proc, or keep the manifest in a directory with a shorter path")
        }
    }

    static func isSame(_ left: stat, _ right: stat) -> Bool {
        left.st_dev == right.st_dev && left.st_ino == right.st_ino && left.st_size == right.st_size
            && left.st_mtim.tv_sec == right.st_mtim.tv_sec && left.st_mtim.tv_nsec == right.st_mtim.tv_nsec
    }

    static func changed(_ file: String) -> ManifestError {
        ManifestError(
            .changedMeanwhile, file: file, "the file was changed while it was used",
            nextStep: "finish the other change and try again")
    }
}
