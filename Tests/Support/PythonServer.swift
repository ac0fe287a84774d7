import Foundation
import Glibc

/// A server written in Python with nothing but its standard library: another implementation than ours.
package final class PythonServer {
    package let port: UInt16
    /// What it printed behind the port.
    package let words: [String]
    private let process = Process()
    private let output = Pipe()

    /// Starts `Tests/Fixtures/Network/NAME.py`, and waits for the port that it prints.
    package init(_ name: String, _ arguments: [String] = [], python: String = "python3") throws {
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [python, PythonServer.root + "/Tests/Fixtures/Network/\(name).py"] + arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        try process.run()
        var text = ""
        while !text.contains("\n") {
            let chunk = output.fileHandleForReading.availableData
            guard !chunk.isEmpty else { throw TestPKI.Failure(description: "\(name).py did not start: \(text)") }
            text += String(decoding: chunk, as: UTF8.self)
        }
        let line = text.prefix { $0 != "\n" }.split(separator: " ").map(String.init)
        guard let first = line.first, let number = UInt16(first) else {
            throw TestPKI.Failure(description: "\(name).py says \(text)")
        }
        port = number
        words = Array(line.dropFirst())
    }

    /// The Python that has moto, beside the build; nil when it was not installed.
    package static var moto: String? {
        let python = root + "/.build/moto/bin/python3"
        return access(root + "/.build/moto/installed", F_OK) == 0 && access(python, X_OK) == 0 ? python : nil
    }

    private static var root: String {
        let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        return tests.deletingLastPathComponent().path
    }

    deinit {
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }
}
