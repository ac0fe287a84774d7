import Foundation
import Glibc
import TrstctlTestSupport

/// A real TLS server: `openssl s_server` on an ephemeral loopback port.
final class OpenSSLServer {
    let port: UInt16
    private let process = Process()
    private let output = Pipe()

    init(_ credential: TestCredential, _ options: [String] = []) throws {
        process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        process.arguments =
            [
                "s_server", "-accept", "127.0.0.1:0", "-www", "-cert", credential.certificatePath, "-key",
                credential.keyPath, "-cert_chain", credential.chainPath,
            ] + options
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        // It prints `ACCEPT 127.0.0.1:PORT` when it listens.
        var text = ""
        while true {
            let chunk = output.fileHandleForReading.availableData
            text += String(decoding: chunk, as: UTF8.self)
            if let line = text.split(separator: "\n").first(where: { $0.hasPrefix("ACCEPT ") }),
                text.contains("\(line)\n"), let number = line.split(separator: ":").last.flatMap({ UInt16($0) })
            {
                port = number
                return
            }
            guard !chunk.isEmpty else { throw TestPKI.Failure(description: "s_server did not start: \(text)") }
        }
    }

    deinit {
        // It inherits a mask that blocks SIGTERM from the test's thread.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }
}
