import CTrstctlSystem
import Glibc
import TrstctlCrypto
import TrstctlPolicy
import TrstctlSystem

/// A copy of a program in memory, which nobody can change any more, and its digest: what is hashed is what runs.
struct SealedProgram: ~Copyable {
    let descriptor: OwnedDescriptor
    let digest: SHA256Digest
    /// The largest program that is copied, in bytes.
    static let limit = 512 << 20

    /// Copies a program.
    ///
    /// - Parameters:
    ///   - file: the program.
    ///   - place: where the manifest has the digest for which it is copied.
    ///   - deadline: until when; of the command.
    /// - Throws: `notExecutable` for a script, whose digest would not cover what interprets it; `tooLarge`; what the
    ///   system says.
    init(_ file: borrowing ProgramFile, _ place: GrantPlace, until deadline: Deadline) throws(EffectError) {
        let path = file.path
        let flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK
        let source = OwnedDescriptor(open("/proc/self/fd/\(file.descriptor.raw)", flags))
        guard source.raw >= 0 else { throw .file("cannot read", path, errno: errno) }
        let copy = OwnedDescriptor(trstctl_memfd_create("program"))
        guard copy.raw >= 0 else { throw .file("cannot copy", path, errno: errno) }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 4_096)
        defer { buffer.deallocate() }
        var hash = SHA256()
        var total = 0
        while true {
            let count = read(source.raw, buffer.baseAddress, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .file("cannot read", path, errno: errno) }
            guard count > 0 else { break }
            let piece = UnsafeRawBufferPointer(rebasing: buffer[..<count])
            if total == 0, piece.starts(with: "#!".utf8) { throw SealedProgram.script(path, place) }
            total += count
            guard total <= SealedProgram.limit else {
                throw EffectError(
                    .tooLarge, object: path.description,
                    "\(path) is larger than \(SealedProgram.limit) bytes, and programs with a digest are copied first",
                    fix: "remove sha256 from its command in process.exec \(place)")
            }
            guard !deadline.hasPassed else {
                throw EffectError(
                    .limit, object: path.description, "\(path) could not be read before the command's deadline",
                    fix: "try it: sha256sum \(path)")
            }
            hash.update(piece)
            do throws(SystemError) {
                try copy.writeAll(Bytes(copying: piece))
            } catch {
                throw .file("cannot copy", path, errno: error.errno)
            }
        }
        guard fchmod(copy.raw, 0o500) == 0, trstctl_memfd_seal(copy.raw) == 0 else {
            throw .file("cannot seal a copy of", path, errno: errno)
        }
        guard let bytes = hash.finalize(), let digest = SHA256Digest(bytes: bytes) else {
            throw EffectError(.system, object: path.description, "SHA-256 of \(path) failed")
        }
        descriptor = copy
        self.digest = digest
    }

    private static func script(_ path: AbsolutePath, _ place: GrantPlace) -> EffectError {
        EffectError(
            .notExecutable, object: path.description,
            "\(path) is a script: its digest would say nothing about the program that interprets it",
            fix: "remove sha256 from its command in process.exec \(place); "
                + "its owner and modes are checked all the same")
    }
}
