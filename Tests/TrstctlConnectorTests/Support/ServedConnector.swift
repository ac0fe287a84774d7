import Glibc
import Synchronization
import TrstctlSystem
import TrstctlWire

@testable import TrstctlConnector

/// A connector served on a thread of the test process, over a socket pair.
final class ServedConnector: Sendable {
    let host: RawHost
    private let done = Handover<SessionEnd>()

    init(_ connector: any Connector, hello: Bool = true) throws {
        var pair: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &pair) == 0 else {
            throw SystemError.last("socketpair")
        }
        host = RawHost(pair[0])
        let far = pair[1]
        let done = done
        _ = startThread { done.fill(Session(connector, socket: OwnedDescriptor(far)).run()) }
        if hello { try host.hello() }
    }

    /// What the session came to; waits for it.
    func end() -> SessionEnd? { done.wait() }
}

/// A value that one thread fills and another waits for.
final class Handover<Value: Sendable>: @unchecked Sendable {
    private let lock = Lock()
    private let condition = Condition()
    private var value: Value?

    func fill(_ value: Value) {
        lock.lock()
        self.value = value
        condition.signal()
        lock.unlock()
    }

    /// - Returns: nil when nothing came in 20 seconds.
    func wait() -> Value? {
        let deadline = Deadline.after(milliseconds: 20_000)
        lock.lock()
        defer { lock.unlock() }
        while value == nil, !deadline.hasPassed { condition.wait(lock, until: deadline) }
        return value
    }
}

/// A connector made of closures.
struct Scripted: Connector {
    static let name = "scripted"
    static let version = "0.1"
    static let summary = "For tests."
    static let configuration: [ConfigurationField] = [
        .path("file", required: true, help: "A file."),
        .text("word", default: "hello", help: "A word."),
        .integer("number", help: "A number."),
        .boolean("flag", help: "A flag."),
        .list("words", help: "Words."),
        .text("token", required: true, secret: true, help: "A secret."),
    ]
    static let capabilities = [CapabilityNeed(.writeFiles, "write"), CapabilityNeed(.run, "run")]
    static let concurrency = 1

    static let config: [String: ConfigurationValue] = ["file": .text("/f")]

    var grants: @Sendable (Target) throws(ConnectorError) -> [Grant] = { _ in [] }
    var onRead: @Sendable (Deployment, borrowing Host) throws(ConnectorError) -> LiveState = { _, _ in .absent }
    var onDeploy: @Sendable (Deployment, borrowing Host) throws(ConnectorError) -> DeployOutcome = { _, _ in
        .unchanged("")
    }

    func grants(for target: Target) throws(ConnectorError) -> [Grant] { try grants(target) }
    func read(_ deployment: Deployment, _ host: borrowing Host) throws(ConnectorError) -> LiveState {
        try onRead(deployment, host)
    }
    func deploy(_ deployment: Deployment, _ host: borrowing Host) throws(ConnectorError) -> DeployOutcome {
        try onDeploy(deployment, host)
    }
}

/// The same with four calls at a time.
struct Concurrent: Connector {
    static let name = "concurrent"
    static let version = "0.1"
    static let summary = "For tests."
    static let configuration: [ConfigurationField] = []
    static let capabilities: [CapabilityNeed] = []
    static let concurrency = 4

    var onDeploy: @Sendable (Deployment, borrowing Host) throws(ConnectorError) -> DeployOutcome

    func grants(for target: Target) throws(ConnectorError) -> [Grant] { [] }
    func read(_ deployment: Deployment, _ host: borrowing Host) throws(ConnectorError) -> LiveState { .absent }
    func deploy(_ deployment: Deployment, _ host: borrowing Host) throws(ConnectorError) -> DeployOutcome {
        try onDeploy(deployment, host)
    }
}
