import Glibc
import Testing
import TrstctlSystem
import TrstctlWire

@testable import TrstctlConnector

@Suite("The NGINX connector")
struct NGINXTests {
    private static let new = Wire.Deployment.fingerprint
    private static let old = String(repeating: "cd", count: 32)
    private static let fullchain = "LEAF\nISSUER\n"
    private static let pair: [String: ConfigurationValue] = ["certificate": .text("/c"), "key": .text("/k")]

    /// A machine on which an older certificate is deployed and served; a reload serves what is in the files.
    private func start(
        _ config: [String: ConfigurationValue] = pair, probe: String? = "127.0.0.1:443"
    ) throws -> (connector: LaunchedConnector, host: RawHost, machine: FakeMachine) {
        let connector = try LaunchedConnector("nginx")
        let host = try connector.connect()
        try host.hello()
        let reply = try host.configure("edge", config, probe: probe)
        guard reply.status?.code == .ok else { throw RawHost.Failure.unexpected("\(reply)") }
        let machine = FakeMachine()
        machine.files["/c"] = FakeMachine.File(content: "OLD\n", mode: 0o644)
        machine.files["/k"] = FakeMachine.File(content: "OLDKEY\n", mode: 0o600)
        machine.served = Self.old
        machine.run = { machine, command in
            if command.last == "reload" {
                machine.served = machine.files["/c"]?.content == Self.fullchain ? Self.new : Self.old
            }
            return (0, "")
        }
        return (connector, host, machine)
    }

    private func status(_ machine: FakeMachine, _ host: RawHost) throws -> Wire.Status {
        try #require(try machine.call(.apply("edge"), through: host).status)
    }

    private func read(_ machine: FakeMachine, _ host: RawHost) throws -> Wire.ReadResponse {
        let reply = try machine.call(.read(Wire.ReadRequest(deployment: .sample())), through: host)
        guard case .read(let response) = reply.result else { throw RawHost.Failure.unexpected("\(reply)") }
        return response
    }

    @Test("It declares the reload as what makes NGINX use files that the host put back")
    func declaresRollback() throws {
        let connector = try LaunchedConnector("nginx")
        let host = try connector.connect()
        try host.hello()
        let reply = try host.configure("edge", Self.pair, probe: "127.0.0.1:443")
        guard case .configure(let response) = reply.result else {
            Issue.record("\(reply)")
            return
        }
        #expect(response.rollback == [Wire.Activation(arguments: ["/usr/sbin/nginx", "-s", "reload"])])
        #expect(response.grants.contains { $0.values == ["/usr/sbin/nginx", "-s", "reload"] })
    }

    @Test("Key, certificate, test, reload, probe: in this order, and it is served")
    func deploys() throws {
        let (_, host, machine) = try start()
        let reply = try machine.call(.apply("edge"), through: host)
        guard case .apply(let response) = reply.result else {
            Issue.record("\(reply)")
            return
        }
        #expect(response.changed)
        #expect(
            machine.effects == [
                "write /k", "write /c", "run /usr/sbin/nginx -t", "run /usr/sbin/nginx -s reload",
            ])
        #expect(machine.files["/c"] == FakeMachine.File(content: Self.fullchain, mode: 0o644))
        #expect(machine.files["/k"] == FakeMachine.File(content: "KEY\n", mode: 0o600))
        #expect(machine.reads.isEmpty)
    }

    @Test("A second time nothing is written, tested or reloaded")
    func idempotent() throws {
        let (_, host, machine) = try start()
        #expect(try status(machine, host).code == .ok)
        let reply = try machine.call(.apply("edge"), through: host)
        guard case .apply(let response) = reply.result else {
            Issue.record("\(reply)")
            return
        }
        #expect(!response.changed)
        #expect(machine.effects.isEmpty)
        let live = try read(machine, host)
        #expect(live.present && live.inSync && live.fingerprint == Self.new)
    }

    @Test("What is missing is created")
    func firstTime() throws {
        let (_, host, machine) = try start()
        machine.files = [:]
        machine.served = nil
        let live = try read(machine, host)
        #expect(!live.present && !live.inSync && live.fingerprint.isEmpty)
        #expect(live.facts.map(\.value) == ["missing", "missing", "connection refused"])
        #expect(try status(machine, host).code == .ok)
    }

    @Test("Only the file that differs is written; a wrong mode is a difference")
    func onlyMode() throws {
        let (_, host, machine) = try start()
        _ = try status(machine, host)
        machine.files["/k"]?.mode = 0o644
        let live = try read(machine, host)
        #expect(!live.inSync)
        #expect(live.facts.first?.value == "as desired, mode 0644 instead of 0600")
        #expect(try status(machine, host).code == .ok)
        #expect(machine.effects.first == "write /k")
        #expect(!machine.effects.contains("write /c"))
    }

    @Test("When the files are right and another certificate is served, it only tests and reloads")
    func onlyReload() throws {
        let (_, host, machine) = try start()
        _ = try status(machine, host)
        machine.served = Self.old
        #expect(try status(machine, host).code == .ok)
        #expect(machine.effects == ["run /usr/sbin/nginx -t", "run /usr/sbin/nginx -s reload"])
    }

    @Test("When nginx -t refuses, both files go back, and NGINX's words are in the error")
    func refused() throws {
        let (_, host, machine) = try start()
        let words = "nginx: [emerg] SSL_CTX_use_PrivateKey(\"/k\") failed (key values mismatch)\n"
        machine.run = { machine, command in
            command.last == "-t" && machine.files["/c"]?.content == Self.fullchain ? (1, words) : (0, "")
        }
        let status = try status(machine, host)
        #expect(status.code == .failedPrecondition)
        #expect(status.message.contains("SSL_CTX_use_PrivateKey(\"/k\") failed (key values mismatch)."))
        #expect(status.message.hasSuffix("The files are as they were."))
        #expect(status.detail == words)
        #expect(machine.files["/c"]?.content == "OLD\n")
        #expect(machine.files["/k"]?.content == "OLDKEY\n")
        #expect(!machine.effects.contains("run /usr/sbin/nginx -s reload"))
    }

    @Test("When the configuration was broken before, the error says so")
    func brokenBefore() throws {
        let (_, host, machine) = try start()
        machine.run = { _, _ in (1, "nginx: [emerg] unknown directive \"x\" in /etc/nginx/nginx.conf:3\n") }
        let status = try status(machine, host)
        #expect(status.message.contains("unknown directive \"x\" in /etc/nginx/nginx.conf:3."))
        #expect(status.message.hasSuffix("Its configuration is also refused with the old files."))
    }

    @Test(
        "When NGINX is not running the files go back, and the error says what to do",
        arguments: [
            "nginx: [error] open() \"/run/nginx.pid\" failed (2: No such file or directory)\n",
            "2026/11/21 08:55:10 [notice] 9#9: signal process started\n"
                + "2026/11/21 08:55:10 [error] 9#9: open() \"/x/n.pid\" failed (2: No such file or directory)\n",
            "nginx: [error] invalid PID number \"\" in \"/run/nginx.pid\"\n",
            "nginx: [alert] kill(4242, 1) failed (3: No such process)\n",
            "nginx.service is not active, cannot reload.\n",
        ])
    func notRunning(words: String) throws {
        let (_, host, machine) = try start()
        machine.run = { _, command in command.last == "reload" ? (1, words) : (0, "") }
        let status = try status(machine, host)
        #expect(status.code == .unavailable)
        #expect(status.message == "NGINX is not running, so it cannot be reloaded. The files are as they were.")
        #expect(status.fix == "start NGINX, then apply again")
        #expect(machine.files["/c"]?.content == "OLD\n")
    }

    @Test("Another failure of the reload is not taken for a stopped NGINX")
    func reloadFails() throws {
        let (_, host, machine) = try start()
        let words = "nginx: [emerg] cannot load certificate \"/x\": BIO_new_file() failed\n"
        machine.run = { _, command in command.last == "reload" ? (1, words) : (0, "") }
        let status = try status(machine, host)
        #expect(status.code == .failedPrecondition)
        #expect(status.message.contains("cannot load certificate"))
        #expect(machine.files["/c"]?.content == "OLD\n")
    }

    @Test("A message of a running error log is shown without its date and process")
    func loggedComplaint() throws {
        let (_, host, machine) = try start()
        machine.run = { _, command in
            command.last == "-t" ? (1, "2026/11/21 08:55:10 [emerg] 9#9: host not found in upstream \"x\"\n") : (0, "")
        }
        let status = try status(machine, host)
        #expect(status.message.contains("refuses the configuration: host not found in upstream \"x\". The files"))
    }

    @Test("It waits until the workers have changed")
    func slowWorkers() throws {
        let (_, host, machine) = try start()
        var probes = 0
        machine.run = { _, _ in (0, "") }
        machine.beforeProbe = { machine in
            probes += 1
            if probes == 3 { machine.served = Self.new }
        }
        #expect(try status(machine, host).code == .ok)
        #expect(probes == 3)
    }

    @Test("When another certificate stays served, the files go back and NGINX is reloaded again")
    func neverServed() throws {
        let (_, host, machine) = try start(Self.pair.merging(["probe_timeout_seconds": .integer(1)]) { $1 })
        machine.run = { _, _ in (0, "") }
        let status = try status(machine, host)
        #expect(status.code == .failedPrecondition)
        #expect(status.message.contains("still serves \(Self.old) 1 s after the reload, not \(Self.new)."))
        #expect(status.message.hasSuffix("The files are as they were. NGINX was reloaded with them."))
        #expect(status.fix.contains("/k and /c"))
        #expect(machine.files["/c"]?.content == "OLD\n")
        #expect(machine.effects.suffix(2) == ["revert /k /c", "run /usr/sbin/nginx -s reload"])
    }

    @Test("When nobody answers the probe, the files go back and that is what it says")
    func nobodyAnswers() throws {
        let (_, host, machine) = try start(Self.pair.merging(["probe_timeout_seconds": .integer(1)]) { $1 })
        machine.run = { _, _ in (0, "") }
        machine.served = nil
        let status = try status(machine, host)
        #expect(status.code == .unavailable)
        #expect(status.detail == "connection refused")
        #expect(machine.files["/k"]?.content == "OLDKEY\n")
    }

    @Test("A server that is silent until each probe is over is waited for as long as the operator says, and no longer")
    func silent() throws {
        let (_, host, machine) = try start(Self.pair.merging(["probe_timeout_seconds": .integer(1)]) { $1 })
        machine.run = { _, _ in (0, "") }
        machine.served = nil
        // Two of these are more than the second, on a busy machine even more so.
        machine.beforeProbe = { _ in usleep(600_000) }
        let status = try status(machine, host)
        #expect(status.message.contains("shows no certificate 1 s after the reload"), "\(status)")
        #expect((1...2).contains(machine.probeTimeouts.count), "\(machine.probeTimeouts)")
        #expect(machine.probeTimeouts.allSatisfy { (1...1000).contains($0) }, "\(machine.probeTimeouts)")
    }

    @Test("A denied step puts the files back and keeps the host's fix", arguments: [101, 105] as [UInt32])
    func denied(method: UInt32) throws {
        let (_, host, machine) = try start()
        machine.denied = [method]
        let status = try status(machine, host)
        #expect(status.code == .permissionDenied)
        #expect(status.fix == "add the grant")
        // The host's clause becomes a sentence.
        #expect(status.message.hasSuffix("no grant covers it. The files are as they were."), "\(status.message)")
        #expect(machine.files["/c"]?.content == "OLD\n")
        #expect(machine.files["/k"]?.content == "OLDKEY\n")
    }

    @Test("A rehearsal goes through the same steps without waiting for them")
    func recording() throws {
        let (_, host, machine) = try start()
        #expect(try machine.call(.apply("edge", recording: true), through: host).status?.code == .ok)
        #expect(machine.effects.count == 4)
        #expect(machine.files["/c"]?.content == "OLD\n")
    }

    @Test("A combined file holds chain and key, mode 0600, in one write, and is never read")
    func combined() throws {
        let (_, host, machine) = try start(["combined": .text("/c")])
        machine.run = { machine, command in
            if command.last == "reload" { machine.served = Self.new }
            return (0, "")
        }
        #expect(try read(machine, host).fingerprint == Self.old)
        #expect(machine.reads.isEmpty)
        #expect(try status(machine, host).code == .ok)
        #expect(machine.files["/c"] == FakeMachine.File(content: Self.fullchain + "KEY\n", mode: 0o600))
        #expect(machine.effects.filter { $0.hasPrefix("write") } == ["write /c"])
        let live = try read(machine, host)
        #expect(live.inSync && live.fingerprint == Self.new)
        #expect(machine.reads.isEmpty)
    }

    @Test("Without a probe the commands have to do, and the summary says so")
    func noProbe() throws {
        let (_, host, machine) = try start(probe: nil)
        guard case .apply(let response) = try machine.call(.apply("edge"), through: host).result else {
            Issue.record("no response")
            return
        }
        #expect(response.summary.hasSuffix("not probed"))
    }

    @Test("It declares exactly what it does: its files, its two commands, its probe; it never reads the key")
    func grants() throws {
        let connector = try LaunchedConnector("nginx")
        let host = try connector.connect()
        try host.hello()
        let config: [String: ConfigurationValue] = [
            "certificate": .text("/c"), "key": .text("/k"), "nginx": .list(["/opt/nginx", "-c", "/n.conf"]),
        ]
        guard case .configure(let response) = try host.configure("edge", config, probe: "h:1").result else {
            Issue.record("no response")
            return
        }
        #expect(
            response.grants == [
                Wire.Grant(capability: .fsWrite, values: ["/k"]), Wire.Grant(capability: .fsRead, values: ["/c"]),
                Wire.Grant(capability: .fsWrite, values: ["/c"]), Wire.Grant(capability: .netDial, values: ["h:1"]),
                Wire.Grant(capability: .processExec, values: ["/opt/nginx", "-c", "/n.conf", "-t"]),
                Wire.Grant(capability: .processExec, values: ["/opt/nginx", "-c", "/n.conf", "-s", "reload"]),
            ])
    }

    @Test(
        "A wrong configuration is refused before anything is touched",
        arguments: [
            [:], ["certificate": .text("/c")], ["key": .text("/k")],
            ["certificate": .text("/c"), "key": .text("/k"), "combined": .text("/x")],
            ["certificate": .text("/c"), "combined": .text("/x")],
            ["certificate": .text("/c"), "key": .text("/c")],
            ["combined": .text("/x"), "key_mode": .text("0999")], ["combined": .text("/x"), "key_mode": .text("0")],
            ["combined": .text("/x"), "key_mode": .text("+600")], ["combined": .text("/x"), "key_mode": .text("1777")],
            ["combined": .text("/x"), "nginx": .list([])], ["combined": .text("/x"), "nginx": .list(["nginx"])],
            ["combined": .text("/x"), "reload": .list(["systemctl", "reload", "nginx"])],
            ["combined": .text("/x"), "probe_timeout_seconds": .integer(0)],
            ["combined": .text("/x"), "probe_timeout_seconds": .integer(601)],
        ] as [[String: ConfigurationValue]])
    func wrongConfiguration(config: [String: ConfigurationValue]) throws {
        let connector = try LaunchedConnector("nginx")
        let host = try connector.connect()
        try host.hello()
        #expect(try host.configure("edge", config).status?.code == .invalidArgument)
    }
}
