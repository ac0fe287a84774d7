import Foundation
import Glibc
import Testing
import TrstctlPolicy
import TrstctlProcess
import TrstctlSystem
import TrstctlTestSupport
import TrstctlWire

@testable import TrstctlLaunch

@Suite("Connectors in other languages")
struct LanguageTests {
    @Test("200 of 200 sessions start, answer and end under every layer", arguments: ConnectorBuild.allCases)
    func starts(build: ConnectorBuild) async throws {
        let bench = try SessionBench()
        try build.install(in: bench.plugins.path)
        let executable = try build.executable(in: bench.plugins.path)
        #expect("\(executable.kind)" == build.link)
        var request = bench.request(build.connector)
        request.libraries = try build.libraries()
        for count in 1...200 {
            do {
                let (session, layers) = try await EventLoop.run { [request] in
                    try await Session.start(executable, request)
                }
                try #require(layers.layers.map(\.layer) == Layer.allCases)
                let payload = Bytes("start \(count)")
                let reply = try await session.call(
                    .ping(Wire.PingRequest(payload: payload)), deadline: .after(milliseconds: 20_000))
                try #require(build.connector == "healthy" || reply.result == .ping(Wire.PingResponse(payload: payload)))
                try #require(await session.stop() == .exited(0))
            } catch {
                Issue.record("start \(count): \(error); printed: \(bench.printed)")
                break
            }
        }
        #expect(bench.runDirectories == [])
    }

    @Test(
        "a connector whose host hangs up ends by itself, without a signal",
        arguments: [ConnectorBuild.swiftStatic, .goStatic, .python])
    func hangingUp(build: ConnectorBuild) throws {
        let scratch = try ScratchDirectory()
        try #require(chmod(scratch.path, 0o711) == 0)
        try build.install(in: scratch.path)
        let executable = try build.executable(in: scratch.path)
        let socketDirectory = try scratch.makeDirectory("run", mode: 0o700)
        let run = OwnedDescriptor(open(socketDirectory, O_RDONLY | O_DIRECTORY | O_CLOEXEC))
        var confinement = try Confinement(try SandboxProfile(for: executable), runDirectory: run)
        let pipe = try BytePipe()
        let environment = [
            "TRSTCTL_PLUGIN_COOKIE=trstctl-plugin-6f2d1c", "TRSTCTL_PLUGIN_SOCKET_DIR=\(socketDirectory)",
            "TRSTCTL_PLUGIN_HANDSHAKE=1", "TRSTCTL_HOST_UID=\(getuid())",
        ]
        let child = try executable.start(
            under: &confinement, environment: environment.map { Bytes($0) }, standardOutput: pipe.writer.raw,
            standardError: pipe.writer.raw)
        var line = [UInt8](repeating: 0, count: 512)
        let count = read(pipe.reader.raw, &line, line.count)
        #expect(
            String(decoding: line.prefix(max(0, count)), as: UTF8.self) == "TRSTCTL-PLUGIN-V1 \(socketDirectory)/s\n")
        let end = OwnedDescriptor(try Self.connect("\(socketDirectory)/s"))
        #expect(child.exitStatus == nil)
        _ = consume end
        #expect(child.reap(until: .after(milliseconds: 60_000)) == .exited(0))
    }

    private static func connect(_ path: String) throws -> Int32 {
        let number = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8).prefix(107)) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else { throw SystemError.last("connect", path) }
        return number
    }
}
