import Synchronization
import TrstctlConnector

/// Remembers the fingerprint that was deployed to each target, and misbehaves on demand.
///
/// It is the reference for authors: everything the SDK offers is used here once. It is also the workhorse of the
/// host's tests: its configuration makes it fail, sleep, crash, print, and make any brokered call.
struct Echo: Connector {
    static let name = "echo"
    static let version = "1.0.0"
    static let summary = "Remembers fingerprints; for tests, and to learn from."
    static let concurrency = 16

    static let configuration: [ConfigurationField] = [
        .text("fail", help: "Let a deployment fail with this status code, for example `unavailable`."),
        .integer("fail_times", default: 0, help: "Let only the first so many deployments fail; 0 means all."),
        .integer("sleep_ms", default: 0, help: "Wait so many milliseconds in a deployment."),
        .text("crash", help: "Crash in `configure`, `read`, `deploy`, or `idle` after a deployment."),
        .text("crash_by", default: "trap", help: "How to crash: `trap`, `exit` (status 3), `signal` (SIGSEGV)."),
        .integer("junk_stdout", default: 0, help: "Print so many bytes of junk on stdout and stderr."),
        .path("write_path", help: "Write this file in a deployment."),
        .text("write_text", default: "echo\n", help: "What to write to `write_path`."),
        .text(
            "write_secret", help: "Write this secret, for example `key`, after the text; or several: `fullchain key`."),
        .list("run", help: "Run this command in a deployment."),
        .list("rollback", help: "Declare this command for rollbacks."),
        .boolean("probe", default: false, help: "Probe the target's probe address in a deployment."),
        .path("state_path", help: "Keep the fingerprint in this file, so that another process knows it."),
        .text("token", secret: true, help: "A secret, to be written with `write_secret: token`."),
    ]

    static let capabilities = [
        CapabilityNeed(.readFiles, "read the fingerprint in `state_path`"),
        CapabilityNeed(.writeFiles, "write `state_path` and `write_path`"),
        CapabilityNeed(.dial, "probe the target's address when `probe` is set"),
        CapabilityNeed(.run, "run the commands in `run` and `rollback`"),
    ]

    private let memory = Memory()

    func grants(for target: Target) throws(ConnectorError) -> [Grant] {
        Misbehaviour.crash(at: "configure", target.config)
        try Misbehaviour.check(target.config)
        var grants: [Grant] = []
        if let path = target.config.textIfSet("state_path") { grants += [.read(path), .write(path)] }
        if let path = target.config.textIfSet("write_path") { grants.append(.write(path)) }
        if let command = target.config.listIfSet("run") { grants.append(.run(command)) }
        if let command = target.config.listIfSet("rollback") { grants.append(.run(command)) }
        if let probe = target.probe, try target.config.boolean("probe") { grants.append(.dial(probe.address)) }
        return grants
    }

    func rollback(for target: Target) throws(ConnectorError) -> [[String]] {
        target.config.listIfSet("rollback").map { [$0] } ?? []
    }

    func read(_ deployment: Deployment, _ host: borrowing Host) throws(ConnectorError) -> LiveState {
        host.log(.info, "read target=\(deployment.target.name)")
        Misbehaviour.crash(at: "read", deployment.config)
        guard let fingerprint = try known(deployment, host) else { return .absent }
        return LiveState(
            isPresent: true, fingerprint: fingerprint, isInSync: fingerprint == deployment.fingerprint,
            facts: [("deployments", "\(memory.count(deployment.target.name))")])
    }

    func deploy(_ deployment: Deployment, _ host: borrowing Host) throws(ConnectorError) -> DeployOutcome {
        let config = deployment.config
        host.log(.info, "deploy target=\(deployment.target.name) fingerprint=\(deployment.fingerprint)")
        Misbehaviour.printJunk(bytes: try config.integer("junk_stdout"))
        Misbehaviour.crash(at: "deploy", config)
        let pause = try config.integer("sleep_ms")
        if pause > 0 {
            host.progress("sleeping \(pause) ms", percent: 50)
            try host.sleep(milliseconds: Int(clamping: pause))
        }
        let attempt = memory.attempt(deployment.target.name)
        try Misbehaviour.fail(attempt: attempt, config)
        Misbehaviour.crashLater(config)
        guard try known(deployment, host) != deployment.fingerprint else {
            return .unchanged("holds \(deployment.fingerprint) already")
        }
        try act(deployment, host)
        if let path = config.textIfSet("state_path") {
            try host.writeFile(path, [.text("\(deployment.fingerprint)\n")], mode: 0o644)
        }
        // What this process remembers is its target; in a rehearsal it must stay as it is.
        if !host.isRecording { memory.remember(deployment.fingerprint, deployment.target.name) }
        return .changed("holds \(deployment.fingerprint) now")
    }

    /// The brokered calls that the configuration asks for.
    private func act(_ deployment: Deployment, _ host: borrowing Host) throws(ConnectorError) {
        let config = deployment.config
        if let path = config.textIfSet("write_path") {
            var content: [Segment] = [.text(try config.text("write_text"))]
            for secret in config.textIfSet("write_secret")?.split(separator: " ") ?? [] {
                content.append(.secret(.field(String(secret))))
            }
            try host.writeFile(path, content)
        }
        if let command = config.listIfSet("run") {
            let result = try host.run(command)
            guard result.isSuccess else {
                throw .failedPrecondition("\(command) ended with \(result.description)", detail: result.output)
            }
        }
        if let probe = deployment.target.probe, try config.boolean("probe") {
            let served = try host.probeTLS(probe)
            host.log(.info, "served=\(served.fingerprint?.hexadecimal ?? "none") \(served.version)")
        }
    }

    private func known(_ deployment: Deployment, _ host: borrowing Host) throws(ConnectorError) -> Fingerprint? {
        guard let path = deployment.config.textIfSet("state_path") else {
            return memory.fingerprint(deployment.target.name)
        }
        guard let file = try host.readFile(path, maxBytes: 4096) else { return nil }
        return Fingerprint(hexadecimal: String(decoding: file.bytes.prefix(64), as: UTF8.self))
    }
}

/// What the process remembers about each target; calls run concurrently.
private final class Memory: Sendable {
    private struct Entry {
        var fingerprint: Fingerprint?
        var attempts = 0
    }

    private let entries = Mutex<[String: Entry]>([:])

    func fingerprint(_ target: String) -> Fingerprint? { entries.withLock { $0[target]?.fingerprint } }

    func count(_ target: String) -> Int { entries.withLock { $0[target]?.attempts ?? 0 } }

    func remember(_ fingerprint: Fingerprint, _ target: String) {
        entries.withLock { $0[target, default: Entry()].fingerprint = fingerprint }
    }

    /// Counts an attempt; the first is 1.
    func attempt(_ target: String) -> Int {
        entries.withLock {
            $0[target, default: Entry()].attempts += 1
            return $0[target]?.attempts ?? 1
        }
    }
}
