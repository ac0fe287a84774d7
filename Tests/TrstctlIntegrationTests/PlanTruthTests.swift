import Testing
import TrstctlHost
import TrstctlTestSupport

/// What a plan lists is what the apply after it does: for every connector in this repository.
@Suite("Plans tell the truth", .ownThreads)
struct PlanTruthTests {
    @Test("The NGINX connector's plan is what its apply does", arguments: [false, true])
    func nginx(isCombined: Bool) async throws {
        var site = try await NGINXSite(isCombined: isCombined)
        try site.use(try site.command.pki.issue("www.example.com"))
        let changes = try await planAndApply(site.command)
        #expect(changes.map(\.kind) == Array(repeating: "replace", count: isCombined ? 1 : 2) + ["run", "run"])
    }

    @Test("The echo connector's plan is what its apply does")
    func echo() async throws {
        var site = try EchoSite()
        let other = site.live("other")
        site.manifest.targets[0].config.merge(
            ["write_path": other, "write_secret": "key", "run": "[/bin/true]"], uniquingKeysWith: { $1 })
        site.manifest.grants.append("process.exec: [[/bin/true]]")
        try site.command.write(manifest: site.manifest.text)
        let changes = try await planAndApply(site.command)
        #expect(changes.map(\.kind) == ["create", "run", "create"])
        #expect(changes.map(\.object) == [other, "[/bin/true]", site.live("one")])
    }

    @Test("With `layout: versioned`, before there is a link and with one", arguments: [false, true])
    func versionedNGINX(isCombined: Bool) async throws {
        var site = try await NGINXSite(isCombined: isCombined)
        site.manifest.targets[0].layout = "versioned"
        for round in 0..<2 {
            try site.use(try site.command.pki.issue("www\(round).example.com"))
            let changes = try await planAndApply(site.command)
            let files = Array(repeating: "replace", count: isCombined ? 1 : 2)
            #expect(changes.map(\.kind) == files + ["replace", "run", "run"])
            #expect(changes.dropFirst(files.count).first?.object == site.nginx.directory.file("tls"))
            try await site.nginx.waitForWorker()
        }
    }

    @Test("With `layout: versioned`, files that are written before a command and after it")
    func versionedEcho() async throws {
        var site = try EchoSite()
        let (directory, other) = (site.command.scratch.file("live"), site.live("other"))
        site.manifest.targets[0].layout = "versioned"
        site.manifest.targets[0].config.merge(
            ["write_path": other, "write_secret": "key", "run": "[/bin/true]"], uniquingKeysWith: { $1 })
        site.manifest.grants.append("process.exec: [[/bin/true]]")
        for round in 0..<2 {
            let credential = try site.command.pki.issue("www\(round).example.com")
            (site.manifest.certificate, site.manifest.key) = (credential.fullchainPath, credential.keyPath)
            try site.command.write(manifest: site.manifest.text)
            let changes = try await planAndApply(site.command)
            #expect(changes.map(\.object) == [other, directory, "[/bin/true]", site.live("one"), directory])
        }
    }

    @Test(
        "A request through a target's proxy", .enabled(if: Tinyproxy.isExpected, "needs tinyproxy"),
        arguments: [nil, "versioned"])
    func proxy(layout: String?) async throws {
        var site = try ProxySite()
        site.echo.manifest.targets[0].layout = layout
        try site.command.write(manifest: site.echo.manifest.text)
        let changes = try await planAndApply(site.command)
        let directory = layout.map { _ in [site.command.scratch.file("live")] } ?? []
        #expect(changes.map(\.object) == ["POST \(site.url)", site.echo.live("one")] + directory)
        // Not one of the plan.
        #expect(site.proxy.requests == [site.tunnel])
    }

    /// Plans and applies the only target.
    ///
    /// - Returns: the changes that were planned, after comparing them with what was done.
    private func planAndApply(_ command: TrstctlCommand) async throws -> [ChangeReport] {
        let planned = try await command.run("plan", "--json")
        #expect(planned.code == 0, "\(planned)")
        let plan = try #require(try planned.json(RunReport.self).targets.first)
        #expect(plan.outcome == .differs)

        let applied = try await command.run("apply", "--json")
        #expect(applied.code == 0, "\(applied)")
        let apply = try #require(try applied.json(RunReport.self).targets.first)
        #expect(apply.outcome == .deployed)
        // Digests, modes and owners before and after, in the same order.
        #expect(apply.changes == plan.changes)

        let audit = try await command.run("audit", "--json").json(AuditResult.self)
        let mutations = audit.records.filter { $0.outcome == "allowed" && isMutation($0) }
        #expect(mutations.filter { $0.scope == "Plan" } == [])
        // Earlier applies are in it as well.
        let done = mutations.filter { $0.scope == "Apply" && $0.run == audit.records.last?.run }
        #expect(done.map { $0.object } == plan.changes.map { $0.object })
        return plan.changes
    }

    private func isMutation(_ record: AuditRecord) -> Bool {
        !["ReadFile", "Stat", "ProbeTLS"].contains(record.operation)
    }
}
