import Foundation
import Glibc
import TrstctlTestSupport

/// A server written in Python with nothing but its standard library: another implementation than ours.
final class PythonServer {
    let port: UInt16
    /// What it printed behind the port.
    let words: [String]
    private let process = Process()
    private let output = Pipe()

    /// Starts `Tests/Fixtures/Network/NAME.py`, and waits for the port that it prints.
    init(_ name: String, _ arguments: [String] = []) throws {
        let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", tests.path + "/Fixtures/Network/\(name).py"] + arguments
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

    /// Whether Python has a module.
    static func has(_ module: String) -> Bool {
        let python = Process()
        python.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        python.arguments = [
            "python3", "-c", "import importlib.util as u, sys; sys.exit(u.find_spec('\(module)') is None)",
        ]
        python.standardError = FileHandle.nullDevice
        guard (try? python.run()) != nil else { return false }
        python.waitUntilExit()
        return python.terminationStatus == 0
    }

    deinit {
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }
}
