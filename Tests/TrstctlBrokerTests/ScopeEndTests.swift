import Dispatch
import Foundation
import Glibc
import Testing
import TrstctlSystem
import TrstctlWire

@testable import TrstctlBroker
@testable import TrstctlPolicy

/// What a scope knows, and still permits, when a deployment ends.
@Suite("The end of scopes")
struct ScopeEndTests {
    let directory: TestDirectory

    init() throws {
        directory = try TestDirectory()
    }

    private func open(_ limits: ScopeLimits = ScopeLimits()) throws -> BrokerScope {
        try scope(
            .mutating, below: [directory.path], exec: [["/bin/true"], ["/bin/sleep", "600"]], limits: limits)
    }

    @Test("However much was asked before, what changes something is on record, in the report and in the audit")
    func recordsMutations() throws {
        try directory.file("a", "old")
        let scope = try open()
        for _ in 0..<1_100 { #expect(scope.stat(directory["a"]).code == .ok) }
        #expect(scope.write(directory["a"], "new").code == .ok)
        #expect(scope.exec(["/bin/true"]).code == .ok)
        #expect(scope.records.suffix(2).map(\.operation) == ["WriteFile", "Exec"])
        #expect(scope.records.count == 1_002 && scope.recordsDropped == 100)
        #expect(scope.commandsStarted == ["[/bin/true]"])
        _ = scope.close(commit: false)
    }

    @Test("What could not be recorded is not done")
    func refusesUnrecorded() throws {
        var limits = ScopeLimits()
        limits.mutations = 2
        let scope = try open(limits)
        #expect(scope.write(directory["a"], "1").code == .ok)
        #expect(scope.write(directory["a"], "2").code == .ok)
        #expect(scope.write(directory["a"], "3").code == .resourceExhausted)
        #expect(directory.content("a") == "2")
        _ = scope.close(commit: false)
    }

    @Test("A command that runs when the scope is sealed is ended, counts as started, and the seal says so")
    func sealEndsCommands() throws {
        let scope = try open()
        let ended = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            #expect(scope.exec(["/bin/sleep", "600"]).code == .failedPrecondition)
            ended.signal()
        }
        while scope.commandsStarted.isEmpty { sched_yield() }
        #expect(!scope.seal())
        ended.wait()
        #expect(scope.commandsStarted.count == 1)
        #expect(scope.records.first?.isMutation == true && scope.records.first?.outcome == .failed)
        #expect(scope.seal(), "nothing runs any more")
        _ = scope.close(commit: false)
    }

    @Test("A write that was decided before the seal and comes to the file after it writes nothing")
    func sealEndsWrites() throws {
        try directory.file("a", "old")
        let scope = try open()
        let decision = authorize(
            .writeFile(try AbsolutePath(directory["a"])), effective: try GrantSet.parse(write: [directory.path + "/"]),
            scope: .mutating)
        guard case .allowed(.file(let ticket)) = decision else {
            Issue.record("\(decision)")
            return
        }
        #expect(scope.seal())
        let request = Wire.WriteFileRequest(
            path: Bytes(directory["a"]), content: [Wire.Segment(kind: .literal(Bytes("new")))])
        let error = #expect(throws: EffectError.self) { _ = try scope.writeFile(ticket, request, Patience(.never, Interruption())) }
        #expect(error?.code == .scopeOver)
        #expect(directory.content("a") == "old")
        _ = scope.close(commit: true)
    }

    @Test("What a connector's own revert leaves, because somebody changed it, fails it and is named at the end")
    func revertNames() throws {
        try directory.file("a", "old")
        try directory.file("b", "old")
        let scope = try open()
        #expect(scope.write(directory["a"], "new").code == .ok)
        #expect(scope.write(directory["b"], "new").code == .ok)
        try directory.file("a", "by hand")
        #expect(scope.perform(.revert(Wire.RevertRequest())).status?.code == .aborted)
        #expect(directory.content("a") == "by hand" && directory.content("b") == "old")
        let report = scope.close(commit: true)
        #expect(report.foreign.count == 1 && report.foreign.first?.hasPrefix(directory["a"]) == true)
    }
}
