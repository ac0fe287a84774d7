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
}
