import CTrstctlSystem
import Foundation
import Glibc
import TrstctlSystem
import TrstctlWire

@testable import TrstctlConnector

/// A built connector, started as a host starts it, in a private directory that goes away with this value.
final class LaunchedConnector {
    struct NotBuilt: Error { var path: String }

    let directory: String
    private let socketDirectory: String
    private var process: pid_t = 0
    private let output: OwnedDescriptor
    private let errors: OwnedDescriptor
    private var isReaped = false

    /// - Parameters:
    ///   - name: `echo` for `trstctl-connector-echo`.
    ///   - environment: changes to what a host would set; nil removes a variable.
    ///   - directory: the name of the socket directory inside the private one, to make its path long.
    init(_ name: String, environment: [String: String?] = [:], directory inner: String = "d") throws {
        let root = FileManager.default.temporaryDirectory.path + "/trstctl-sdk-\(UUID().uuidString.prefix(8))"
        directory = root
        socketDirectory = "\(root)/\(inner)"
        try FileManager.default.createDirectory(
            atPath: socketDirectory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        var variables: [String: String?] = [
            "TRSTCTL_PLUGIN_SOCKET_DIR": socketDirectory, "TRSTCTL_PLUGIN_COOKIE": ConnectorEnvironment.cookie,
            "TRSTCTL_PLUGIN_HANDSHAKE": "1", "TRSTCTL_HOST_UID": "\(getuid())",
        ]
        variables.merge(environment) { $1 }
        // Everything is close-on-exec: what runs in parallel must not hold these pipes open.
        var (pipes, second): ([Int32], [Int32]) = ([-1, -1], [-1, -1])
        guard trstctl_pipe(&pipes, 0) == 0, trstctl_pipe(&second, 0) == 0 else { throw SystemError.last("pipe2") }
        pipes += second
        output = OwnedDescriptor(pipes[0])
        errors = OwnedDescriptor(pipes[2])
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, pipes[1], 1)
        posix_spawn_file_actions_adddup2(&actions, pipes[3], 2)
        let path = try LaunchedConnector.executable(name)
        var arguments: [UnsafeMutablePointer<CChar>?] = [strdup(path), nil]
        var settings = variables.compactMap { name, value in value.map { strdup("\(name)=\($0)") } } + [nil]
        // As a host does: no signal is blocked, whatever this thread's mask is.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        var mask = sigset_t()
        sigemptyset(&mask)
        posix_spawnattr_setsigmask(&attributes, &mask)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        let result = posix_spawn(&process, path, &actions, &attributes, &arguments, &settings)
        posix_spawnattr_destroy(&attributes)
        for text in arguments + settings { free(text) }
        posix_spawn_file_actions_destroy(&actions)
        close(pipes[1])
        close(pipes[3])
        guard result == 0 else { throw SystemError(stage: "posix_spawn", object: path, errno: result) }
    }

    deinit {
        if !isReaped, process > 0 {
            kill(process, SIGKILL)
            waitpid(process, nil, 0)
        }
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
        var byte: UInt8 = 0
        while Glibc.read(output.raw, &byte, 1) == 1, byte != 0x0A { line.append(byte) }
        return line
    }

    /// Reads the line and dials in; the connection keeps this value alive.
    func connect() throws -> RawHost {
        let name = try HandshakeLine.socketName(in: line(), directory: Array(socketDirectory.utf8))
        let host = RawHost(try dial(socketDirectory + "/" + String(decoding: name, as: UTF8.self)))
        host.peer = self
        return host
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

    /// Waits for the end: the exit status (negative for a signal), and the rest of stdout and stderr.
    func end() -> (status: Int32, output: String, errors: String) {
        let output = LaunchedConnector.rest(of: output.raw)
        let errors = LaunchedConnector.rest(of: errors.raw)
        var status: Int32 = 0
        waitpid(process, &status, 0)
        isReaped = true
        let signal = status & 0x7F
        return (signal == 0 ? status >> 8 & 0xFF : -signal, output, errors)
    }

    private static func rest(of descriptor: Int32) -> String {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
            bytes += buffer.prefix(count)
        }
    }
}
