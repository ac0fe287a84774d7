import Glibc
import TrstctlBroker
import TrstctlLaunch
import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

/// Why nothing could be measured.
struct BenchError: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }
}

/// Measurements with one connector.
struct Bench: Sendable {
    /// Which brokered call is nested in the measured call.
    enum Nested {
        /// A line of the log, which the connector does not wait for.
        case log
        /// A line of the log, and the reading of a small file, which it waits for: the decision, the kernel, the way
        /// to a worker thread and back.
        case readFile
    }

    /// Where the connector is.
    var directory: String
    /// Which connector: its name.
    var connector = "echo"
    /// How many calls, or starts, are measured.
    var count: Int

    /// From looking for the connector to the answer to its first Ping: discovery, sealed copy, hash, confinement,
    /// process, handshake, proof of the peer, Hello.
    func start() async throws -> Int64 {
        let pins = Pins([try verified(pins: nil).digest])
        var times: [Int64] = []
        for _ in 0..<count {
            let begin = Deadline.now
            let session = try await open(try verified(pins: pins), Answers())
            _ = try await session.call(.ping(Wire.PingRequest(payload: Bench.payload(64))), deadline: .bench)
            times.append(Deadline.now.nanoseconds - begin.nanoseconds)
            await session.stop()
        }
        return times.median
    }

    /// The part of a start that depends on the connector's size: discovery, sealed copy, hash.
    func verify() throws -> Int64 {
        let pins = Pins([try verified(pins: nil).digest])
        var times: [Int64] = []
        for _ in 0..<count {
            let begin = Deadline.now
            let executable = try verified(pins: pins)
            times.append(Deadline.now.nanoseconds - begin.nanoseconds)
            withExtendedLifetime(executable) {}
        }
        return times.median
    }

    /// The round trip of a payload.
    func ping(bytes: Int) async throws -> Int64 {
        let session = try await open(try verified(pins: nil), Answers())
        let request = Wire.Call.Method.ping(Wire.PingRequest(payload: Bench.payload(bytes)))
        let median = try await measure {
            let reply = try await session.call(request, deadline: .bench)
            guard case .ping(let response) = reply.result, response.payload.count == bytes else {
                throw BenchError("the connector did not echo")
            }
        }
        await session.stop()
        return median
    }

    /// The round trip of a Read in which the connector makes brokered calls.
    func nested(_ kind: Nested) async throws -> Int64 {
        let file = "/tmp/trstctl-bench-\(getpid())"
        guard let stream = fopen(file, "w") else { throw BenchError("\(SystemError.last("fopen", file))") }
        fputs(String(repeating: "a", count: 64), stream)
        fclose(stream)
        defer { unlink(file) }
        let answers = Answers()
        let session = try await open(try verified(pins: nil), answers)
        let state = Wire.ConfigEntry(name: "state_path", value: Wire.ConfigValue(kind: .text(file)))
        let configure = Wire.ConfigureRequest(target: "bench", config: kind == .readFile ? [state] : [])
        _ = try await session.call(.configure(configure), deadline: .bench)
        let deployment = Wire.Deployment(target: "bench", fingerprint: String(repeating: "b", count: 64))
        let read = Wire.Call.Method.read(Wire.ReadRequest(deployment: deployment))
        let scope = BrokerScope(rights: .readOnly, grants: try .parse(read: [file]))
        answers.scope.set(scope)
        let median = try await measure {
            let reply = try await session.call(read, scopeToken: "0123456789abcdef", deadline: .bench)
            guard case .read(let response) = reply.result, response.present == (kind == .readFile) else {
                throw BenchError("the connector could not read: \(reply.status?.message ?? "")")
            }
        }
        _ = scope.close(commit: false)
        await session.stop()
        return median
    }

    private func measure(_ call: () async throws -> Void) async throws -> Int64 {
        for _ in 0...(count / 10) { try await call() }
        var times: [Int64] = []
        times.reserveCapacity(count)
        for _ in 0..<count {
            let begin = Deadline.now
            try await call()
            times.append(Deadline.now.nanoseconds - begin.nanoseconds)
        }
        return times.median
    }

    func verified(pins: Pins?) throws -> VerifiedExecutable {
        guard let name = ConnectorName(connector) else { throw BenchError("\(connector) is no connector name") }
        let path = SearchPath(explicit: [Bytes(directory)], variable: nil, home: nil)
        let candidate = try Discovery(path).candidate(name)
        var rules = VerificationRules(pins ?? Pins([]))
        if pins == nil { rules.pinning = .asking }
        return try VerifiedExecutable(SealedExecutable(copying: candidate), rules)
    }

    private func open(_ executable: VerifiedExecutable, _ answers: Answers) async throws -> Session {
        let request = SessionRequest(name: "echo", handler: CallHandler(answers.begin))
        return try await Session.start(executable, request).0
    }

    private static func payload(_ count: Int) -> Bytes { Bytes([UInt8](repeating: 0x78, count: count)) }
}

/// Answers brokered calls as the host does: log lines on the loop, everything else by the scope on a worker thread.
final class Answers: Sendable {
    private static let queue = WorkQueue(WorkerPool(maximumThreads: 4), atOnce: 4)
    let scope = OneShot<BrokerScope>()

    func begin(_ incoming: IncomingCall, _ answer: @escaping CallHandler.Answer) -> CallHandler.Cancel {
        if case .log = incoming.call.method {
            answer(Wire.Reply(status: Wire.Status(), result: .log(Wire.LogResponse())))
        } else if let scope = scope.value {
            Answers.queue.submit { answer(scope.perform(incoming.call.method)) }
        } else {
            answer(Wire.Reply(status: Wire.Status(code: .permissionDenied)))
        }
        return {}
    }
}

extension Deadline {
    /// Long enough for any call here.
    static var bench: Deadline { .after(milliseconds: 30_000) }
}

extension [Int64] {
    var median: Int64 { sorted()[count / 2] }
}
