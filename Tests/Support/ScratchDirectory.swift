package import Foundation
import Glibc
package import TrstctlSystem

/// A directory under `/tmp` that others may pass through and not list, because a connector's own user must reach its
/// socket directory below; it goes away with this value.
package final class ScratchDirectory: Sendable {
    package let path: String

    /// - Throws: what mkdtemp(3) says.
    package init() throws(SystemError) {
        var template = Array("/tmp/trstctl-scratch-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemError.last("mkdtemp") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard chmod(path, 0o711) == 0 else { throw SystemError.last("chmod", path) }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// The path of something in it.
    package func file(_ name: String) -> String { path + "/" + name }

    /// Writes a file in it.
    ///
    /// - Parameters:
    ///   - text: the content.
    ///   - name: the file's name.
    ///   - mode: its permissions, whatever the umask.
    /// - Returns: its path.
    /// - Throws: when it cannot be written.
    @discardableResult
    package func write(_ text: String, to name: String, mode: mode_t = 0o644) throws -> String {
        try write(Data(text.utf8), to: name, mode: mode)
    }

    /// Writes a file in it.
    @discardableResult
    package func write(_ content: Data, to name: String, mode: mode_t = 0o644) throws -> String {
        let path = file(name)
        try content.write(to: URL(fileURLWithPath: path))
        guard chmod(path, mode) == 0 else { throw SystemError.last("chmod", path) }
        return path
    }

    /// Makes a directory in it.
    @discardableResult
    package func makeDirectory(_ name: String, mode: mode_t = 0o755) throws(SystemError) -> String {
        let path = file(name)
        guard mkdir(path, 0o700) == 0, chmod(path, mode) == 0 else { throw SystemError.last("mkdir", path) }
        return path
    }
}
