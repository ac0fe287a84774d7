import Foundation
import Glibc
import Synchronization
import TrstctlSystem

/// The connector that misbehaves, `Tests/Fixtures/Hostile/hostile.c`: compiled once in a test run, copied under the name
/// of each case.
///
/// Beside it lie what it must never reach: a listener, `victim.sock`, and a file, `canary`.
package final class HostileConnector: Sendable {
    package struct Failure: Error, CustomStringConvertible {
        package let description: String

        package init(_ description: String) { self.description = description }
    }

    private static let compiled = Mutex<HostileConnector?>(nil)

    /// The one of this test run; made at the first use, which takes a second.
    ///
    /// - Throws: when there is no C compiler.
    package static func shared() throws -> HostileConnector {
        try compiled.withLock { compiled in
            if let compiled { return compiled }
            let made = try HostileConnector()
            compiled = made
            // The one that stays to the end of the process does not run its deinit.
            atexit { HostileConnector.compiled.withLock { $0 = nil } }
            return made
        }
    }

    private let scratch: ScratchDirectory
    private let victim: OwnedDescriptor

    private init() throws {
        scratch = try ScratchDirectory()
        try scratch.write("untouched", to: "canary")
        try HostileConnector.compile(to: scratch.file("hostile"), scratch: scratch.path, [])
        try HostileConnector.compile(to: scratch.file("evil"), scratch: scratch.path, ["-DEVIL"])
        victim = try HostileConnector.listen(scratch.file("victim.sock"))
    }

    /// The listener that cases name, which belongs to somebody else.
    package var victimPath: String { scratch.file("victim.sock") }

    /// The program under no case's name.
    package var path: String { scratch.file("hostile") }

    /// The same program with other bytes: it says so on stderr.
    package var evilPath: String { scratch.file("evil") }

    /// Copies the program.
    ///
    /// - Parameters:
    ///   - name: the case, which is the connector's name.
    ///   - directory: where to.
    /// - Returns: the copy's path.
    /// - Throws: when it cannot be copied.
    @discardableResult
    package func install(_ name: String, in directory: String) throws -> String {
        let copy = "\(directory)/trstctl-connector-\(name)"
        if !FileManager.default.fileExists(atPath: copy) {
            try FileManager.default.copyItem(atPath: path, toPath: copy)
        }
        return copy
    }

    /// What a case did that it must not be able to do; empty when all is well.
    package func harm() -> String {
        var harm = ""
        let connection = accept(victim.raw, nil, nil)
        if connection >= 0 {
            harm += "the victim got a connection; "
            Glibc.close(connection)
        }
        if (try? String(contentsOfFile: scratch.file("canary"), encoding: .utf8)) != "untouched" {
            harm += "the canary was changed; "
        }
        return harm
    }

    private static func compile(to path: String, scratch: String, _ flags: [String]) throws {
        let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../Fixtures/Hostile/hostile.c").standardized.path
        let compiler = Process()
        compiler.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        compiler.arguments =
            ["cc", "-static", "-pthread", "-O1", "-Wall", "-Wextra", "-Werror", "-DSCRATCH=\"\(scratch)\""] + flags
            + ["-o", path, source]
        try compiler.run()
        compiler.waitUntilExit()
        guard compiler.terminationStatus == 0 else {
            throw Failure("cc failed on hostile.c: apt-get install gcc libc6-dev")
        }
    }

    private static func listen(_ path: String) throws -> OwnedDescriptor {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let listener = OwnedDescriptor(socket(AF_UNIX, type, 0))
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8).prefix(107)) }
        let number = listener.raw
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0, Glibc.listen(number, 16) == 0 else { throw SystemError.last("listen", path) }
        return listener
    }
}
