import Glibc
import Synchronization
import TrstctlPolicy
import TrstctlSystem

/// The values of secret fields, each fetched once in a run: a descriptor can be read only once, and a command is run once
/// for all targets that name it.
final class SecretOrigins: Sendable {
    /// One value; its mutex is held while it is fetched, so that a place that is slow keeps only those who want it.
    private final class Value: Sendable {
        let result = Mutex<Result<Bytes, SecretReadError>?>(nil)
    }

    private let values = Mutex<[SecretOrigin: Value]>([:])

    /// The value; waits for files, descriptors and commands, so it is asked for where waiting is allowed.
    ///
    /// - Throws: `SecretReadError`, the same one every time.
    func value(_ origin: SecretOrigin) throws(SecretReadError) -> Bytes {
        let value = values.withLock { values in
            let value = values[origin] ?? Value()
            values[origin] = value
            return value
        }
        return try value.result.withLock { result in
            if let result { return result }
            let found: Result<Bytes, SecretReadError>
            do throws(SecretReadError) {
                found = .success(try SecretOrigins.fetch(origin))
            } catch {
                found = .failure(error)
            }
            result = found
            return found
        }.get()
    }

    private static func fetch(_ origin: SecretOrigin) throws(SecretReadError) -> Bytes {
        switch origin {
        case .environment(let name): return try variable(name, origin)
        case .file(let path): return try SecretFile.read(path, origin)
        case .command(let words): return try SecretCommand.run(words, origin)
        case .credential(let name): return try credential(name, origin)
        case .descriptor(let number): return try descriptor(number, origin)
        }
    }

    private static func variable(_ name: String, _ origin: SecretOrigin) throws(SecretReadError) -> Bytes {
        guard let text = getenv(name) else {
            throw SecretReadError(.missing, origin, "there is no such variable", next: "export it for trstctl")
        }
        let size = strlen(text)
        guard size > 0 else { throw SecretReadError(.empty, origin, "it is empty", next: "check who sets it") }
        guard size <= SecretFile.limit else {
            throw SecretReadError(.tooLarge, origin, "it is longer than \(SecretFile.limit) bytes", next: "use file:")
        }
        return Bytes(copying: UnsafeRawBufferPointer(start: text, count: size), isSecret: true)
    }

    private static func credential(_ name: String, _ origin: SecretOrigin) throws(SecretReadError) -> Bytes {
        guard let directory = getenv("CREDENTIALS_DIRECTORY").map({ String(cString: $0) }), !directory.isEmpty else {
            throw SecretReadError(
                .missing, origin, "there is no $CREDENTIALS_DIRECTORY",
                next: "start trstctl from a systemd unit with LoadCredential=\(name):PATH")
        }
        return try SecretFile.read(Bytes("\(directory)/\(name)"), origin)
    }

    private static func descriptor(_ number: Int32, _ origin: SecretOrigin) throws(SecretReadError) -> Bytes {
        let flags = fcntl(number, F_GETFD)
        // Everything that this process opens itself is closed on exec, and what it inherits is not.
        guard flags >= 0, flags & FD_CLOEXEC == 0 else {
            throw SecretReadError(
                .notInherited, origin, "trstctl was started without this descriptor", next: "open it: \(number)< FILE")
        }
        defer { if number > 2 { close(number) } }
        return try SecretFile.content(of: number, origin, until: .after(milliseconds: SecretCommand.patience))
    }
}
