import Foundation
import Glibc
import Synchronization
import Testing
import TrstctlPolicy
import TrstctlProcess
import TrstctlSystem
import TrstctlTestSupport
import TrstctlWire

@testable import TrstctlLaunch

/// A plugin directory and a runtime directory of a test's own, and what is looked at when the test is over.
final class SessionBench: Sendable {
    let plugins: ScratchDirectory
    private let runtime: ScratchDirectory
    private let lines = Mutex<[String]>([])
    private let waiting = Mutex<[(text: String, found: OneShot<Bool>)]>([])

    init() throws {
        plugins = try ScratchDirectory()
        runtime = try ScratchDirectory()
    }

    /// Where the socket directories are made.
    var runtimeBase: String { runtime.file("run") }

    /// The names of the socket directories that exist now.
    var runDirectories: [String] { (try? FileManager.default.contentsOfDirectory(atPath: runtimeBase)) ?? [] }

    /// What connectors printed so far, both streams.
    var printed: [String] { lines.withLock { $0 } }

    /// A request with short deadlines for what must not happen, and long ones for what must.
    func request(
        _ name: String, handler: (@Sendable (IncomingCall) async -> Wire.Reply)? = nil
    ) -> SessionRequest {
        var request = SessionRequest(name: name, handler: handler ?? SessionBench.answer)
        request.runtimeBase = runtimeBase
        request.timeouts.grace = 5_000
        request.timeouts.patience = 300
        request.log = { _, line in self.note(line) }
        return request
    }

    /// Answers as a host without any scope does.
    static func answer(_ incoming: IncomingCall) async -> Wire.Reply {
        switch incoming.call.method {
        case .log: Wire.Reply(status: Wire.Status(), result: .log(Wire.LogResponse()))
        case .progress: Wire.Reply(status: Wire.Status(), result: .progress(Wire.ProgressResponse()))
        case nil: Wire.Reply(status: Wire.Status(code: .unimplemented))
        default: Wire.Reply(status: Wire.Status(code: .permissionDenied))
        }
    }

    /// Verifies and confines, as the host does.
    func executable(_ name: String) throws -> VerifiedExecutable {
        let discovery = Discovery(SearchPath(explicit: [Bytes(plugins.path)], variable: nil, home: nil))
        let sealed = try SealedExecutable(copying: try discovery.candidate(try #require(ConnectorName(name))))
        return try VerifiedExecutable(sealed, pins: Pins([sealed.digest]))
    }

    /// Starts an executable, confined.
    ///
    /// On the loop, as the host does: tests that block keep the other threads busy, and connectors have deadlines too.
    func start(_ executable: VerifiedExecutable, _ request: SessionRequest? = nil) async throws -> Session {
        let request = request ?? self.request(executable.name.text)
        return try await EventLoop.run { try await Session.start(executable, request).0 }
    }

    /// Starts a case of the hostile connector, confined.
    func start(_ name: String, change: (inout SessionRequest) -> Void = { _ in }) async throws -> Session {
        try HostileConnector.shared().install(name, in: plugins.path)
        var request = request(name)
        change(&request)
        return try await start(try executable(name), request)
    }

    /// Starts a case without confinement, for what the sandbox would stop before the host has to.
    func startUnconfined(
        _ name: String, change: (inout SessionRequest) -> Void = { _ in }
    ) async throws -> Session {
        let path = try HostileConnector.shared().install(name, in: plugins.path)
        var request = request(name)
        change(&request)
        return try await EventLoop.run { [request] in
            try await Session.start(request) { _, environment, output, error in
                var spawn = SpawnRequest(
                    .path(Bytes(path)), arguments: [Bytes(path)], standardOutput: output, standardError: error)
                spawn.environment = environment
                return try ChildProcess.spawn(spawn)
            }
        }
    }

    /// The error with which a case is refused.
    func refusal(
        _ name: String, confined: Bool = true, change: (inout SessionRequest) -> Void = { _ in }
    ) async throws -> SessionError {
        do {
            let session =
                confined ? try await start(name, change: change) : try await startUnconfined(name, change: change)
            await session.stop()
        } catch let error as SessionError {
            return error
        }
        throw HostileConnector.Failure("the case \(name) was not refused")
    }

    /// Asserts that nothing is left of any session, nothing was harmed, and that the host goes on: a healthy connector
    /// is served.
    func expectAllWell(_ location: SourceLocation = #_sourceLocation) async throws {
        #expect(runDirectories == [], "a socket directory is left", sourceLocation: location)
        #expect(try HostileConnector.shared().harm() == "", sourceLocation: location)
        #expect(ProcessList.running(in: plugins.path) == [], sourceLocation: location)
        try BuiltProduct.link("echo", in: plugins.path)
        let session = try await start(try executable("echo"))
        let reply = try await session.call(
            .ping(Wire.PingRequest(payload: Bytes("still there?"))), deadline: .after(milliseconds: 60_000))
        #expect(reply.result == .ping(Wire.PingResponse(payload: Bytes("still there?"))), sourceLocation: location)
        #expect(await session.stop() == .exited(0), sourceLocation: location)
        #expect(runDirectories == [], "a socket directory is left", sourceLocation: location)
    }

    /// Waits until a line with this text was printed.
    func sees(_ text: String) async -> Bool {
        let found = OneShot<Bool>()
        waiting.withLock { $0.append((text, found)) }
        if printed.contains(where: { $0.contains(text) }) { return true }
        return await found.wait(until: .after(milliseconds: 60_000)) ?? false
    }

    private func note(_ line: String) {
        lines.withLock { $0.append(line) }
        for entry in waiting.withLock({ $0 }) where line.contains(entry.text) { entry.found.set(true) }
    }
}

extension Session {
    /// Pings, which is when most cases misbehave.
    func ping(_ milliseconds: Int64 = 20_000) async throws(SessionError) -> String {
        let reply = try await call(.ping(Wire.PingRequest()), deadline: .after(milliseconds: milliseconds))
        guard case .ping(let response) = reply.result else { return "\(reply.status?.code ?? .unknown)" }
        return response.payload.text ?? ""
    }
}

/// Counts calls.
final class CallCount: Sendable {
    private let count = Mutex(0)

    /// Adds one and returns the sum.
    func increment() -> Int {
        count.withLock { count in
            count += 1
            return count
        }
    }
}
