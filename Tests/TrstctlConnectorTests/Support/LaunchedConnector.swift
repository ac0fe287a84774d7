import Foundation
import Glibc
import TrstctlSystem
import TrstctlWire

@testable import TrstctlConnector

/// A built connector, started as a host starts it, in a private directory that goes away with this value.
final class LaunchedConnector {
    struct NotBuilt: Error { var path: String }

    let directory: String
    private let process = Process()
    private let output = Pipe()
    private let errors = Pipe()

    /// - Parameters:
    ///   - name: `echo` for `trstctl-connector-echo`.
    ///   - environment: changes to what a host would set; nil removes a variable.
    ///   - directory: the name of the socket directory inside the private one, to make its path long.
    init(_ name: String, environment: [String: String?] = [:], directory inner: String = "d") throws {
        let root = FileManager.default.temporaryDirectory.path + "/trstctl-sdk-\(UUID().uuidString.prefix(8))"
        directory = root
        let socketDirectory = "\(root)/\(inner)"
        try FileManager.default.createDirectory(
            atPath: socketDirectory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        var variables: [String: String?] = [
            "TRSTCTL_PLUGIN_SOCKET_DIR": socketDirectory, "TRSTCTL_PLUGIN_COOKIE": ConnectorEnvironment.cookie,
            "TRSTCTL_PLUGIN_HANDSHAKE": "1", "TRSTCTL_HOST_UID": "\(getuid())",
        ]
        variables.merge(environment) { $1 }
        process.executableURL = URL(fileURLWithPath: try LaunchedConnector.executable(name))
        process.environment = variables.compactMapValues { $0 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = errors
        try process.run()
    }

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
        try? FileManager.default.removeItem(atPath: directory)
    }

    /// The executables lie beside the test bundle, whose path is this process's or one of its arguments.
    static func executable(_ name: String) throws -> String {
        let file = "trstctl-connector-\(name)"
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        for candidate in [own] + CommandLine.arguments {
            var folder = URL(fileURLWithPath: candidate).deletingLastPathComponent()
            for _ in 0..<4 {
                let path = folder.appendingPathComponent(file).path
                if FileManager.default.isExecutableFile(atPath: path) { return path }
                folder.deleteLastPathComponent()
            }
        }
        throw NotBuilt(path: file)
    }

    /// What it prints on stdout up to the first line feed or the end.
    func line() -> [UInt8] {
        var line: [UInt8] = []
        while let byte = try? output.fileHandleForReading.read(upToCount: 1)?.first, byte != 0x0A { line.append(byte) }
        return line
    }

    /// Reads the line and dials in.
    func connect() throws -> RawHost {
        let socketDirectory = process.environment?["TRSTCTL_PLUGIN_SOCKET_DIR"] ?? ""
        let name = try HandshakeLine.socketName(in: line(), directory: Array(socketDirectory.utf8))
        return RawHost(try dial(socketDirectory + "/" + String(decoding: name, as: UTF8.self)))
    }

    func dial(_ path: String) throws -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8).prefix($0.count - 1)) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else {
            let error = SystemError.last("connect", path)
            close(descriptor)
            throw error
        }
        return descriptor
    }

    /// Waits for the end: the exit status (negative for a signal), and all of stdout and stderr.
    func end() -> (status: Int32, output: String, errors: String) {
        let output = (try? output.fileHandleForReading.readToEnd()) ?? Data()
        let errors = (try? errors.fileHandleForReading.readToEnd()) ?? Data()
        process.waitUntilExit()
        let status = process.terminationStatus
        return (
            process.terminationReason == .exit ? status : -status, String(decoding: output, as: UTF8.self),
            String(decoding: errors, as: UTF8.self)
        )
    }
}
