import CTrstctlSystem
import Foundation
import Glibc
import Synchronization
import Testing
import TrstctlLaunch
import TrstctlPolicy
import TrstctlProcess
import TrstctlSystem

enum ProbeBuild: Sendable {
    case isStatic
    case isDynamic
}

/// The compiled probe in a plugin directory, with a canary file and a listener that it must not reach.
struct Probe {
    struct Result {
        var status: TrstctlProcess.ExitStatus?
        var answers: [String: String]
        var layers: String
    }

    private static let compiled = Mutex<[ProbeBuild: [UInt8]]>([:])

    private let directory: TemporaryDirectory
    private let executable: VerifiedExecutable
    private let canary: String

    init(_ build: ProbeBuild) throws {
        directory = try TemporaryDirectory()
        canary = try directory.write(Array("untouched".utf8), to: "canary", mode: 0o644)
        try directory.write(try Probe.binary(build), to: "trstctl-connector-probe")
        let discovery = Discovery(SearchPath(explicit: [Bytes(directory.path)], variable: nil, home: nil))
        let name = try #require(ConnectorName("probe"))
        let sealed = try SealedExecutable(copying: try discovery.candidate(name))
        executable = try VerifiedExecutable(sealed, pins: Pins([sealed.digest]))
    }

    /// Compiles once for all tests.
    private static func binary(_ build: ProbeBuild) throws -> [UInt8] {
        try compiled.withLock { cache in
            if let known = cache[build] { return known }
            let scratch = try TemporaryDirectory()
            let path = scratch.file("probe")
            try compile(probeSource, to: path, flags: ["-pthread"] + (build == .isStatic ? ["-static"] : []))
            let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
            cache[build] = bytes
            return bytes
        }
    }

    /// Runs the probe and collects its answers.
    func run(
        isConfined: Bool, only: String? = nil, change: (inout SpawnRequest) -> Void = { _ in }
    ) throws -> Result {
        let work = try TemporaryDirectory()
        let runPath = work.file("run")
        try #require(mkdir(runPath, 0o700) == 0)
        let listener = try Listener(work.file("listener"))
        var environment = [
            "DIRECTORY=" + runPath, "CANARY=" + canary, "ELSEWHERE=" + work.file("e"), "LISTENER=" + listener.path,
        ]
        if let only { environment.append("ONLY=" + only) }

        let pipe = try Pipe()
        var request = SpawnRequest(
            .descriptor(executable.descriptor), arguments: ["probe"], standardOutput: pipe.writer.raw,
            standardError: pipe.writer.raw)
        request.environment = environment.map { Bytes($0) }
        let runDirectory = OwnedDescriptor(open(runPath, O_RDONLY | O_DIRECTORY | O_CLOEXEC))
        let confinement = try Confinement(try SandboxProfile(for: executable.kind), runDirectory: runDirectory)
        if isConfined { confinement.apply(to: &request) }
        change(&request)
        let child = try ChildProcess.spawn(request)
        let lines = pipe.drain().split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        let pairs = lines.map { ($0.first ?? "", $0.last ?? "") }
        return Result(
            status: child.reap(until: .after(milliseconds: 30_000)),
            answers: Dictionary(pairs, uniquingKeysWith: { _, last in last }), layers: "\(confinement.layers)")
    }

    func expectUntouchedCanary() throws {
        #expect(try String(contentsOfFile: canary, encoding: .utf8) == "untouched")
        var status = stat()
        try #require(stat(canary, &status) == 0)
        #expect(status.st_mode & 0o7777 == 0o644)
    }
}

/// A Unix socket that accepts connections in its backlog.
private final class Listener {
    let path: String
    private let descriptor: OwnedDescriptor

    init(_ path: String) throws {
        self.path = path
        descriptor = OwnedDescriptor(socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0))
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8).prefix(107)) }
        let number = descriptor.raw
        let bound = withUnsafeBytes(of: &address) { bytes in
            bytes.baseAddress.map { bind(number, $0.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count)) }
        }
        try #require(bound == 0 && listen(number, 4) == 0)
    }
}
