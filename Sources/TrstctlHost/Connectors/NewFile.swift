import CTrstctlSystem
import Glibc
import TrstctlPolicy
import TrstctlSystem

/// A small public file that is written whole or not at all.
struct NewFile {
    private let folder: [CChar]
    private let leaf: [CChar]
    private let shown: String

    /// - Parameter path: of the file; it may exist.
    init(_ path: Bytes) {
        shown = printable(path)
        let bytes = path.array
        let cut = bytes.lastIndex(of: UInt8(ascii: "/"))
        func text(_ part: some Sequence<UInt8>) -> [CChar] { part.map { CChar(bitPattern: $0) } + [0] }
        folder = cut.map { text(bytes[...$0]) } ?? text("./".utf8)
        leaf = cut.map { text(bytes[($0 + 1)...]) } ?? text(bytes)
    }

    /// Writes beside and renames: a regular file that was there is replaced, anything else is left alone.
    ///
    /// - Parameter content: the bytes; mode 0644 less the umask, because they are public.
    /// - Throws: the system call that failed; `EEXIST` for what is there and is no regular file.
    func write(_ content: [UInt8]) throws(SystemError) {
        let parent = OwnedDescriptor(
            try retryingInterrupts("open the directory of", shown) {
                open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            })
        let directory = parent.raw
        var status = stat()
        if fstatat(directory, leaf, &status, AT_SYMLINK_NOFOLLOW) == 0, status.st_mode & S_IFMT != S_IFREG {
            throw SystemError(stage: "replace what is no regular file,", object: shown, errno: EEXIST)
        }
        var random: UInt64 = 0
        guard withUnsafeMutableBytes(of: &random, { trstctl_random($0.baseAddress, $0.count) }) == 0 else {
            throw SystemError.last("getrandom")
        }
        let temporary = ".trstctl-\(String(random, radix: 16)).tmp"
        let file = OwnedDescriptor(
            try retryingInterrupts("create", shown) {
                openat(directory, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644)
            })
        do throws(SystemError) {
            try fill(file, content)
            _ = try retryingInterrupts("rename", shown) { renameat(directory, temporary, directory, leaf) }
        } catch {
            _ = unlinkat(directory, temporary, 0)
            throw error
        }
    }

    private func fill(_ file: borrowing OwnedDescriptor, _ content: [UInt8]) throws(SystemError) {
        let number = file.raw
        var rest = content[...]
        while !rest.isEmpty {
            let count = try retryingInterrupts("write", shown) {
                rest.withUnsafeBytes { Glibc.write(number, $0.baseAddress, $0.count) }
            }
            rest = rest.dropFirst(count)
        }
        _ = try retryingInterrupts("fsync", shown) { fsync(number) }
    }
}
