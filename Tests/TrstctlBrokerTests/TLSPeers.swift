import CTrstctlSystem
import Foundation
import Glibc
import TrstctlSystem
import TrstctlTestSupport

/// A listening TCP socket on an ephemeral loopback port.
final class LoopbackListener: Sendable {
    let port: UInt16
    private let descriptor: OwnedDescriptor

    init() throws {
        let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { throw SystemError.last("socket") }
        descriptor = OwnedDescriptor(number)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var count = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(number, generic, count) == 0 && listen(number, 8) == 0 && getsockname(number, generic, &count) == 0
            }
        }
        guard result else { throw SystemError.last("bind") }
        port = UInt16(bigEndian: address.sin_port)
    }

    /// The next connection, on the thread that calls; closed on exec, for a child would keep it open.
    func accept() -> OwnedDescriptor {
        OwnedDescriptor(trstctl_accept(descriptor.raw))
    }

    /// Refuses connections from now on.
    func stop() { shutdown(descriptor.raw, Int32(SHUT_RDWR)) }

    /// Serves one connection on a thread of its own: waits for the first bytes, answers, and closes.
    func serveOnce(_ body: @escaping @Sendable (Int32) -> Void) {
        Thread.detachNewThread { [self] in
            let connection = accept()
            body(connection.raw)
        }
    }
}

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
