import Foundation
import Testing
import TrstctlHost
import TrstctlPolicy
import TrstctlSystem

@Suite("Manifest: the file")
struct ManifestFileTests {
    /// A private directory that goes away with the test.
    final class Folder {
        let path: String

        init() throws {
            var template = Array((NSTemporaryDirectory() + "/trstctl-manifest-XXXXXX").utf8CString)
            guard mkdtemp(&template) != nil else { throw SystemError.last("mkdtemp") }
            path = String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }

        deinit { try? FileManager.default.removeItem(atPath: path) }

        func file(_ name: String = "trstctl.yaml", _ text: String = "version: 1\n", mode: mode_t = 0o640) throws
            -> Bytes
        {
            let file = path + "/" + name
            try Data(text.utf8).write(to: URL(fileURLWithPath: file))
            guard chmod(file, mode) == 0 else { throw SystemError.last("chmod") }
            return Bytes(file)
        }
    }

    func code(_ path: Bytes) -> ManifestError.Code? {
        do throws(ManifestError) {
            _ = try ManifestFile.open(path)
            return nil
        } catch {
            return error.code
        }
    }

    @Test func `A manifest is read with its directory, by absolute path and through links of directories`() throws {
        let folder = try Folder()
        let file = try ManifestFile.open(folder.file())
        #expect(file.contents == Array("version: 1\n".utf8))
        #expect(try file.parse() == Manifest())
        let real = try #require(realpath(folder.path, nil))
        defer { free(real) }
        #expect(file.directory.description == String(cString: real))

        let other = try Folder()
        #expect(symlink(folder.path, other.path + "/link") == 0)
        let linked = try ManifestFile.open(Bytes(other.path + "/link/trstctl.yaml"))
        #expect(linked.directory.description == String(cString: real))
    }

    @Test func `What is not a regular file of its owner is refused, and nothing blocks`() throws {
        let folder = try Folder()
        let good = try folder.file()
        #expect(code(good) == nil)
        #expect(code(Bytes(folder.path)) == .notRegularFile)
        #expect(code(Bytes(folder.path + "/")) == .unreadable)
        #expect(code(Bytes(folder.path + "/none.yaml")) == .notFound)
        #expect(code(Bytes(folder.path + "/none/trstctl.yaml")) == .notFound)
        #expect(code("") == .unreadable)
        #expect(code(Bytes("a\0b")) == .unreadable)
        #expect(symlink("trstctl.yaml", folder.path + "/link.yaml") == 0)
        #expect(code(Bytes(folder.path + "/link.yaml")) == .symbolicLink)
        #expect(mkfifo(folder.path + "/fifo.yaml", 0o600) == 0)
        #expect(code(Bytes(folder.path + "/fifo.yaml")) == .notRegularFile)
        #expect(code("/dev/zero") == .notRegularFile)
        #expect(code(try folder.file("empty.yaml", "")) == .empty)
        // 64 GiB of nothing on disk: only a bounded read ends.
        _ = try folder.file("sparse.yaml")
        #expect(truncate(folder.path + "/sparse.yaml", 1 << 36) == 0)
        #expect(code(Bytes(folder.path + "/sparse.yaml")) == .tooLarge)
        #expect(code(try folder.file("huge.yaml", String(repeating: "#", count: (1 << 20) + 1))) == .tooLarge)
    }

    @Test(arguments: [0o660, 0o606, 0o622, 0o666])
    func `A manifest that others can write is refused`(mode: mode_t) throws {
        let folder = try Folder()
        #expect(code(try folder.file(mode: mode)) == .unsafePermissions)
    }

    @Test(arguments: [0o770, 0o707, 0o1777])
    func `A manifest in a directory that others can write is refused`(mode: mode_t) throws {
        let folder = try Folder()
        let file = try folder.file()
        #expect(chmod(folder.path, mode) == 0)
        #expect(code(file) == .unsafePermissions)
        #expect(chmod(folder.path, 0o700) == 0)
    }

    @Test(.enabled(if: geteuid() == 0, "only root can give files away"))
    func `A manifest of another user is refused, one of root is not`() throws {
        let folder = try Folder()
        let file = try folder.file()
        #expect(chown(folder.path + "/trstctl.yaml", 12345, 12345) == 0)
        #expect(code(file) == .unsafePermissions)
        #expect(chown(folder.path + "/trstctl.yaml", 0, 12345) == 0)
        #expect(code(file) == nil)
        #expect(chown(folder.path, 12345, 12345) == 0)
        #expect(code(file) == .unsafePermissions)
    }

    @Test func `Replacing keeps the mode, leaves no other file, and the new text is there`() throws {
        let folder = try Folder()
        let path = try folder.file(mode: 0o640)
        let file = try ManifestFile.open(path)
        try file.replace(with: Array("version: 1\n# new\n".utf8))
        #expect(try ManifestFile.open(path).contents == Array("version: 1\n# new\n".utf8))
        let attributes = try FileManager.default.attributesOfItem(atPath: folder.path + "/trstctl.yaml")
        #expect(attributes[.posixPermissions] as? Int == 0o640)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["trstctl.yaml"])
    }

    @Test(.enabled(if: geteuid() == 0, "only root can give files away"))
    func `Replacing keeps owner and group`() throws {
        let folder = try Folder()
        let path = try folder.file()
        #expect(chown(folder.path + "/trstctl.yaml", 0, 12345) == 0)
        try ManifestFile.open(path).replace(with: Array("version: 1\n# new\n".utf8))
        let attributes = try FileManager.default.attributesOfItem(atPath: folder.path + "/trstctl.yaml")
        #expect(attributes[.groupOwnerAccountID] as? Int == 12345)
    }

    @Test func `A file that someone else changed meanwhile is not overwritten`() throws {
        let folder = try Folder()
        let path = try folder.file()
        let file = try ManifestFile.open(path)
        _ = try folder.file("other.yaml", "version: 1\n# theirs\n")
        #expect(rename(folder.path + "/other.yaml", folder.path + "/trstctl.yaml") == 0)
        let error = #expect(throws: ManifestError.self) { try file.replace(with: Array("version: 1\n".utf8)) }
        #expect(error?.code == .changedMeanwhile)
        #expect(try ManifestFile.open(path).contents == Array("version: 1\n# theirs\n".utf8))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["trstctl.yaml"])
    }
}
