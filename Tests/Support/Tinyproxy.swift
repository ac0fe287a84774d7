import Foundation
import Glibc

/// tinyproxy itself, on loopback: a proxy that asks who it is for, and connects to one port.
package final class Tinyproxy {
    package let port: UInt16
    private let process = Process()
    private let directory: ScratchDirectory

    /// Whether a test that needs it is run.
    package static var isExpected: Bool { Tool.isExpected("tinyproxy") }

    /// Starts it and waits until it listens.
    ///
    /// - Parameters:
    ///   - user: whom it serves.
    ///   - password: of the user.
    ///   - peer: the only port that it connects to.
    /// - Throws: when it is not installed, or does not start.
    package init(user: String, password: String, connectsTo peer: UInt16) throws {
        guard let program = Tool.path("tinyproxy") else {
            throw TestPKI.Failure(description: "there is no tinyproxy: scripts/setup --test")
        }
        port = try Tool.freePort()
        directory = try ScratchDirectory()
        let file = try directory.write(
            """
            Port \(port)
            Listen 127.0.0.1
            MaxClients 10
            Timeout 60
            LogFile "\(directory.file("log"))"
            LogLevel Connect
            BasicAuth \(user) \(password)
            ConnectPort \(peer)

            """, to: "tinyproxy.conf")
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = ["-d", "-c", file]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        try Tool.waitUntilListening(port, process)
    }

    /// The requests that it logged, each with the peer: `CONNECT localhost:8443 HTTP/1.1`.
    package var requests: [String] {
        let text = (try? String(contentsOfFile: directory.file("log"), encoding: .utf8)) ?? ""
        return text.split(separator: "\n").compactMap { line in
            line.range(of: "): CONNECT ").map { "CONNECT " + line[$0.upperBound...] }
        }
    }

    deinit {
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }
}
