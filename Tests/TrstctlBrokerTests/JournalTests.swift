import Glibc
import Testing
import TrstctlSystem
import TrstctlWire

@testable import TrstctlBroker
@testable import TrstctlPolicy

@Suite("The durable journal")
struct JournalTests {
    let directory: TestDirectory
    /// Where journals lie.
    let state: TestDirectory

    init() throws {
        directory = try TestDirectory()
        state = try TestDirectory()
    }

    private static let rollback = [
        RollbackCommand(argv: ["/bin/true", "x"], terms: [ExecTerms()]),
        RollbackCommand(
            argv: ["/bin/false"],
            terms: [ExecTerms(pins: SHA256Digest(bytes: [UInt8](repeating: 7, count: 32)).map { [$0] } ?? [])]),
    ]

    private static let probe: Probe? = (try? DialAddress("db.example.com:5432")).map {
        var probe = Probe(address: $0, serverName: try? DNSName("db.example.com"), timeout: 7)
        probe.startTLS = .postgres
        return probe
    }

    private func run() throws -> RunJournal {
        RunJournal(in: try state.reopened(), path: state.path)
    }

    private func deployment(_ run: RunJournal, _ target: String = "edge") -> DeploymentJournal {
        var header = DeploymentHeader(target: target, connector: "echo", digest: "d1", fingerprint: "f1")
        header.served = ["s1", "s2"]
        header.rollback = JournalTests.rollback
        header.probe = JournalTests.probe
        return DeploymentJournal(run, header)
    }

    private func scope(_ deployment: DeploymentJournal, limits: ScopeLimits = ScopeLimits()) throws -> BrokerScope {
        let grants = try GrantSet.parse(
            read: [directory.path + "/"], write: [directory.path + "/"], exec: [["/bin/true"]])
        return BrokerScope(rights: .mutating, grants: grants, limits: limits, deployment: deployment)
    }

    /// A recovery of the only journal there is, as the next start makes it.
    private func recovery() throws -> JournalRecovery {
        let name = try #require(try JournalRecovery.names(in: state.path).first)
        return try JournalRecovery(name, in: state.descriptor.raw, path: state.path)
    }

    @Test("A run that changes nothing makes no journal, and one that ends leaves none")
    func lazily() throws {
        let run = try run()
        let idle = deployment(run)
        try idle.end(.undone)
        #expect(try state.names() == [])
        let busy = deployment(run)
        let scope = try scope(busy)
        #expect(scope.write(directory["a"], "new").code == .ok)
        #expect(try state.names().count == 1)
        let name = try #require(try state.names().first)
        #expect(try state.mode(name) == 0o600)
        try scope.commit()
        _ = scope.close(commit: true)
        #expect(run.finish().isSettled)
        #expect(try state.names() == [])
        #expect(directory.content("a") == "new")
    }

    @Test("What a recovery finds is what the deployment was and did")
    func header() throws {
        let run = try run()
        let deployment = deployment(run)
        let scope = try scope(deployment)
        try directory.file("a", "old")
        _ = scope.write(directory["a"], "new")
        #expect(scope.exec(["/bin/true"]).code == .ok)
        let found = try recovery().deployments
        #expect(found.map(\.header.target) == ["edge"])
        #expect(found.first?.header.served == ["s1", "s2"])
        #expect(found.first?.header.rollback == JournalTests.rollback)
        #expect(JournalTests.probe?.startTLS == .postgres && found.first?.header.probe == JournalTests.probe)
        // On the terms of then: another program under that name does not run.
        let pinned = try #require(found.first?.header.rollback.last)
        let later = BrokerScope(rights: .mutating, grants: pinned.grants)
        #expect(later.exec(["/bin/false"]).code != .ok)
        #expect(later.exec(["/bin/true"]).code == .permissionDenied)
        #expect(found.first?.hasRun == true)
        #expect(found.first?.files.map(\.path.description) == [directory["a"]])
    }

    @Test(
        "A recovery knows that something was sent, and not of what nobody was connected for", arguments: [0, 1, 2, 3])
    func sent(_ number: Int) throws {
        let (isRequest, isListening) = (number & 1 == 1, number & 2 == 2)
        let server = try ScriptedServer("HTTP/1.1 204 No Content\r\n\r\n")
        let peer = isListening ? "127.0.0.1:\(server.port)" : "127.0.0.1:1"
        let grants = try GrantSet.parse(write: [directory.path + "/"], dial: [peer])
        let scope = BrokerScope(rights: .mutating, grants: grants, deployment: deployment(try run()))
        #expect(scope.write(directory["a"], "new").code == .ok)
        let reply =
            isRequest
            ? scope.perform(.request(Wire.HttpRequest(method: "POST", url: "http://\(peer)/")))
            : scope.perform(.send(Wire.SendRequest(address: peer, content: [.text("x")])))
        #expect((reply.code == .ok) == isListening, "\(reply.message)")
        #expect(try recovery().deployments.first?.hasRun == isListening)
    }

    @Test("Replaced, created and removed files are put back with mode and owner, whatever was done to them meanwhile")
    func putsBack() throws {
        try directory.file("a", "old a", mode: 0o640)
        try directory.file("b", "old b", mode: 0o604)
        try directory.file("c", "old c", mode: 0o600)
        if geteuid() == 0 { try #require(chown(directory["a"], 12, 34) == 0) }
        let owner = try directory.status("a").st_uid
        let run = try run()
        let scope = try scope(deployment(run))
        for text in ["new", "newer"] { #expect(scope.write(directory["a"], text, mode: 0o600).code == .ok) }
        #expect(scope.remove(directory["b"]).code == .ok)
        #expect(scope.write(directory["d"], "new").code == .ok)
        // Put back by the connector, and written once more.
        #expect(scope.write(directory["c"], "new").code == .ok)
        #expect(scope.revert([directory["c"]]).reverted == 1)
        #expect(scope.write(directory["c"], "newest").code == .ok)
        let recovery = try recovery()
        let deployment = try #require(recovery.deployments.first)
        let result = recovery.putBack(deployment)
        #expect(result.failures == [] && result.foreign == [])
        #expect(result.restored.map(\.description) == ["c", "d", "b", "a"].map { directory[$0] })
        #expect(try directory.names() == ["a", "b", "c"])
        #expect(directory.content("a") == "old a" && directory.content("b") == "old b")
        #expect(directory.content("c") == "old c")
        #expect(try directory.mode("a") == 0o640 && directory.mode("b") == 0o604)
        #expect(try directory.status("a").st_uid == owner)
        // Done again, it finds nothing to do.
        #expect(recovery.putBack(deployment) == RevertReport())
        try recovery.close(deployment, .undone)
        #expect(try self.recovery().deployments.isEmpty)
        try recovery.remove()
        #expect(try state.names() == [])
    }

    @Test("Temporary files that were left are removed, and nothing else that has such a name")
    func temporaries() throws {
        try directory.file("a", "old")
        let run = try run()
        _ = try scope(deployment(run)).write(directory["a"], "new")
        let recovery = try recovery()
        let deployment = try #require(recovery.deployments.first)
        let name = try #require(deployment.files.first?.temporaries.first?.text)
        try directory.file(name, "half")
        try directory.file(".trstctl-0123456789abcdef", "not ours")
        #expect(recovery.putBack(deployment).failures == [])
        #expect(try directory.names() == [".trstctl-0123456789abcdef", "a"])
        #expect(directory.content("a") == "old")
        // Also where nothing has to be put back.
        try directory.file(name, "half")
        #expect(recovery.putBack(deployment) == RevertReport())
        #expect(try directory.names() == [".trstctl-0123456789abcdef", "a"])
    }

    @Test("A file that is neither as it was nor as it was made stays, and one that only got another mode does not")
    func foreign() throws {
        for name in ["a", "b", "c"] { try directory.file(name, "old \(name)") }
        let run = try run()
        let scope = try scope(deployment(run))
        for name in ["a", "b", "c"] { _ = scope.write(directory[name], "new") }
        try directory.file("a", "by hand")
        try #require(chmod(directory["b"], 0o666) == 0)
        try #require(unlink(directory["c"]) == 0)
        let recovery = try recovery()
        let result = recovery.putBack(try #require(recovery.deployments.first))
        #expect(result.restored.map(\.description) == [directory["b"]])
        #expect(result.foreign.count == 2)
        #expect(directory.content("a") == "by hand" && directory.content("c") == nil)
        #expect(directory.content("b") == "old b")
        #expect(try directory.mode("b") == 0o644)
    }

    @Test("What somebody made of a file between two changes of one deployment is what a recovery puts back")
    func changedBetween() throws {
        try directory.file("a", "old")
        let scope = try scope(deployment(try run()))
        #expect(scope.write(directory["a"], "first").code == .ok)
        try directory.file("a", "by hand")
        #expect(scope.perform(.revert(Wire.RevertRequest())).status?.code == .aborted)
        #expect(scope.write(directory["a"], "second").code == .ok)
        let recovery = try recovery()
        let result = recovery.putBack(try #require(recovery.deployments.first))
        #expect(directory.content("a") == "by hand")
        #expect(result.failures == [] && result.foreign.count == 1)
    }

    @Test("A journal that is cut, or damaged, at any byte undoes what is whole in it")
    func torn() throws {
        try directory.file("a", "old a")
        try directory.file("b", "old b")
        let run = try run()
        let scope = try scope(deployment(run))
        _ = scope.write(directory["a"], "new")
        _ = scope.write(directory["b"], "new")
        let name = try #require(try state.names().first)
        let whole = try #require(TestDirectory.bytes(state[name]))
        let end = try #require(whole.lastIndex { $0 != 0 }) + 1
        var found: Set<Int> = []
        for cut in stride(from: 0, to: end, by: 1) {
            var bytes = Array(whole[..<cut])
            if cut % 2 == 1 { bytes = whole; bytes[cut] ^= 0x40 }
            try TestDirectory.write(bytes, to: state[name])
            guard let recovery = try? recovery() else {
                // The header is not one: somebody has to look.
                #expect(cut < JournalFormat.headerBytes)
                continue
            }
            let files = recovery.deployments.first?.files.count ?? 0
            found.insert(files)
            #expect(files < 2 || cut >= end)
        }
        #expect(found == [0, 1])
    }

    @Test("Records of another journal, or of another place, do not count")
    func replayed() throws {
        try directory.file("a", "old a")
        var journals: [[UInt8]] = []
        var name = ""
        for _ in 0..<2 {
            _ = try scope(deployment(try run())).write(directory["a"], "new")
            name = try #require(try state.names().first)
            journals.append(try #require(TestDirectory.bytes(state[name])))
            try #require(unlink(state[name]) == 0)
        }
        let header = Int(JournalFormat.headerBytes)
        try state.file(name, "", mode: 0o600)
        try TestDirectory.write(Array(journals[0][..<header] + journals[1][header...]), to: state[name])
        #expect(try recovery().deployments.isEmpty)
        try TestDirectory.write(journals[1], to: state[name])
        #expect(try recovery().deployments.count == 1)
        try TestDirectory.write(Array(journals[1][..<header] + [0] + journals[1][header...]), to: state[name])
        #expect(try recovery().deployments.isEmpty)
    }

    @Test("A journal that others could have written, or that is a link, is refused")
    func strangers() throws {
        let run = try run()
        _ = try scope(deployment(run)).write(directory["a"], "new")
        let name = try #require(try state.names().first)
        try #require(chmod(state[name], 0o644) == 0)
        #expect(throws: RecoveryError.self) { try recovery() }
        try #require(chmod(state[name], 0o600) == 0)
        try #require(rename(state[name], state["real"]) == 0)
        try state.link(name, to: state["real"])
        #expect(throws: RecoveryError.self) { try recovery() }
    }

    @Test("More journals than can be open at once are refused, before any is opened; other files do not count")
    func tooMany() throws {
        for number in 0...JournalRecovery.maximumJournals {
            try state.file("\(number)\(RunJournal.suffix)", "")
            try state.file("\(number).other", "")
        }
        let error = #expect(throws: RecoveryError.self) { try JournalRecovery.names(in: state.path) }
        #expect(error?.description.contains("more than 1024 journals in \(state.path)") == true)
        try #require(unlink(state["0\(RunJournal.suffix)"]) == 0)
        #expect(try JournalRecovery.names(in: state.path).count == JournalRecovery.maximumJournals)
    }

    @Test("A journal of a later version is refused, and the message says what to do")
    func later() throws {
        let run = try run()
        _ = try scope(deployment(run)).write(directory["a"], "new")
        let name = try #require(try state.names().first)
        var bytes = try #require(TestDirectory.bytes(state[name]))
        bytes[11] = 3
        try TestDirectory.write(bytes, to: state[name])
        #expect { try recovery() } throws: { "\($0)".contains("version 3") }
    }

    @Test("Two deployments of one run cannot change one file, by whatever path, until one is over")
    func claims() throws {
        try directory.directory("real")
        try directory.link("alias", to: directory["real"])
        let run = try run()
        let first = deployment(run, "first")
        let one = try scope(first)
        #expect(one.write(directory["real/a"], "one").code == .ok)
        let grants = try GrantSet.parse(write: [directory["alias/"]])
        let second = BrokerScope(rights: .mutating, grants: grants, deployment: deployment(run, "second"))
        let refused = second.write(directory["alias/a"], "two")
        #expect(refused.code != .ok)
        #expect(refused.message.contains("first") && refused.message.contains("second"), "\(refused.message)")
        #expect(directory.content("real/a") == "one")
        #expect(second.write(directory["alias/b"], "two").code == .ok)
        try one.commit()
        #expect(second.write(directory["alias/a"], "two").code == .ok)
        #expect(directory.content("real/a") == "two")
    }

    @Test("A run with an open deployment leaves its journal; the others in it are not undone")
    func leavesOpen() throws {
        let run = try run()
        let first = try scope(deployment(run, "first"))
        let second = try scope(deployment(run, "second"))
        _ = first.write(directory["a"], "new")
        _ = second.write(directory["b"], "new")
        try first.commit()
        #expect(run.finish().isSettled)
        let recovery = try recovery()
        #expect(recovery.deployments.map(\.header.target) == ["second"])
    }

    @Test("Many deployments at once share one journal, which grows, and each can be undone")
    func together() throws {
        let run = try run()
        let text = String(repeating: "x", count: 50_000)
        var threads: [TestThread] = []
        for index in 0..<8 {
            try directory.file("\(index)", "\(index) \(text)")
            let scope = try scope(deployment(run, "t\(index)"))
            let path = directory["\(index)"]
            threads.append(try TestThread { for round in 0..<10 { _ = scope.write(path, "\(round)") } })
        }
        for thread in threads { thread.join() }
        let recovery = try recovery()
        #expect(recovery.deployments.count == 8)
        for deployment in recovery.deployments { #expect(recovery.putBack(deployment).restored.count == 1) }
        for index in 0..<8 { #expect(directory.content("\(index)") == "\(index) \(text)") }
    }

    @Test("When there is no room to journal a change, it is not made", .enabled(if: geteuid() == 0, "needs root"))
    func full() throws {
        guard mount("none", state.path, "tmpfs", 0, "size=256k") == 0 else { return }
        defer { umount2(state.path, 2) }
        let run = try run()
        let scope = try scope(deployment(run))
        try directory.file("a", String(repeating: "x", count: 300_000))
        let reply = scope.write(directory["a"], "new")
        #expect(reply.code == .resourceExhausted)
        #expect(reply.message.contains("journal") && reply.status?.fix.contains("df -h") == true, "\(reply.message)")
        #expect(directory.content("a")?.utf8.count == 300_000)
        // What fits is still possible, and the end is too.
        #expect(scope.write(directory["b"], "new").code == .ok)
        try scope.commit()
    }

    @Test(
        "A recovery is brought to its end where there is no room any more", .enabled(if: geteuid() == 0, "needs root"))
    func fullRecovery() throws {
        guard mount("none", state.path, "tmpfs", 0, "size=256k") == 0 else { return }
        defer { umount2(state.path, 2) }
        try directory.file("a", "old")
        #expect(try scope(deployment(try run())).write(directory["a"], "new").code == .ok)
        let filler = open(state["filler"], O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        let zeros = [UInt8](repeating: 0, count: 4_096)
        while write(filler, zeros, zeros.count) > 0 {}
        #expect(errno == ENOSPC)
        close(filler)
        let mounted = try state.reopened()
        let name = try #require(try JournalRecovery.names(in: state.path).first)
        let recovery = try JournalRecovery(name, in: mounted.raw, path: state.path)
        let deployment = try #require(recovery.deployments.first)
        #expect(recovery.putBack(deployment).isComplete && directory.content("a") == "old")
        try recovery.close(deployment, .undone)
        #expect(try JournalRecovery(name, in: mounted.raw, path: state.path).deployments.isEmpty)
        try recovery.remove()
    }
}
