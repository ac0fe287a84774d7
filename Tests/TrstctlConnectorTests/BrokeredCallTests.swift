import Testing
import TrstctlSystem
import TrstctlWire

@testable import TrstctlConnector

@Suite("Brokered calls of a connector")
struct BrokeredCallTests {
    /// Serves a connector that does this in its deployment, with the target `edge` configured.
    private func serve(
        limits: Wire.Limits? = nil, logLevel: Wire.LogRequest.Level = .debug,
        _ deploy: @escaping @Sendable (Deployment, borrowing Host) throws(ConnectorError) -> DeployOutcome
    ) throws -> ServedConnector {
        let served = try ServedConnector(Scripted(onDeploy: deploy), hello: false)
        try served.host.hello(limits: limits, logLevel: logLevel)
        try served.host.configure("edge", Scripted.config, secrets: ["token"])
        return served
    }

    @Test("Every operation arrives with its parameters, in the scope of the call")
    func operations() throws {
        let served = try serve { _, host throws(ConnectorError) in
            _ = try host.readFile("/a", maxBytes: 10)
            _ = try host.stat("/b", comparedTo: [.text("x"), .secret(.key, as: .pkcs8)])
            try host.writeFile(
                "/c", [.bytes([0, 255]), .pkcs12(password: .field("token"), profile: .legacyTripleDES)], mode: 0o640,
                owner: FileOwner(uid: 1, gid: 2))
            try host.removeFile("/d")
            try host.revert(paths: ["/c", "/d"])
            _ = try host.run(["/bin/x", "-y"], stdin: [.secret(.field("token"), as: .base64)], timeoutMilliseconds: 9)
            _ = try host.probeTLS(
                ProbeAddress(address: "h:1", serverName: "n", startTLS: .imap), timeoutMilliseconds: 7)
            _ = try host.request(
                HTTPRequest(
                    "POST", "https://h/x", headers: [("A", [.text("b"), .secret(.field("token"))])], body: [.text("c")],
                    tls: TLSOptions(authoritiesPath: "/ca", publicKeyPin: "00", serverName: "n"),
                    authentication: .basic(user: "u", password: .field("token")), timeoutMilliseconds: 5,
                    maxResponseBytes: 6, isRetrySafe: true))
            let answer = try host.send(
                [.text("x")], to: "unix:/s", until: [10], maxResponseBytes: 8, timeoutMilliseconds: 9)
            guard answer.text == "y" else { throw ConnectorError(.internal, "another answer") }
            return .changed("done")
        }
        let apply = try served.host.start(.apply("edge"))
        let expected: [(Wire.Call.Method, Wire.Reply.Result)] = [
            (.readFile(Wire.ReadFileRequest(path: "/a", maxBytes: 10)), .readFile(Wire.ReadFileResponse())),
            (
                .stat(
                    Wire.StatRequest(
                        path: "/b",
                        compareTo: [
                            Wire.Segment(kind: .literal("x")),
                            Wire.Segment(kind: .secret(Wire.SecretReference(name: "key", encoding: .pemPkcs8))),
                        ])), .stat(Wire.StatResponse())
            ),
            (
                .writeFile(
                    Wire.WriteFileRequest(
                        path: "/c",
                        content: [
                            Wire.Segment(kind: .literal([0, 255])),
                            Wire.Segment(
                                kind: .secret(
                                    Wire.SecretReference(
                                        name: "key", encoding: .pkcs12, pkcs12Profile: .legacy3des,
                                        passwordName: "token"))),
                        ], mode: 0o640, owner: Wire.FileOwner(uid: 1, gid: 2))), .writeFile(Wire.WriteFileResponse())
            ),
            (.removeFile(Wire.RemoveFileRequest(path: "/d")), .removeFile(Wire.RemoveFileResponse())),
            (.revert(Wire.RevertRequest(paths: ["/c", "/d"])), .revert(Wire.RevertResponse(reverted: 2))),
            (
                .exec(
                    Wire.ExecRequest(
                        arguments: ["/bin/x", "-y"],
                        stdin: [
                            Wire.Segment(kind: .secret(Wire.SecretReference(name: "token", encoding: .base64)))
                        ], timeoutMilliseconds: 9)), .exec(Wire.ExecResponse(outcome: .exited))
            ),
            (
                .probeTls(
                    Wire.ProbeTlsRequest(
                        address: "h:1", serverName: "n", startTls: .imap, timeoutMilliseconds: 7)),
                .probeTls(Wire.ProbeTlsResponse())
            ),
            (
                .request(
                    Wire.HttpRequest(
                        method: "POST", url: "https://h/x",
                        headers: [
                            Wire.HttpHeader(
                                name: "A",
                                value: [
                                    Wire.Segment(kind: .literal("b")),
                                    Wire.Segment(kind: .secret(Wire.SecretReference(name: "token"))),
                                ])
                        ], body: [Wire.Segment(kind: .literal("c"))], timeoutMilliseconds: 5, maxResponseBytes: 6,
                        tls: Wire.TlsOptions(authoritiesPath: "/ca", publicKeyPin: "00", serverName: "n"),
                        authentication: Wire.HttpAuthentication(scheme: .basic, identity: "u", secretName: "token"),
                        retrySafe: true)), .request(Wire.HttpResponse(status: 200))
            ),
            (
                .send(
                    Wire.SendRequest(
                        address: "unix:/s", content: [Wire.Segment(kind: .literal("x"))], readUntil: [10],
                        maxResponseBytes: 8, timeoutMilliseconds: 9)), .send(Wire.SendResponse(content: "y"))
            ),
        ]
        for (index, (method, result)) in expected.enumerated() {
            let frame = try served.host.receive()
            #expect(frame.id == UInt32(index + 1))
            #expect(
                frame.kind
                    == .call(Wire.Call(scopeToken: "0123456789abcdef", scopeCall: apply, method: method)))
            try served.host.reply(frame.id, result)
        }
        #expect(
            try served.host.receiveReply(apply).result
                == .apply(Wire.ApplyResponse(changed: true, summary: "done")))
    }

    @Test("A refusal keeps the host's message, detail and fix on its way back")
    func refusal() throws {
        let served = try serve { _, host throws(ConnectorError) in
            try host.writeFile("/f", [.text("x")])
            return .changed("")
        }
        let apply = try served.host.start(.apply("edge"))
        let denial = Wire.Status(
            code: .permissionDenied, message: "no grant", detail: "looked at 3", retryable: true, fix: "fs.write: [/f]")
        try served.host.reply(try served.host.receiveCall().id, denial)
        #expect(try served.host.receiveReply(apply).status == denial)
    }

    @Test("A status code from a later version is UNKNOWN")
    func unknownCode() throws {
        let served = try serve { _, host throws(ConnectorError) in
            _ = try host.readFile("/f")
            return .changed("")
        }
        let apply = try served.host.start(.apply("edge"))
        let status = Wire.Status(code: .unrecognized(99), message: "m")
        try served.host.reply(try served.host.receiveCall().id, status)
        #expect(try served.host.receiveReply(apply).status == Wire.Status(code: .unknown, message: "m"))
    }

    @Test("What is not there is nil or false, not an error")
    func notFound() throws {
        let served = try serve { _, host throws(ConnectorError) in
            let content = try host.readFile("/f")
            let status = try host.stat("/f")
            let removed = try host.removeFile("/f")
            return .unchanged("\(content == nil) \(status == nil) \(removed)")
        }
        let apply = try served.host.start(.apply("edge"))
        for _ in 0..<3 {
            try served.host.reply(try served.host.receiveCall().id, Wire.Status(code: .notFound))
        }
        #expect(
            try served.host.receiveReply(apply).result
                == .apply(Wire.ApplyResponse(changed: false, summary: "true true false")))
    }

    @Test("Answers arrive whole: content, status, exit, certificates")
    func answers() throws {
        let served = try serve { _, host throws(ConnectorError) in
            let content = try host.readFile("/f")
            let result = try host.run(["/x"])
            let peer = try host.probeTLS(ProbeAddress(address: "h:1"))
            let found = [
                "\(content?.bytes ?? []) \(content?.status.mode ?? 0) \(content?.status.size ?? 0)",
                "\(result.outcome) \(result.output) \(result.isSuccess)",
                "\(peer.fingerprint?.hexadecimal ?? "") \(peer.count) \(peer.version) \(peer.subject)",
            ]
            return .unchanged(found.joined(separator: "|"))
        }
        let apply = try served.host.start(.apply("edge"))
        try served.host.reply(
            try served.host.receiveCall().id,
            .readFile(Wire.ReadFileResponse(content: [1, 2], info: Wire.FileInfo(mode: 0o644, size: 2))))
        try served.host.reply(
            try served.host.receiveCall().id,
            .exec(Wire.ExecResponse(outcome: .signalled, status: 9, stdout: "out", stderr: "err\n")))
        let leaf = Wire.ServedCertificate(fingerprint: Wire.Deployment.fingerprint, subject: "CN=x")
        try served.host.reply(
            try served.host.receiveCall().id,
            .probeTls(Wire.ProbeTlsResponse(certificates: [leaf, leaf], protocol: "TLSv1.3")))
        guard case .apply(let response) = try served.host.receiveReply(apply).result else {
            Issue.record("no response")
            return
        }
        #expect(
            response.summary
                == "[1, 2] 420 2|signalled(9) err\nout false|\(Wire.Deployment.fingerprint) 2 TLSv1.3 CN=x")
    }

    @Test("An answer with another method's result ends the session")
    func wrongResult() throws {
        let served = try serve { _, host throws(ConnectorError) in
            _ = try host.readFile("/f")
            return .changed("")
        }
        try served.host.start(.apply("edge"))
        try served.host.reply(try served.host.receiveCall().id, .stat(Wire.StatResponse()))
        #expect(served.end() == .violation(WireError(.wrongResult, "")))
    }

    @Test("A request that is longer than the host accepts is not sent")
    func tooLong() throws {
        let served = try serve(limits: Wire.Limits(maxFrameBytes: 65_536)) { _, host throws(ConnectorError) in
            do throws(ConnectorError) {
                try host.writeFile("/f", [.bytes([UInt8](repeating: 1, count: 70_000))])
            } catch {
                _ = try host.stat("/f")
                throw error
            }
            return .changed("")
        }
        let apply = try served.host.start(.apply("edge"))
        let (id, call) = try served.host.receiveCall()
        #expect(call.method?.fieldNumber == 103)
        try served.host.reply(id, .stat(Wire.StatResponse()))
        #expect(try served.host.receiveReply(apply).status?.code == .resourceExhausted)
    }

    @Test("Log lines are not waited for")
    func log() throws {
        let served = try serve { _, host throws(ConnectorError) in
            host.log(.warning, "one")
            host.progress("half", percent: 200)
            return .unchanged("")
        }
        let apply = try served.host.start(.apply("edge"))
        let kinds = try (0..<3).map { _ in try served.host.receive() }
        #expect(
            kinds[0].kind
                == .call(
                    Wire.Call(
                        scopeToken: "0123456789abcdef", scopeCall: apply,
                        method: .log(Wire.LogRequest(level: .warning, message: "one")))))
        guard case .call(let progress) = kinds[1].kind, case .reply = kinds[2].kind else {
            Issue.record("\(kinds)")
            return
        }
        #expect(progress.method == .progress(Wire.ProgressRequest(message: "half", percent: 100)))
        // The answers may come at any time, also after the call.
        try served.host.reply(2, .progress(Wire.ProgressResponse()))
        try served.host.reply(1, Wire.Status(code: .internal))
        #expect(try served.host.call(.ping(Wire.PingRequest())).status?.code == .ok)
    }

    @Test("Lines that the host does not show are neither sent nor made")
    func logLevel() throws {
        let served = try serve(logLevel: .warning) { _, host throws(ConnectorError) in
            func unwanted() -> String {
                Issue.record("made for nobody")
                return ""
            }
            host.log(.debug, unwanted())
            host.log(.info, unwanted())
            host.progress(unwanted())
            host.log(.error, "shown")
            return .unchanged("")
        }
        let apply = try served.host.start(.apply("edge"))
        guard case .call(let call) = try served.host.receive().kind else { throw RawHost.Failure.unexpected("a reply") }
        #expect(call.method == .log(Wire.LogRequest(level: .error, message: "shown")))
        #expect(try served.host.receiveReply(apply).status?.code == .ok)
    }

    @Test("The host's window is kept: with room for one call, the next waits for the reply")
    func window() throws {
        let served = try serve(limits: Wire.Limits(maxCalls: 1)) { _, host throws(ConnectorError) in
            host.log(.info, "first")
            host.log(.info, "second")
            return .unchanged("")
        }
        let apply = try served.host.start(.apply("edge"))
        #expect(try served.host.receive().id == 1)
        // A call of ours comes through although the connector waits; nothing else has come before its answer.
        #expect(try served.host.call(.ping(Wire.PingRequest())).status?.code == .ok)
        try served.host.reply(1, .log(Wire.LogResponse()))
        #expect(try served.host.receive().id == 2)
        #expect(try served.host.receiveReply(apply).status?.code == .ok)
    }

    @Test("Ping is answered while a call waits for the host")
    func pingInCall() throws {
        let served = try serve { _, host throws(ConnectorError) in
            _ = try host.stat("/f")
            return .unchanged("")
        }
        let apply = try served.host.start(.apply("edge"))
        let call = try served.host.receiveCall()
        #expect(try served.host.call(.ping(Wire.PingRequest(payload: "p"))).status?.code == .ok)
        try served.host.reply(call.id, .stat(Wire.StatResponse()))
        #expect(try served.host.receiveReply(apply).status?.code == .ok)
    }
}

@Suite("Cancellation of a connector's calls")
struct CancellationTests {
    @Test("Cancel wakes a sleeping call")
    func sleeping() throws {
        let served = try ServedConnector(
            Scripted(onDeploy: { _, host throws(ConnectorError) in
                try host.sleep(milliseconds: 600_000)
                return .unchanged("")
            }))
        try served.host.configure("edge", Scripted.config, secrets: ["token"])
        let apply = try served.host.start(.apply("edge"))
        try served.host.send(Wire.Frame(id: apply, kind: .cancel(Wire.Cancel())))
        #expect(try served.host.receiveReply(apply).status?.code == .cancelled)
    }

    @Test("A computing call sees the cancellation when it asks")
    func computing() throws {
        let started = Handover<Bool>()
        let served = try ServedConnector(
            Scripted(onDeploy: { _, host throws(ConnectorError) in
                started.fill(true)
                while !host.isCancelled {}
                throw ConnectorError(.cancelled, "seen")
            }))
        try served.host.configure("edge", Scripted.config, secrets: ["token"])
        let apply = try served.host.start(.apply("edge"))
        #expect(started.wait() == true)
        try served.host.send(Wire.Frame(id: apply, kind: .cancel(Wire.Cancel())))
        #expect(try served.host.receiveReply(apply).status?.message == "seen")
    }

    @Test("The deadline of a call ends its sleep")
    func deadline() throws {
        let served = try ServedConnector(
            Scripted(onDeploy: { _, host throws(ConnectorError) in
                try host.sleep(milliseconds: 600_000)
                return .unchanged("")
            }))
        try served.host.configure("edge", Scripted.config, secrets: ["token"])
        let apply = try served.host.start(.apply("edge"), timeout: 5)
        #expect(try served.host.receiveReply(apply).status?.code == .deadlineExceeded)
    }

    @Test("A cancellation that crossed the reply is ignored")
    func crossing() throws {
        let served = try ServedConnector(Scripted())
        try served.host.configure("edge", Scripted.config, secrets: ["token"])
        let apply = try served.host.start(.apply("edge"))
        #expect(try served.host.receiveReply(apply).status?.code == .ok)
        try served.host.send(Wire.Frame(id: apply, kind: .cancel(Wire.Cancel())))
        #expect(try served.host.call(.ping(Wire.PingRequest())).status?.code == .ok)
    }
}
