import Glibc
import Testing
import TrstctlWire

@testable import TrstctlBroker
@testable import TrstctlPolicy

@Suite("Versioned directories: what somebody else changes meanwhile")
struct VersionedEditTests {
    let site: VersionedSite

    init() throws { site = try VersionedSite() }

    private static let edits = ["content", "replaced", "added", "removed", "mode"]

    /// What somebody does to the directory; returns the name of the file.
    private func edit(_ kind: String) throws -> String {
        switch kind {
        case "content": try site.directory.file("tls/www/other", "by hand", mode: 0o444)
        case "replaced":
            try site.directory.file("aside", "other", mode: 0o444)
            try #require(rename(site.directory["aside"], site["other"]) == 0)
        case "added":
            try site.directory.file("tls/www/added", "by hand")
            return "added"
        case "removed": try #require(unlink(site["other"]) == 0)
        default: try #require(chmod(site["other"], 0o400) == 0)
        }
        return "other"
    }

    /// The version that a report names.
    private func version(in text: String?) throws -> String {
        let store = site.directory["tls/.www.trstctl/"]
        let rest = try #require(text?.split(separator: " ").first { $0.hasPrefix(store) })
        return "tls/.www.trstctl/" + rest.dropFirst(store.count).prefix { $0 != ";" }
    }

    @Test("What is changed between the copy and its becoming visible is not lost", arguments: edits, [false, true])
    func beforePublication(kind: String, isLink: Bool) throws {
        if isLink { try site.deploy("first") }
        let scope = try site.scope()
        #expect(scope.write(site["key"], "new key").code == .ok)
        let name = try edit(kind)
        let (edited, other) = (try site.live(), kind == "removed" ? nil : try site.directory.mode("tls/www/\(name)"))
        #expect(scope.write(site["cert"], "new cert").code == .ok)
        // However often it is tried.
        for _ in 0..<2 {
            let reply = scope.exec(["/bin/true"])
            #expect(reply.code == .aborted && reply.message.contains(": \(name);"), "\(reply.message)")
            #expect(reply.status?.fix.contains("trstctl apply") == true)
        }
        #expect(throws: EffectError.self) { try scope.commit() }
        #expect(try site.live() == edited)
        #expect(scope.close(commit: false).failures == [])
        #expect(try site.live() == edited)
        if let other { #expect(try site.directory.mode("tls/www/\(name)") == other) }
        #expect(site.versions().count == (isLink ? 2 : 0))
        // The next deployment begins with it.
        try site.deploy("next")
        #expect(try site.live()["other"] == edited["other"] && site.live()["added"] == edited["added"])
    }

    @Test("The same of a second version, and after the connector put everything back it may try again")
    func secondVersion() throws {
        let scope = try site.scope()
        #expect(scope.write(site["key"], "new key").code == .ok)
        #expect(scope.exec(["/bin/true"]).code == .ok)
        #expect(scope.write(site["cert"], "new cert").code == .ok)
        _ = try edit("content")
        #expect(scope.exec(["/bin/true"]).code == .aborted)
        #expect(try site.live()["other"] == "by hand")
        #expect(scope.revert().code == .ok)
        #expect(try site.live() == VersionedSite.old)
        #expect(scope.write(site["key"], "newer key").code == .ok)
        try scope.commit()
        let report = scope.close(commit: true)
        #expect(try site.live() == ["cert": "old cert", "key": "newer key", "other": "other"])
        // What was set aside in the middle is named at the end, and there.
        #expect(report.setAside.count == 1 && report.leftovers == [], "\(report)")
        #expect(site.directory.content("\(try version(in: report.setAside.first))/other") == "by hand")
    }

    @Test("What is changed in the visible version is named and kept when the deployment is undone", arguments: [1, 2])
    func rollback(visible: Int) throws {
        let run = try site.run()
        let scope = try site.scope(.mutating, run)
        #expect(scope.write(site["key"], "new key").code == .ok)
        #expect(scope.exec(["/bin/true"]).code == .ok)
        for kind in ["content", "added"] { _ = try edit(kind) }
        try site.directory.directory("tls/www/made")
        try #require(rmdir(site["made"]) == 0)
        // Also when the next version has it too, as if it were the deployment's.
        if visible == 2 {
            #expect(scope.write(site["cert"], "new cert").code == .ok)
            #expect(scope.exec(["/bin/true"]).code == .ok)
        }
        let deployment = try #require(try site.recovery().deployments.first)
        let report = scope.close(commit: false)
        #expect(report.failures == [])
        #expect(try site.live() == VersionedSite.old)
        #expect(report.setAside.count == 2, "\(report)")
        for (text, name) in zip(report.setAside, ["added", "other"]) {
            #expect(
                text.hasPrefix("\(site[name]) was set aside in") && text.contains("before the next apply"), "\(text)")
            #expect(site.directory.content("\(try version(in: text))/\(name)") == "by hand")
        }
        // The journal may stay, when the server does not come back: what was set aside does too.
        let result = try site.recovery().putBack(deployment)
        #expect(result == RevertReport())
        let kept = try version(in: report.setAside.first)
        #expect(site.directory.content("\(kept)/other") == "by hand")
        try site.deploy("next")
        #expect(site.directory.content("\(kept)/other") == nil)
        #expect(site.versions().count == 2)
    }

    @Test("What the connector's own revert set aside is named once, also when the rest is undone at the end")
    func namedOnce() throws {
        let scope = try site.scope()
        #expect(scope.write(site["key"], "new key").code == .ok)
        #expect(scope.exec(["/bin/true"]).code == .ok)
        _ = try edit("content")
        #expect(scope.revert().code == .ok)
        #expect(scope.write(site["key"], "newer key").code == .ok)
        let report = scope.close(commit: false)
        #expect(try site.live() == VersionedSite.old)
        #expect(report.setAside.count == 1, "\(report)")
    }

    @Test("A directory that somebody makes in the visible version does not keep the deployment from being undone")
    func madeDirectory() throws {
        let scope = try site.scope()
        #expect(scope.write(site["key"], "new key").code == .ok)
        #expect(scope.exec(["/bin/true"]).code == .ok)
        try site.directory.directory("tls/www/made")
        let report = scope.close(commit: false)
        #expect(report.failures == [] && report.setAside.count == 1, "\(report)")
        #expect(try site.live() == VersionedSite.old)
    }

    @Test("When undoing it fails after a version was set aside, the next attempt names it still and ends the work")
    func triedAgain() throws {
        let before = try site.live()
        let scope = try site.scope()
        #expect(scope.write(site["key"], "new key").code == .ok)
        #expect(scope.exec(["/bin/true"]).code == .ok)
        _ = try edit("content")
        #expect(scope.write(site["cert"], "new cert").code == .ok)
        let live = try #require(site.directory.link("tls/www"))
        let staged = try #require(
            site.versions().first { name in
                site.directory.content("tls/.www.trstctl/\(name)/cert") == "new cert" && !live.hasSuffix(name)
            })
        let obstacle = "tls/.www.trstctl/\(staged)/made"
        try site.directory.directory(obstacle)
        #expect(scope.revertAll().failures.count == 1)
        try #require(rmdir(site.directory[obstacle]) == 0)
        let report = scope.close(commit: false)
        #expect(report.failures == [] && report.setAside.count == 1, "\(report)")
        #expect(try site.live() == before)
        #expect(site.versions().count == 1)
    }

    @Test("Another mode alone is no change that a rollback keeps")
    func mode() throws {
        let before = try site.picture()
        let scope = try site.scope()
        #expect(scope.write(site["key"], "new key").code == .ok)
        #expect(scope.exec(["/bin/true"]).code == .ok)
        _ = try edit("mode")
        let report = scope.close(commit: false)
        #expect(report.failures == [] && report.setAside == [], "\(report)")
        #expect(try site.picture() == before)
    }
}
