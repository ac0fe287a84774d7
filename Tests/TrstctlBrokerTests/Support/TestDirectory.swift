import Foundation
import Glibc
import Testing
import TrstctlSystem

/// A private directory that is removed when the test is done.
final class TestDirectory: Sendable {
    let path: String
    /// Open as long as this value lives.
    let descriptor: OwnedDescriptor

    /// - Parameter base: where; nil means the directory for temporary files.
    /// - Throws: what mkdtemp(3) says.
    init(in base: String? = nil) throws {
        var template = Array(((base ?? NSTemporaryDirectory()) + "/trstctl-broker-XXXXXX").utf8CString)
        guard let made = mkdtemp(&template), let real = realpath(made, nil) else { throw POSIXError(.EIO) }
        path = String(cString: real)
        free(real)
        descriptor = OwnedDescriptor(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC))
    }

    /// A descriptor of what has this path now, for a test may have mounted something there.
    func reopened() throws -> OwnedDescriptor {
        let number = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        try #require(number >= 0)
        return OwnedDescriptor(number)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    /// The path of something in the directory.
    subscript(name: String) -> String { path + "/" + name }

    @discardableResult
    func file(_ name: String, _ content: String = "", mode: mode_t = 0o644) throws -> String {
        let path = self[name]
        try content.write(toFile: path, atomically: false, encoding: .utf8)
        try #require(chmod(path, mode) == 0)
        return path
    }

    @discardableResult
    func directory(_ name: String) throws -> String {
        try #require(mkdir(self[name], 0o755) == 0)
        return self[name]
    }

    func link(_ name: String, to target: String) throws {
        try #require(symlink(target, self[name]) == 0)
    }

    /// Where a link leads; nil for what is no link.
    func link(_ name: String) -> String? {
        try? FileManager.default.destinationOfSymbolicLink(atPath: self[name])
    }

    func content(_ name: String) -> String? {
        FileManager.default.contents(atPath: self[name]).map { String(decoding: $0, as: UTF8.self) }
    }

    func status(_ name: String) throws -> stat {
        var status = stat()
        try #require(lstat(self[name], &status) == 0)
        return status
    }

    func mode(_ name: String) throws -> mode_t { try status(name).st_mode & 0o7777 }

    func names(in name: String = "") throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: name.isEmpty ? path : self[name]).sorted()
    }

    /// Everything below the directory: names, modes, owners, contents, modification times.
    func picture() throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: path).sorted().map { name in
            let status = try status(name)
            let isFile = status.st_mode & S_IFMT == S_IFREG
            return "\(name) \(status.st_mode) \(status.st_uid):\(status.st_gid) \(status.st_ino) "
                + "\(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec) \(isFile ? content(name) ?? "?" : "")"
        }
    }
}

extension TestDirectory {
    /// The text of any file, also one of procfs; nil when there is none.
    static func text(_ path: String) -> String? {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }
}

extension TestDirectory {
    /// The bytes of any file; nil when there is none.
    static func bytes(_ path: String) -> [UInt8]? { FileManager.default.contents(atPath: path).map { Array($0) } }

    /// Writes bytes into a file, which keeps its mode.
    static func write(_ bytes: [UInt8], to path: String) throws {
        let file = try #require(FileHandle(forWritingAtPath: path))
        try file.truncate(atOffset: 0)
        try file.write(contentsOf: Data(bytes))
        try file.close()
    }
}
