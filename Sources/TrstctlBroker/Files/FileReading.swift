import COpenSSL
import Glibc
import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

/// Effects that look at files.
///
/// Each takes a ticket and nothing else that names a file.
enum FileReading {
    /// Reads a whole file.
    ///
    /// - Parameters:
    ///   - ticket: for reading.
    ///   - version: the directory in which it lies when its path goes through a layout's link.
    ///   - limit: the most bytes, 0 to 3 MiB; the file's own idea of its size is only a hint.
    /// - Returns: the content, wiped when it is no longer used because it may be a key, and the attributes.
    /// - Throws: `notFound`, `tooLarge`, or what keeps the file from being opened.
    static func read(
        _ ticket: FileTicket, in version: SharedDescriptor? = nil, limit: Int
    ) throws(EffectError) -> (content: Bytes, attributes: FileAttributes) {
        guard ticket.access == .read else { throw .wrongTicket(ticket) }
        do throws(EffectError) {
            if let result = try content(ticket, in: version, limit: limit) { return result }
        } catch {
            // Where there is no directory, there is no file.
            guard error.code == .noParent else { throw error }
        }
        throw .file("", ticket.path, errno: ENOENT)
    }

    /// Looks at a file, and compares its content when something is given to compare.
    ///
    /// - Parameters:
    ///   - ticket: for looking.
    ///   - version: as in `read`.
    ///   - expected: what to compare with; nil compares nothing.
    /// - Returns: the attributes, and whether the content is the expected one.
    /// - Throws: `notFound`, or what keeps the file from being opened.
    static func stat(
        _ ticket: FileTicket, in version: SharedDescriptor? = nil, expected: Bytes? = nil
    ) throws(EffectError) -> (attributes: FileAttributes, isEqual: Bool) {
        guard ticket.access == .stat else { throw .wrongTicket(ticket) }
        let directory: GrantedDirectory
        do throws(EffectError) {
            directory = try GrantedDirectory(ticket, in: version, for: .lookup)
        } catch {
            throw error.code == .noParent ? .file("", ticket.path, errno: ENOENT) : error
        }
        guard let expected else {
            guard let found = try directory.inspect() else { throw .file("", ticket.path, errno: ENOENT) }
            return (found, false)
        }
        guard let file = try directory.openForReading() else { throw .file("", ticket.path, errno: ENOENT) }
        return (file.attributes, try isEqual(file, expected, ticket.path))
    }

    /// The content and attributes, or nil when there is no such file; `noParent` when there is no directory either.
    static func content(
        _ ticket: FileTicket, in version: SharedDescriptor? = nil, limit: Int
    ) throws(EffectError) -> (content: Bytes, attributes: FileAttributes)? {
        try content(in: try GrantedDirectory(ticket, in: version, for: .lookup), limit: limit)
    }

    /// The content and attributes of a directory's file, or nil when there is none.
    static func content(
        in directory: borrowing GrantedDirectory, limit: Int
    ) throws(EffectError) -> (content: Bytes, attributes: FileAttributes)? {
        guard let file = try directory.openForReading() else { return nil }
        let path = directory.path
        let tooLarge = EffectError(.tooLarge, object: path.description, "\(path) is longer than \(limit) bytes")
        let hint = Int(clamping: file.attributes.size)
        guard hint <= limit else { throw tooLarge }
        var buffer = WipedBuffer(capacity: hint + 1, limit: limit + 1)
        while true {
            let got = try buffer.append { free throws(EffectError) in try file.read(into: free, path) }
            guard let got, buffer.count <= limit else { throw tooLarge }
            // One byte more than there should be was asked for.
            guard got > 0, buffer.count != hint else { break }
        }
        return (buffer.bytes(isSecret: true), file.attributes)
    }

    // The answer takes the same time wherever the first difference is: time would otherwise tell a key byte by byte.
    private static func isEqual(
        _ file: borrowing OpenedFile, _ expected: Bytes, _ path: AbsolutePath
    ) throws(EffectError) -> Bool {
        guard file.attributes.size == UInt64(expected.count) else { return false }
        let size = min(expected.count + 1, 65_536)
        var chunk = WipedBuffer(capacity: size, limit: size)
        var offset = 0
        var difference: Int32 = 0
        while true {
            let got = try chunk.refill { free throws(EffectError) in try file.read(into: free, path) }
            guard got > 0 else { return offset == expected.count && difference == 0 }
            guard got <= expected.count - offset else { return false }
            expected.withUnsafeBytes { bytes in
                chunk.withUnsafeBytes {
                    difference |= CRYPTO_memcmp($0.baseAddress, bytes.baseAddress.map { $0 + offset }, got)
                }
            }
            offset += got
        }
    }
}

/// Whether contents are equal, in a time that tells their lengths only.
func isEqualInConstantTime(_ left: Bytes, _ right: Bytes) -> Bool {
    guard left.count == right.count else { return false }
    return left.withUnsafeBytes { a in
        right.withUnsafeBytes { b in a.isEmpty || CRYPTO_memcmp(a.baseAddress, b.baseAddress, a.count) == 0 }
    }
}
