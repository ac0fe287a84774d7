import Foundation
import Glibc
import Testing
import TrstctlHost
import TrstctlTestSupport

/// `layout: versioned` with a real NGINX and with the built command.
@Suite("Versioned directories with a real server", .ownThreads)
struct VersionedTests {
    private func site() async throws -> NGINXSite {
        var site = try await NGINXSite()
        site.manifest.targets[0].layout = "versioned"
        return site
    }

    private func link(_ site: NGINXSite) -> String? {
        try? FileManager.default.destinationOfSymbolicLink(atPath: site.nginx.directory.file("tls"))
    }

    private func versions(_ site: NGINXSite) -> [String] {
        let store = site.nginx.directory.file(".tls.trstctl")
        return ((try? FileManager.default.contentsOfDirectory(atPath: store)) ?? []).sorted()
    }

    @Test("The first deployment takes the directory over, the next ones replace the link, and what is live is served")
    func deploys() async throws {
        var site = try await site()
        #expect(link(site) == nil)
        for round in 0..<3 {
            let renewed = try site.command.pki.issue("www\(round).example.com")
            try site.use(renewed)
            let plan = try await site.command.run("plan", "--json").json(RunReport.self).targets.first
            let (outcome, report) = try await site.apply()
            #expect(outcome.code == 0, "\(outcome)")
            #expect(report.isProven && report.outcome == .deployed)
            #expect(report.changes == plan?.changes)
            let publication = try #require(report.changes.first { $0.object == site.nginx.directory.file("tls") })
            #expect(publication.before == (round == 0 ? "directory" : "link to a version"))
            #expect(try await site.nginx.served() == renewed.fingerprint)
            #expect(try FileStamp(site.nginx.key).mode & 0o777 == 0o600)
            #expect(link(site)?.hasPrefix(".tls.trstctl/") == true)
            #expect(versions(site).count == 2)
            let (again, second) = try await site.apply()
            #expect(again.code == 0 && second.outcome == .inSync && second.changes == [], "\(again)")
            #expect(versions(site).count == 2)
        }
    }

    @Test("A configuration that NGINX refuses: the link leads to the old version again", arguments: [false, true])
    func brokenConfiguration(isLink: Bool) async throws {
        var site = try await site()
        var live = site.first
        if isLink {
            live = try site.command.pki.issue("second.example.com")
            try site.use(live)
            #expect(try await site.apply().0.code == 0)
        }
        try site.use(try site.command.pki.issue("www.example.com"))
        try site.nginx.writeConfiguration(extra: "certificate_of_honour on;")
        let (before, to, workers) = (try site.stamps(), link(site), site.nginx.workers)
        let (outcome, report) = try await site.apply()
        #expect(outcome.code == 1 && report.rollback == .rolledBack, "\(outcome)")
        #expect(try site.stamps() == before)
        #expect(link(site) == to)
        #expect(versions(site).count == (isLink ? 2 : 0))
        #expect(site.nginx.workers == workers)
        #expect(try await site.nginx.served() == live.fingerprint)
        try site.nginx.writeConfiguration()
        #expect(try await site.apply().0.code == 0)
    }
}

/// The same with the command, a directory of a key and a certificate, and no server.
@Suite("Versioned directories with the built command", .ownThreads)
struct VersionedCommandTests {
    @Test(
        "Before the link changes, everything that it leads to is durable",
        arguments: [FaultSite.Layout.takenOver, .versioned])
    func order(_ layout: FaultSite.Layout) async throws {
        let site = try await FaultSite(layout: layout)
        try site.reset()
        let calls = try await site.calls(["apply"])
        let steps = calls.indices.filter { calls[$0].hasPrefix("renameat") && calls[$0].hasSuffix(" tls") }
        try #require(steps.count == 2, "\(calls)")
        var begin = 0
        for step in steps {
            let before = calls[begin..<step]
            // Each file that was made in the version, the version's directory, and the one that holds it.
            let made = before.indices.filter { before[$0].hasPrefix("create ") && !before[$0].contains("journal") }
            try #require(made.count == 3, "\(before)")
            for index in made {
                // One without a name is called by its number.
                let isNamed = before[index] != "create ."
                let call = isNamed ? before[index] : before[index...].first { $0.hasPrefix("write #") }
                let name = try #require(call?.split(separator: " ").last)
                #expect(before[index...].contains("fsync \(name)"), "\(before)")
            }
            let directory = try #require(before.last { $0.hasPrefix("mkdirat 2") }).dropFirst("mkdirat ".count)
            let last = try #require(before.lastIndex { $0.hasPrefix("renameat ") && !$0.hasSuffix("link") })
            #expect(before[last...].contains("fsync \(directory)"), "\(before)")
            #expect(before[last...].contains("fsync .tls.trstctl"), "\(before)")
            let journaled = try #require(before.lastIndex { $0 == "pwrite journal" })
            #expect(before[journaled...].contains("fdatasync journal"), "\(before)")
            // And nothing is made before the journal has it.
            let first = try #require(before.firstIndex { $0.hasPrefix("mkdirat 2") })
            #expect(before[..<first].last { $0.hasSuffix("journal") } == "fdatasync journal", "\(before)")
            begin = step + 1
        }
        // The link is durable before the commit is noted, and the commit before anything is removed.
        let rest = calls[begin...]
        let commit = try #require(rest.firstIndex(of: "pwrite journal"))
        #expect(rest[..<commit].contains("fsync live"), "\(rest)")
        #expect(rest[..<commit].allSatisfy { !$0.hasPrefix("unlinkat") }, "\(rest)")
    }

    @Test(
        "Two targets of one directory are refused, both named, and nothing is touched",
        arguments: ["plan", "apply"])
    func shared(_ command: String) async throws {
        var site = try EchoSite(["one", "two"])
        site.manifest.targets[1].layout = "versioned"
        try site.command.write(manifest: site.manifest.text)
        let outcome = try await site.command.run(command)
        #expect(outcome.code == 3, "\(outcome)")
        #expect(outcome.output.contains("the targets one and two both write in \(site.command.scratch.file("live"))"))
        #expect(site.files == [])
    }

    @Test("Files of several directories, and a link that somebody made, fail their target with what to do")
    func refused() async throws {
        var site = try EchoSite()
        site.manifest.targets[0].layout = "versioned"
        try site.command.scratch.makeDirectory("real")
        try FileManager.default.removeItem(atPath: site.command.scratch.file("live"))
        try #require(symlink("real", site.command.scratch.file("live")) == 0)
        try site.command.write(manifest: site.manifest.text)
        let outcome = try await site.command.run("apply")
        #expect(outcome.code == 1, "\(outcome)")
        #expect(outcome.output.contains("trstctl did not make") && outcome.output.contains("cp -aL"), "\(outcome)")
        site.manifest.targets[0].config["write_path"] = site.command.scratch.file("real/x")
        site.manifest.grants[1] =
            "fs.write: [\(site.command.scratch.file("live"))/, \(site.command.scratch.file("real"))/]"
        try site.command.write(manifest: site.manifest.text)
        let other = try await site.command.run("plan")
        #expect(other.code == 1 && other.output.contains("give the target's files one directory"), "\(other)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: site.command.scratch.file("real")) == [])
    }

    @Test(
        "A host that is not root says whose files keep it from making versions", .enabled(if: geteuid() == 0),
        arguments: ["live/other", "live"])
    func foreignFiles(_ name: String) async throws {
        var site = try EchoSite()
        let scratch = site.command.scratch
        site.manifest.targets[0].layout = "versioned"
        try scratch.write("other", to: "live/other", mode: 0o644)
        // Strict confinement takes more than users have everywhere.
        let text = site.manifest.text.replacing("    grants:\n", with: "    confinement: best-effort\n    grants:\n")
        try site.command.write(manifest: text)
        // The checkout may be closed to others.
        try FileManager.default.copyItem(atPath: BuiltProduct.path("trstctl"), toPath: scratch.file("trstctl"))
        for path in [scratch.path] + (FileManager.default.subpaths(atPath: scratch.path) ?? []).map(scratch.file) {
            try #require(lchown(path, 65_534, 65_534) == 0)
        }
        let words = [
            "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", scratch.file("trstctl"), "--manifest",
            site.command.manifest, "--state-dir", site.command.state, "--plugin-dir", site.command.plugins, "plan",
        ]
        let setpriv = try #require(Tool.path("setpriv"))
        let own = try await RunningCommand(setpriv, words, home: scratch.path).outcome()
        #expect(own.code == 0 && own.output.contains("1 differs"), "\(own)")
        try #require(chown(scratch.file(name), 12, 65_534) == 0 && chmod(scratch.file("live"), 0o777) == 0)
        let foreign = try await RunningCommand(setpriv, words, home: scratch.path).outcome()
        #expect(foreign.code == 1, "\(foreign)")
        #expect(foreign.output.contains("\(scratch.file(name)) belongs to user 12"), "\(foreign)")
        #expect(foreign.output.contains("may not give files away"), "\(foreign)")
    }

    @Test("A rollback names what somebody changed in the visible version, and where it is kept")
    func editedBeforeRollback() async throws {
        var site = try await FaultSite(layout: .versioned)
        let scratch = site.site.command.scratch
        try scratch.write("by hand\n", to: "added")
        // It copies one of the two, and fails.
        let command = "[/bin/cp, \(scratch.file("added")), \(scratch.file("absent")), \(site.site.live("tls"))]"
        site.site.manifest.targets[0].config["run"] = command
        site.site.manifest.grants.removeLast()
        site.site.manifest.grants.append("process.exec: [[/bin/true], \(command)]")
        try site.site.command.write(manifest: site.site.manifest.text)
        try site.reset()
        let outcome = try await site.site.command.run("apply", "--json")
        let report = try #require(try outcome.json(RunReport.self).targets.first)
        #expect(report.rollback == .rolledBack, "\(outcome)")
        let lines = outcome.output.split(separator: "\\n").filter { $0.contains("CHANGED BY SOMEBODY ELSE meanwhile") }
        #expect(lines.count == 1 && lines.first?.contains("was set aside in") == true, "\(outcome)")
        #expect(try site.live() == site.old)
        let store = site.site.live(".tls.trstctl")
        let kept = try FileManager.default.contentsOfDirectory(atPath: store).filter {
            FileManager.default.fileExists(atPath: "\(store)/\($0)/added")
        }
        let name = try #require(kept.first)
        #expect(kept.count == 1 && lines.first?.contains(name) == true, "\(outcome)")
    }

    @Test("A recovery names what somebody changed in the visible version, and makes the old one visible")
    func edited() async throws {
        let site = try await FaultSite(layout: .versioned)
        try site.reset()
        let calls = try await site.calls(["apply"])
        let commit = try #require(calls.lastIndex { $0 == "pwrite journal" }) + 1
        try site.reset()
        _ = try await site.run(["apply"], Fault(call: commit, name: "", action: .killBefore))
        try #require(try site.live() == site.new)
        try site.site.command.scratch.write("by hand\n", to: "live/tls/one")
        let plan = try await site.site.command.run("plan", "--json")
        #expect(try plan.json(RunReport.self).recoveries.map(\.outcome) == [.due])
        let outcome = try await site.site.command.run("recover", "--json")
        #expect(outcome.code == 1, "\(outcome)")
        let recovery = try #require(try outcome.json(RecoverReport.self).recoveries.first)
        #expect(recovery.outcome == .changedMeanwhile && recovery.setAside.count == 1, "\(recovery)")
        #expect(recovery.detail.contains("/one was set aside in") && recovery.detail.contains("ran: /bin/true"))
        #expect(recovery.summary.contains("1 file that somebody changed since was set aside"), "\(recovery)")
        #expect(!recovery.summary.contains("stay") && !recovery.detail.contains("NOT TOUCHED"), "\(recovery)")
        #expect(try site.live() == site.old)
        #expect(try await site.site.command.run("apply").code == 0)
        #expect(try site.live() == site.new)
    }
}
