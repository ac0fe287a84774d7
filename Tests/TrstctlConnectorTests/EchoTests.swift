import Glibc
import Testing
import TrstctlSystem
import TrstctlWire

@testable import TrstctlConnector

@Suite("The echo connector")
struct EchoTests {
    private func start(
        _ config: [String: ConfigurationValue] = [:], probe: String? = nil
    ) throws -> (connector: LaunchedConnector, host: RawHost, machine: FakeMachine) {
        let connector = try LaunchedConnector("echo")
        let host = try connector.connect()
        try host.hello()
        try host.configure("edge", config, probe: probe)
        return (connector, host, FakeMachine())
    }

    private func read() -> Wire.Call.Method { .read(Wire.ReadRequest(deployment: .sample())) }

    @Test("It remembers what was deployed, and a replay changes nothing")
    func remembers() throws {
        let (_, host, machine) = try start()
        #expect(try machine.call(read(), through: host).result == .read(Wire.ReadResponse()))
        guard case .apply(let first) = try machine.call(.apply("edge"), through: host).result,
            case .apply(let second) = try machine.call(.apply("edge"), through: host).result,
            case .read(let live) = try machine.call(read(), through: host).result
        else {
            Issue.record("no responses")
            return
        }
        #expect(first.changed)
        #expect(!second.changed)
        #expect(live.present && live.inSync && live.fingerprint == Wire.Deployment.fingerprint)
        #expect(machine.log.count == 4)
        #expect(machine.log[1] == "deploy target=edge fingerprint=\(Wire.Deployment.fingerprint)")
    }

    @Test("A rehearsal is not remembered")
    func recording() throws {
        let (_, host, machine) = try start()
        guard case .apply(let response) = try machine.call(.apply("edge", recording: true), through: host).result
        else {
            Issue.record("no response")
            return
        }
        #expect(response.changed)
        #expect(try machine.call(read(), through: host).result == .read(Wire.ReadResponse()))
    }

    @Test("The fingerprint in a state file is known to another process")
    func stateFile() throws {
        let config: [String: ConfigurationValue] = ["state_path": .text("/state")]
        let (_, host, machine) = try start(config)
        _ = try machine.call(.apply("edge"), through: host)
        #expect(machine.effects == ["write /state"])
        let (_, other, _) = try start(config)
        guard case .apply(let response) = try machine.call(.apply("edge"), through: other).result else {
            Issue.record("no response")
            return
        }
        #expect(!response.changed)
        #expect(machine.effects.isEmpty)
    }

    @Test("It makes the brokered calls it is told to")
    func brokered() throws {
        let (_, host, machine) = try start(
            [
                "write_path": .text("/w"), "write_text": .text("t:"), "write_secret": .text("key"),
                "run": .list(["/bin/r", "a"]), "probe": .boolean(true),
            ], probe: "h:1")
        machine.served = Wire.Deployment.fingerprint
        #expect(try machine.call(.apply("edge"), through: host).status?.code == .ok)
        #expect(machine.effects == ["write /w", "run /bin/r a"])
        #expect(machine.files["/w"]?.content == "t:KEY\n")
        #expect(machine.log.last == "served=\(Wire.Deployment.fingerprint) TLSv1.3")
    }

    @Test("It fails as often as it is told to, then succeeds")
    func fails() throws {
        let (_, host, machine) = try start(["fail": .text("unavailable"), "fail_times": .integer(2)])
        let codes = try (0..<3).map { _ in try machine.call(.apply("edge"), through: host).status?.code }
        #expect(codes == [.unavailable, .unavailable, .ok])
    }

    @Test("Options that would do nothing are refused", arguments: ["fail", "crash", "crash_by"])
    func unknownOption(name: String) throws {
        let (_, host, _) = try start()
        let status = try #require(try host.configure("other", [name: .text("nonsense")]).status)
        #expect(status.code == .invalidArgument)
        #expect(status.fix.hasPrefix("one of "))
    }

    @Test("It crashes where it is told to, and a trap's text is on stderr", arguments: ["read", "deploy", "idle"])
    func crashes(place: String) throws {
        let (connector, host, machine) = try start(["crash": .text(place)])
        if place == "idle" {
            #expect(try machine.call(.apply("edge"), through: host).status?.code == .ok)
            #expect(host.isEnded)
            #expect(connector.end().status == -SIGALRM)
        } else {
            #expect(throws: RawHost.Failure.self) {
                try machine.call(place == "read" ? read() : .apply("edge"), through: host)
            }
            let end = connector.end()
            #expect(end.status < 0)
            #expect(end.errors.contains("echo was told to crash in \(place)"))
        }
    }

    @Test("It can crash while it is configured, by its exit status or by a signal", arguments: ["exit", "signal"])
    func crashesWays(way: String) throws {
        let connector = try LaunchedConnector("echo")
        let host = try connector.connect()
        try host.hello()
        #expect(throws: RawHost.Failure.self) {
            try host.configure("edge", ["crash": .text("configure"), "crash_by": .text(way)])
        }
        #expect(connector.end().status == (way == "exit" ? 3 : -SIGSEGV))
    }
}
