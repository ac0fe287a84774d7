import Foundation
import Glibc
import Testing
import TrstctlHost
import TrstctlTestSupport

/// A target's `proxy` with the built command and tinyproxy.
@Suite("A target's proxy with the built command", .ownThreads, .enabled(if: Tinyproxy.isExpected, "needs tinyproxy"))
struct ProxyTests {
    @Test("The request of an apply goes through the proxy to the server, and a plan asks neither")
    func through() async throws {
        let site = try ProxySite()
        let plan = try await site.command.run("plan", "--json")
        #expect(plan.code == 0 && site.proxy.requests == [], "\(plan)")
        let outcome = try await site.command.run("apply", "--json")
        #expect(outcome.code == 0, "\(outcome)")
        let report = try #require(try outcome.json(RunReport.self).targets.first)
        #expect(report.outcome == .deployed)
        #expect(report.changes.map(\.object) == ["POST \(site.url)", site.echo.live("one")])
        #expect(site.proxy.requests == [site.tunnel])
        let audit = try await site.command.run("audit", "--json")
        let records = try audit.json(AuditResult.self).records
        let request = try #require(records.last { $0.operation == "Request" })
        #expect(request.outcome == "allowed" && request.reason == "status 200, proxy 127.0.0.1:\(site.proxy.port)")
        for text in [outcome.description, audit.description] { #expect(!text.contains(ProxySite.password)) }
    }

    @Test("What a failed deployment had sent is named, and the commands for rollbacks run, for it may have had effects")
    func sent() async throws {
        var site = try ProxySite()
        let mark = site.command.scratch.file("mark")
        site.echo.manifest.targets[0].config.merge(
            ["fail": "true", "rollback": "[/usr/bin/touch, \(mark)]"], uniquingKeysWith: { $1 })
        site.echo.manifest.grants.append("process.exec: [[/usr/bin/touch, \(mark)]]")
        try site.command.write(manifest: site.echo.manifest.text)
        let outcome = try await site.command.run("apply", "--json")
        #expect(outcome.code == 1, "\(outcome)")
        let report = try #require(try outcome.json(RunReport.self).targets.first)
        #expect(report.outcome == .failed && report.rollback == .rolledBack, "\(report)")
        #expect(report.detail.contains("NOT UNDONE, because only the peer could: POST \(site.url)"), "\(report.detail)")
        #expect(report.detail.contains("ran: /usr/bin/touch \(mark)"), "\(report.detail)")
        #expect(access(mark, F_OK) == 0 && site.echo.files == [])
    }

    @Test("A CONNECT that the proxy refuses is an error that says so, and the request is not listed")
    func refused() async throws {
        let site = try ProxySite(isRefused: true)
        let outcome = try await site.command.run("apply", "--json")
        #expect(outcome.code == 1, "\(outcome)")
        let report = try #require(try outcome.json(RunReport.self).targets.first)
        #expect(report.outcome == .failed && report.stage == .apply && report.rollback == TargetReport.Rollback.none)
        #expect(report.changes == [])
        let text = report.summary + report.detail
        #expect(text.contains("localhost:\(site.server.port) was not reached through the target's proxy"), "\(text)")
        #expect(text.contains("does not connect to it (403)"), "\(text)")
        #expect(text.contains("see `proxy` of the target in the manifest, and the proxy's log"), "\(text)")
        #expect(site.proxy.requests == [site.tunnel] && site.echo.files == [])
    }
}
