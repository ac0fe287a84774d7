import CTrstctlSystem
import Glibc
import TrstctlPolicy
package import TrstctlSystem

/// Where the private key for `plugin sign` comes from: a file or standard input, never the command line or the
/// environment, which other processes can read (proc(5), `cmdline` and `environ`).
package enum AuthorKey: Sendable {
    /// A file that its owner alone can read, or a pipe such as the shell's `<(command)`.
    case file(Bytes)
    /// Standard input, to its end.
    case standardInput

    /// The most bytes of a key file; the largest real ones have about 300.
    static let byteLimit = 64 << 10

    /// What follows `--key`: `-` means standard input.
    ///
    /// - Throws: `UsageError`, without the text, when it is the key itself.
    package init(argument: String) throws(UsageError) {
        guard !argument.utf8.contains(UInt8(ascii: "\n")), argument.firstRange(of: "PRIVATE KEY") == nil else {
            throw UsageError(
                "--key takes a file, and this is a key: other users could read it in the list of processes, and it may "
                    + "stand in your shell's history\n  next: make a new key, and pass its file, or - to read it from "
                    + "standard input")
        }
        self = argument == "-" ? .standardInput : .file(Bytes(argument))
    }

    /// Reads the key.
    ///
    /// - Returns: its bytes, wiped when the last reference goes away.
    /// - Throws: `UsageError`.
    func read() throws(UsageError) -> Bytes {
        switch self {
        case .standardInput:
            guard isatty(0) == 0 else {
                throw UsageError(
                    "--key - reads the key from standard input, and that is a terminal\n"
                        + "  next: openssl pkey -in KEY | trstctl plugin sign --key - FILE")
            }
            return try AuthorKey.content(of: 0, "standard input")
        case .file(let path): return try AuthorKey.read(path)
        }
    }

    private static func read(_ path: Bytes) throws(UsageError) -> Bytes {
        let shown = printable(path)
        let name = path.array
        guard !name.isEmpty, !name.contains(0) else { throw UsageError("--key takes a file, or - for standard input") }
        let file = try open(path, shown)
        try check(file.raw, shown)
        return try content(of: file.raw, shown)
    }

    private static func open(_ path: Bytes, _ shown: String) throws(UsageError) -> OwnedDescriptor {
        do throws(SystemError) {
            // It may wait: for the program that writes into a pipe.
            return OwnedDescriptor(
                try retryingInterrupts("open", shown) {
                    path.withCString { Glibc.open($0, O_RDONLY | O_CLOEXEC | O_NOCTTY) }
                })
        } catch {
            throw UsageError("the key cannot be read: \(error)\n  next: see `ls -lL \(shown)`")
        }
    }

    /// Whoever can read the key can sign for its owner; whoever can write it can have their own key used.
    private static func check(_ descriptor: Int32, _ shown: String) throws(UsageError) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw UsageError("the key cannot be read: \(SystemError.last("fstat", shown))")
        }
        switch status.st_mode & S_IFMT {
        case S_IFREG, S_IFIFO: break
        default: throw UsageError("the key \(shown) is neither a file nor a pipe\n  next: name the key's file")
        }
        guard status.st_mode & 0o077 == 0 else {
            let mode = String(status.st_mode & 0o777, radix: 8)
            throw UsageError(
                "the key \(shown) is open to others (mode 0\(mode)): who can read it can sign as you\n"
                    + "  next: chmod 600 \(shown), or --key - < \(shown) where its mode cannot be changed")
        }
    }

    private static func content(of descriptor: Int32, _ shown: String) throws(UsageError) -> Bytes {
        var buffer = WipedBuffer(capacity: 4_096, limit: byteLimit + 1)
        while true {
            do throws(SystemError) {
                let got = try buffer.append { free throws(SystemError) in
                    try retryingInterrupts("read", shown) { Glibc.read(descriptor, free.baseAddress, free.count) }
                }
                guard let got, got > 0 else { break }
            } catch {
                throw UsageError("the key cannot be read: \(error)")
            }
        }
        let count = buffer.count
        let content = buffer.bytes()
        guard count <= byteLimit else {
            throw UsageError("\(shown) has more than \(byteLimit) bytes\n  next: name a file with one private key")
        }
        return content
    }
}
