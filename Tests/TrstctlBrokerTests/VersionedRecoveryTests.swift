import Foundation
import Glibc
import Synchronization
import Testing
import TrstctlSystem
import TrstctlTestSupport
import TrstctlWire

@testable import TrstctlBroker
@testable import TrstctlPolicy

@Suite("Versioned directories: recovery and conflicts")
struct VersionedRecoveryTests {
    let site: VersionedSite

    init() throws { site = try VersionedSite() }

    /// A deployment that is left in the middle.
    private func interrupt(isVisible: Bool, _ run: RunJournal) throws -> BrokerScope {
        let scope = try site.scope(.mutating, run)
        #expect(scope.write(site["key"], "new key").code == .ok)
        #expect(scope.write(site["cert"], "new cert").code == .ok)
        #expect(scope.write(site["made"], "made").code == .ok)
        if isVisible { #expect(scope.exec(["/bin/true"]).code == .ok) }
        return scope
    }

    @Test("Whatever was visible, a recovery makes the directory what it was", arguments: [0, 1, 2, 3])
    func recovers(_ number: Int) throws {
        let (isLink, isVisible) = (number & 1 == 1, number & 2 == 2)
        if isLink { try site.deploy("first") }
        let before = try site.picture()
        let run = try site.run()
        _ = try interrupt(isVisible: isVisible, run)
        #expect(try site.picture() != before)
        let recovery = try site.recovery()
        let deployment = try #require(recovery.deployments.first)
        let result = recovery.putBack(deployment)
        #expect(result.failures == [] && result.foreign == [])
        let names = isVisible ? ["made", "cert", "key"] : []
        #expect(result.restored.map(\.description) == names.map { site[$0] })
        #expect(try site.picture() == before)
        // Done again, it finds nothing to do.
        #expect(recovery.putBack(deployment) == RevertReport())
        #expect(try site.picture() == before)
    }

    @Test(
        "What a connector made after it had put everything back is undone by a recovery as well",
        arguments: [0, 1, 2, 3])
    func beganAgain(_ number: Int) throws {
        let (isLink, isVisible) = (number & 1 == 1, number & 2 == 2)
        if isLink { try site.deploy("first") }
        let before = try site.picture()
        let run = try site.run()
        let scope = try interrupt(isVisible: true, run)
        #expect(scope.perform(.revert(Wire.RevertRequest())).code == .ok)
        #expect(try site.picture() == before)
        #expect(scope.write(site["key"], "newer key").code == .ok)
        if isVisible { #expect(scope.exec(["/bin/true"]).code == .ok) }
        let recovery = try site.recovery()
        let deployment = try #require(recovery.deployments.first)
        let result = recovery.putBack(deployment)
        #expect(result.failures == [] && result.foreign == [] && result.setAside == [], "\(result)")
        #expect(try site.picture() == before)
        #expect(recovery.putBack(deployment) == RevertReport())
    }

    @Test("A version that was removed is nobody's: another deployment may get its place on the disk")
    func removed() throws {
        try site.directory.directory("tls/api")
        let layout = try VersionedLayout([try PathGrant(site.directory["tls/api/"])])
        func other(_ run: RunJournal?) throws -> BrokerScope {
            let header = DeploymentHeader(target: "api", connector: "echo", digest: "d", fingerprint: "f")
            return BrokerScope(
                rights: .mutating, grants: try GrantSet.parse(write: [site.directory["tls/api/"]]),
                deployment: run.map { DeploymentJournal($0, header) }, layout: layout)
        }
        func deploy(_ scope: BrokerScope, _ text: String) throws {
            let reply = scope.write(site.directory["tls/api/key"], text)
            #expect(reply.code == .ok, "\(reply.message)")
            try scope.commit()
            #expect(scope.close(commit: true) == RevertReport())
        }
        try site.deploy("first")
        try deploy(try other(nil), "x")
        let run = try site.run()
        let first = try interrupt(isVisible: true, run)
        // As at the end of a deployment that failed: its commands and its probe come after this, so it is not over.
        #expect(first.close(commit: false).isComplete)
        // ext4, for one, gives the numbers of removed directories to the next ones.
        try deploy(try other(run), "y")
        // And wherever the numbers are others.
        let header = DeploymentHeader(target: "third", connector: "echo", digest: "d", fingerprint: "f")
        let (third, fourth) = (DeploymentJournal(run, header), DeploymentJournal(run, header))
        let directory = SharedDescriptor(try site.directory.reopened().release())
        try third.claim(directory, of: layout)
        #expect(throws: EffectError.self) { try fourth.claim(directory, of: layout) }
        let place = try DirectoryIdentity(directory.raw, layout.link)
        fourth.release([place])
        #expect(throws: EffectError.self) { try fourth.claim(directory, of: layout) }
        third.release([place])
        try fourth.claim(directory, of: layout)
    }

    @Test("The journal holds nothing of what the files were, since the version of before does")
    func holdsNoKey() throws {
        let run = try site.run()
        _ = try interrupt(isVisible: true, run)
        let name = try #require(try site.state.names().first)
        let bytes = try #require(TestDirectory.bytes(site.state[name]))
        for text in ["old key", "new key", "old cert"] {
            #expect(Data(bytes).range(of: Data(text.utf8)) == nil, "\(text)")
        }
    }

    @Test("A file that somebody changed in the visible version is named and kept, and the old version is visible again")
    func edited() throws {
        let run = try site.run()
        _ = try interrupt(isVisible: true, run)
        try site.directory.file("tls/www/cert", "by hand")
        try site.directory.file("tls/www/other", "by hand as well")
        try site.directory.file("tls/www/added", "by hand too")
        let version = try #require(site.directory.link("tls/www"))
        let recovery = try site.recovery()
        let result = recovery.putBack(try #require(recovery.deployments.first))
        #expect(result.failures == [])
        #expect(result.setAside.count == 3 && result.foreign == [], "\(result)")
        let kept = try #require(site.versions().first)
        // Under another name: the journal's is removed by whoever recovers next.
        #expect(!version.hasSuffix(kept) && site.versions() == [kept])
        let place = "was set aside in \(site.directory["tls/.www.trstctl/\(kept)"]); copy it back"
        #expect(result.setAside.allSatisfy { $0.contains(place) }, "\(result)")
        #expect(try site.live() == VersionedSite.old)
        #expect(site.directory.content("tls/.www.trstctl/\(kept)/cert") == "by hand")
        let again = try site.recovery()
        #expect(again.putBack(try #require(again.deployments.first)) == RevertReport())
        #expect(site.directory.content("tls/.www.trstctl/\(kept)/cert") == "by hand")
        // The next deployment does not need it.
        try site.deploy("next")
        #expect(site.directory.content("tls/.www.trstctl/\(kept)/cert") == nil)
    }

    @Test(
        "What somebody else made of the path is not touched",
        arguments: ["link", "other version", "directory", "nothing"])
    func foreign(kind: String) throws {
        try site.deploy("first")
        let run = try site.run()
        let older = try #require(site.versions().first { site.directory.link("tls/www")?.hasSuffix($0) == false })
        _ = try interrupt(isVisible: true, run)
        try #require(unlink(site.directory["tls/www"]) == 0)
        switch kind {
        case "link": try site.directory.link("tls/www", to: "elsewhere")
        case "other version": try site.directory.link("tls/www", to: ".www.trstctl/\(older)")
        case "directory": try site.directory.directory("tls/www")
        default: break
        }
        func look() -> [String] {
            var status = stat()
            return [
                site.directory.link("tls/www") ?? "", "\(lstat(site.directory["tls/www"], &status)) \(status.st_mode)",
            ]
        }
        let before = look()
        let recovery = try site.recovery()
        let result = recovery.putBack(try #require(recovery.deployments.first))
        #expect(result.failures == [] && result.foreign.count == 1, "\(result)")
        #expect(look() == before)
        // What stays is named, and where: the files of before, and keys that nobody would look for there.
        let isOurs = kind == "other version" || kind == "directory"
        let left = site.versions().filter { $0 != older }
        #expect(left.count == (isOurs ? 1 : 2))
        let text = try #require(result.onDisk.last)
        #expect(text.hasPrefix("\(site.directory["tls/.www.trstctl"]) keeps "), "\(text)")
        #expect(left.allSatisfy(text.contains), "\(text)")
        #expect(!text.contains(older) && text.contains("of this deployment, with its key") == !isOurs, "\(text)")
    }

    @Test("A directory that was taken over and then replaced by another one: both stay")
    func displaced() throws {
        let run = try site.run()
        _ = try interrupt(isVisible: true, run)
        try #require(unlink(site.directory["tls/www"]) == 0)
        try site.directory.directory("tls/www")
        let recovery = try site.recovery()
        let result = recovery.putBack(try #require(recovery.deployments.first))
        #expect(result.foreign.count == 1 && result.failures == [], "\(result)")
        #expect(try site.live() == [:])
        let kept = site.versions().compactMap { site.directory.content("tls/.www.trstctl/\($0)/key") }
        #expect(kept == ["old key"])
    }

    @Test("A version of before that is gone is a failure, and the link stays")
    func lost() throws {
        try site.deploy("first")
        let old = try #require(site.directory.link("tls/www"))
        let run = try site.run()
        _ = try interrupt(isVisible: true, run)
        try FileManager.default.removeItem(atPath: site.directory["tls/\(old)"])
        let recovery = try site.recovery()
        let result = recovery.putBack(try #require(recovery.deployments.first))
        #expect(result.failures.count == 1, "\(result)")
        #expect(try site.live()["key"] == "new key")
    }

    @Test("A journal of before there were versions is read")
    func formerJournal() throws {
        let run = try site.run()
        _ = try interrupt(isVisible: false, run)
        let name = try #require(try site.state.names().first)
        var bytes = try #require(TestDirectory.bytes(site.state[name]))
        let salt = Array(bytes[12..<12 + JournalFormat.saltBytes])
        bytes.replaceSubrange(0..<Int(JournalFormat.headerBytes), with: try #require(JournalFormat.header(salt, 1)))
        try TestDirectory.write(bytes, to: site.state[name])
        #expect(try site.recovery().deployments.count == 1)
    }

    @Test(
        "No second deployment of the run changes anything in the directory, by whatever path, until the first is over")
    func claims() throws {
        try site.deploy("first")
        try site.directory.link("alias", to: site.directory["tls"])
        let run = try site.run()
        let first = try interrupt(isVisible: false, run)
        func second(_ path: String, _ layout: VersionedLayout?) throws -> BrokerScope {
            let grants = try GrantSet.parse(write: [site.directory[path]])
            let header = DeploymentHeader(target: "second", connector: "echo", digest: "d", fingerprint: "f")
            return BrokerScope(
                rights: .mutating, grants: grants, deployment: DeploymentJournal(run, header), layout: layout)
        }
        let layout = try VersionedLayout([try PathGrant(site.directory["alias/www/"])])
        let old = try #require(site.directory.link("tls/www"))
        let attempts = [
            (try second("alias/www/", layout), "alias/www/x"), (try second("alias/www/", nil), "alias/www/x"),
            (try second("tls/\(old)/", nil), "tls/\(old)/x"),
        ]
        for (scope, path) in attempts {
            let reply = scope.write(site.directory[path], "x")
            #expect(reply.code == .aborted && reply.message.contains("the deployment to www"), "\(reply.message)")
        }
        #expect(first.exec(["/bin/true"]).code == .ok)
        for (scope, path) in attempts { #expect(scope.write(site.directory[path], "x").code == .aborted) }
        try first.commit()
        _ = first.close(commit: true)
        let later = try second("alias/www/", layout)
        #expect(later.write(site.directory["alias/www/x"], "x").code == .ok)
        try later.commit()
        _ = later.close(commit: true)
        // And the other way round.
        let plain = try second("alias/www/", nil)
        #expect(plain.write(site.directory["alias/www/y"], "y").code == .ok)
        let reply = try site.scope(.mutating, run).write(site["key"], "x")
        #expect(reply.code == .aborted && reply.message.contains("second"), "\(reply.message)")
    }

    @Test("Somebody who keeps exchanging the directory and the versions for links reaches nothing outside")
    func swapAttacker() throws {
        try site.deploy("first")
        let outside = try TestDirectory()
        try outside.directory("www")
        for name in ["key", "cert", "other"] { try outside.file("www/\(name)", "outside") }
        let before = try outside.picture()
        let (tls, target) = (site.directory["tls"], outside.path)
        let stop = Flag()
        let attacker = try TestThread {
            while !stop.isSet {
                for name in ["www", ".www.trstctl"] {
                    guard rename("\(tls)/\(name)", "\(tls)/aside") == 0 else { continue }
                    symlink("\(target)/www", "\(tls)/\(name)")
                    sched_yield()
                    unlink("\(tls)/\(name)")
                    rename("\(tls)/aside", "\(tls)/\(name)")
                }
            }
        }
        var successes = 0
        for round in 0..<soakCount("SWAPS", short: 300) {
            let scope = try site.scope()
            _ = scope.write(site["key"], "key \(round)")
            _ = scope.exec(["/bin/true"])
            if (try? scope.commit()) != nil {
                successes += 1
                _ = scope.close(commit: true)
            } else {
                _ = scope.close(commit: false)
            }
            if round % 2 == 0 { _ = try site.scope(.readOnly).read(site["key"]) }
        }
        stop.set()
        attacker.join()
        #expect(try outside.picture() == before)
        #expect(successes > 0)
    }
}

/// Something that one thread tells another.
private final class Flag: Sendable {
    private let value = Mutex(false)
    var isSet: Bool { value.withLock { $0 } }
    func set() { value.withLock { $0 = true } }
}
