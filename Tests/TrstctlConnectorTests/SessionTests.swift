import Glibc
import Testing
import TrstctlSystem
import TrstctlWire

@testable import TrstctlConnector

@Suite("A connector's session")
struct SessionTests {
    @Test("Hello describes the connector and picks the highest common version")
    func hello() throws {
        let served = try ServedConnector(Scripted(), hello: false)
        let response = try served.host.hello([1, 2, 7])
        #expect(response.protocolVersion == 1)
        #expect(response.protocolVersions == [1])
        #expect(response.connector == Wire.Implementation(name: "trstctl-connector-scripted", version: "0.1"))
        #expect(response.limits?.maxCalls == 64)
        let description = try #require(response.description)
        #expect(description.name == "scripted")
        #expect(description.config.map(\.name) == ["file", "word", "number", "flag", "words", "token"])
        #expect(description.config.map(\.type) == [.path, .string, .integer, .boolean, .stringList, .string])
        #expect(description.config.map(\.required) == [true, false, false, false, false, true])
        #expect(description.config.map(\.secret) == [false, false, false, false, false, true])
        #expect(description.config[1].defaultValue?.kind == .text("hello"))
        #expect(description.capabilities.map(\.capability) == [.fsWrite, .processExec])
        #expect(description.optionalMethods.isEmpty)
    }

    @Test("Without a common version Hello says 0, and nothing else is done")
    func noCommonVersion() throws {
        let served = try ServedConnector(Scripted(), hello: false)
        let response = try served.host.hello([2, 3])
        #expect(response.protocolVersion == 0)
        #expect(response.protocolVersions == [1])
        #expect(try served.host.configure().status?.code == .failedPrecondition)
        #expect(try served.host.call(.ping(Wire.PingRequest(payload: "x"))).status?.code == .ok)
    }

    @Test("Ping brings the payload back", arguments: [0, 1, 64, 70_000, 4_000_000])
    func ping(size: Int) throws {
        let served = try ServedConnector(Scripted())
        let payload = Bytes((0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7) })
        let reply = try served.host.call(.ping(Wire.PingRequest(payload: payload)))
        #expect(reply.result == .ping(Wire.PingResponse(payload: payload)))
    }

    @Test("An unknown method is UNIMPLEMENTED, and its number is named")
    func unknownMethod() throws {
        let served = try ServedConnector(Scripted())
        // Frame id 2, kind call with field 77, an empty message.
        try served.host.send(raw: [0, 0, 0, 7, 0x08, 2, 0x12, 3, 0xEA, 0x04, 0])
        let reply = try served.host.receiveReply(2)
        #expect(reply.status?.code == .unimplemented)
        #expect(reply.status?.message == "method 77 is not known to protocol version 1")
    }

    @Test("Optional methods are UNIMPLEMENTED, Plan among them")
    func optionalMethods() throws {
        let served = try ServedConnector(Scripted())
        let methods: [Wire.Call.Method] = [
            .plan(Wire.PlanRequest()), .drift(Wire.DriftRequest()), .prune(Wire.PruneRequest()),
            .adopt(Wire.AdoptRequest()), .verifyOwnership(Wire.VerifyOwnershipRequest()),
        ]
        for method in methods { #expect(try served.host.call(method).status?.code == .unimplemented) }
    }

    @Test("Configure hands the typed values to the connector and its grants back")
    func configure() throws {
        let connector = Scripted(grants: { target throws(ConnectorError) in
            #expect(target.name == "edge")
            #expect(target.probe == ProbeAddress(address: "127.0.0.1:443", serverName: "www"))
            #expect(target.secretFields == ["token"])
            return [
                .read(try target.config.path("file")), .write("/d/"), .dial("h:1"),
                .run([try target.config.text("word")] + (try target.config.list("words"))),
            ]
        })
        let served = try ServedConnector(connector)
        let reply = try served.host.configure(
            "edge", ["file": .text("/f"), "words": .list(["a", "b"])], probe: "127.0.0.1:443", secrets: ["token"])
        guard case .configure(let response) = reply.result else {
            Issue.record("\(reply)")
            return
        }
        #expect(
            response.grants == [
                Wire.Grant(capability: .fsRead, values: ["/f"]), Wire.Grant(capability: .fsWrite, values: ["/d/"]),
                Wire.Grant(capability: .netDial, values: ["h:1"]),
                Wire.Grant(capability: .processExec, values: ["hello", "a", "b"]),
            ])
    }

    @Test(
        "A wrong configuration is INVALID_ARGUMENT and says which field",
        arguments: [
            (["word": ConfigurationValue.text("x")], "the field `file` is missing: A file."),
            (["file": .integer(1)], "the field `file` must be of type path"),
            (["file": .text("/f"), "number": .text("1")], "the field `number` must be of type integer"),
            (["file": .text("/f"), "nope": .text("1")], "there is no field `nope`"),
            (["file": .text("/f"), "token": .text("plain")], "there is no field `token`"),
        ] as [([String: ConfigurationValue], String)])
    func wrongConfiguration(config: [String: ConfigurationValue], message: String) throws {
        let served = try ServedConnector(Scripted())
        let status = try #require(try served.host.configure("edge", config, secrets: ["token"]).status)
        #expect(status.code == .invalidArgument)
        #expect(status.message == message)
    }

    @Test("A required secret that has no value is refused")
    func missingSecret() throws {
        let served = try ServedConnector(Scripted())
        let status = try #require(try served.host.configure("edge", Scripted.config).status)
        #expect(status.code == .invalidArgument)
        #expect(status.message.contains("token"))
    }

    @Test("A call about a target that was never configured is FAILED_PRECONDITION")
    func notConfigured() throws {
        let served = try ServedConnector(Scripted())
        #expect(try served.host.call(.apply("other")).status?.code == .failedPrecondition)
    }

    @Test("A deployment without a fingerprint is refused")
    func badFingerprint() throws {
        let served = try ServedConnector(Scripted())
        try served.host.configure("edge", Scripted.config, secrets: ["token"])
        for bad in ["", "AB", String(repeating: "G", count: 64), String(repeating: "AB", count: 32)] {
            let call = Wire.ReadRequest(deployment: .sample(fingerprint: bad))
            #expect(try served.host.call(.read(call)).status?.code == .invalidArgument)
        }
        #expect(try served.host.call(.read(Wire.ReadRequest())).status?.code == .invalidArgument)
    }

    @Test("Read answers what the connector found")
    func read() throws {
        let connector = Scripted(onRead: { deployment, host throws(ConnectorError) in
            #expect(deployment.fullchain == Array("LEAF\nISSUER\n".utf8))
            let isRecording = host.isRecording
            #expect(!isRecording)
            return LiveState(
                isPresent: true, fingerprint: deployment.fingerprint, isInSync: true, facts: [("mode", "0644")])
        })
        let served = try ServedConnector(connector)
        try served.host.configure("edge", Scripted.config, secrets: ["token"])
        let reply = try served.host.call(.read(Wire.ReadRequest(deployment: .sample())))
        let expected = Wire.ReadResponse(
            present: true, fingerprint: Wire.Deployment.fingerprint, inSync: true,
            facts: [Wire.Fact(name: "mode", value: "0644")])
        #expect(reply.result == .read(expected))
    }

    @Test("A thrown error becomes the status, cut to what the protocol allows")
    func thrownError() throws {
        let connector = Scripted(onDeploy: { _, _ throws(ConnectorError) in
            throw ConnectorError(
                .conflict, String(repeating: "ä", count: 3000), detail: String(repeating: "d", count: 20_000),
                fix: "do this", isRetryable: true)
        })
        let served = try ServedConnector(connector)
        try served.host.configure("edge", Scripted.config, secrets: ["token"])
        let status = try #require(try served.host.call(.apply("edge")).status)
        #expect(status.code == .aborted)
        #expect(status.message == String(repeating: "ä", count: 2048))
        #expect(status.detail.utf8.count == 16_384)
        #expect(status.fix == "do this")
        #expect(status.retryable)
    }

    @Test("A reply longer than the host accepts becomes one that says so")
    func longReply() throws {
        let connector = Scripted(onRead: { _, _ in
            LiveState(
                isPresent: true,
                facts: (0..<64).map { ("\($0)", String(repeating: "x", count: 4096)) })
        })
        let served = try ServedConnector(connector, hello: false)
        try served.host.hello(limits: Wire.Limits(maxFrameBytes: 65_536))
        try served.host.configure("edge", Scripted.config, secrets: ["token"])
        let reply = try served.host.call(.read(Wire.ReadRequest(deployment: .sample())))
        #expect(reply.status?.code == .resourceExhausted)
    }
}

@Suite("The end of a connector's session")
struct SessionEndTests {
    @Test("Shutdown is answered, then the connection ends")
    func shutdown() throws {
        let served = try ServedConnector(Scripted())
        #expect(try served.host.call(.shutdown(Wire.ShutdownRequest())).result == .shutdown(Wire.ShutdownResponse()))
        #expect(served.end() == .shutdown)
    }

    @Test("Shutdown during a call cancels it, answers it, refuses new ones, and is answered last")
    func shutdownDuringCall() throws {
        let connector = Scripted(onDeploy: { _, host throws(ConnectorError) in
            try host.sleep(milliseconds: 600_000)
            return .unchanged("slept")
        })
        let served = try ServedConnector(connector)
        try served.host.configure("edge", Scripted.config, secrets: ["token"])
        let apply = try served.host.start(.apply("edge"))
        let queued = try served.host.start(.apply("edge"))
        // In one write: a session that has ended already would not take the second.
        let ids = try served.host.start(together: [.shutdown(Wire.ShutdownRequest()), .apply("edge")])
        let (shutdown, late) = (ids[0], ids[1])
        var codes: [UInt32: Wire.Status.Code] = [:]
        var order: [UInt32] = []
        while order.last != shutdown {
            let frame = try served.host.receive()
            guard case .reply(let reply) = frame.kind else { continue }
            order.append(frame.id)
            codes[frame.id] = reply.status?.code
        }
        #expect(codes[apply] == .cancelled)
        #expect(codes[queued] == .cancelled)
        #expect(codes[late] == nil || codes[late] == .resourceExhausted)
        #expect(codes[shutdown] == .ok)
        #expect(served.end() == .shutdown)
    }

    @Test("When the host closes the connection the session ends quietly")
    func hostCloses() throws {
        let served = try ServedConnector(Scripted())
        served.host.close()
        #expect(served.end() == .hostGone)
    }

    @Test("When the host goes away in a brokered call, the call fails and the session ends")
    func hostClosesInCall() throws {
        let failed = Handover<ConnectorError.Code>()
        let connector = Scripted(onDeploy: { _, host throws(ConnectorError) in
            do throws(ConnectorError) {
                _ = try host.readFile("/f")
            } catch {
                failed.fill(error.code)
            }
            return .unchanged("")
        })
        let served = try ServedConnector(connector)
        try served.host.configure("edge", Scripted.config, secrets: ["token"])
        try served.host.start(.apply("edge"))
        _ = try served.host.receiveCall()
        served.host.close()
        #expect(failed.wait() == .unavailable)
        #expect(served.end() == .hostGone)
    }

    @Test(
        "A violation of the protocol ends the session and is named",
        arguments: [
            ([0, 0, 0, 0], WireError.Code.frameEmpty),
            ([0xFF, 0xFF, 0xFF, 0xFF], .frameTooLong),
            ([0, 0, 0, 2, 0xFF, 0xFF], .invalidMessage),
            ([0, 0, 0, 2, 0x08, 9], .unknownKind),
            ([0, 0, 0, 4, 0x08, 9, 0x1A, 0], .unexpectedReply),
            ([0, 0, 0, 4, 0x08, 9, 0x22, 0], .unexpectedCancel),
            ([0, 0, 0, 7, 0x08, 1, 0x12, 3, 0xCA, 0x01, 0], .idNotIncreasing),
            ([0, 0, 0, 8, 0x08, 9, 0x12, 4, 0xA2, 0x06, 0, 0], .invalidMessage),
            ([0, 0, 0, 7, 0x08, 9, 0x12, 3, 0xA2, 0x06, 0], .wrongDirection),
            ([0, 0, 0, 7, 0x08, 9, 0x12, 3, 0x82, 0x01, 0], .secondHello),
        ] as [([UInt8], WireError.Code)])
    func violation(bytes: [UInt8], code: WireError.Code) throws {
        let served = try ServedConnector(Scripted())
        try served.host.send(raw: bytes)
        #expect(served.end() == .violation(WireError(code, "")))
    }

    @Test("A call before Hello ends the session")
    func callBeforeHello() throws {
        let served = try ServedConnector(Scripted(), hello: false)
        try served.host.start(.ping(Wire.PingRequest()))
        #expect(served.end() == .violation(WireError(.callBeforeHello, "")))
    }

    @Test("A connection that ends inside a frame is a violation")
    func truncated() throws {
        let served = try ServedConnector(Scripted())
        try served.host.send(raw: [0, 0, 0, 9, 0x08])
        served.host.close()
        #expect(served.end() == .violation(WireError(.frameTruncated, "")))
    }
}
