import Foundation
import Glibc
import Testing
import TrstctlHost
import TrstctlTestSupport

/// The whole way to a real NGINX: command, pinned and confined connector, broker, reload, proof by handshake.
@Suite("Deployments to a real NGINX", .ownThreads)
struct NGINXTests {
    @Test(
        "A renewed certificate is served; the second apply writes nothing and reloads nothing",
        arguments: [false, true])
    func deploys(_ isCombined: Bool) async throws {
        var site = try await NGINXSite(isCombined: isCombined)
        let renewed = try site.command.pki.issue("www.example.com")
        try site.use(renewed)

        let plan = try await site.command.run("plan", "--detailed-exitcode")
        #expect(plan.code == 4, "\(plan)")
        #expect(try await site.nginx.served() == site.first.fingerprint)

        let (outcome, report) = try await site.apply()
        #expect(outcome.code == 0, "\(outcome)")
        #expect(report.outcome == .deployed)
        #expect(report.liveFingerprint == site.first.fingerprint)
        #expect(report.fingerprint == renewed.fingerprint)
        #expect(report.isProven)
        #expect(try await site.nginx.served() == renewed.fingerprint)
        #expect(try FileStamp(site.nginx.key).mode & 0o777 == 0o600)
        if !isCombined { #expect(try FileStamp(site.nginx.certificate).mode & 0o777 == 0o640) }

        let (stamps, workers) = (try site.stamps(), site.nginx.workers)
        let (again, second) = try await site.apply()
        #expect(again.code == 0, "\(again)")
        #expect(second.outcome == .inSync)
        #expect(second.changes == [])
        #expect(try site.stamps() == stamps)
        #expect(site.nginx.workers == workers)
        #expect(try await site.command.run("plan", "--detailed-exitcode").code == 0)
    }

    @Test("A key of another certificate is refused before anything is touched")
    func mismatchedKey() async throws {
        var site = try await NGINXSite()
        try site.use(try site.command.pki.issue("www.example.com"))
        site.manifest.key = try site.command.pki.issue("other.example.com").keyPath
        try site.command.write(manifest: site.manifest.text)
        let (stamps, workers) = (try site.stamps(), site.nginx.workers)
        let (outcome, report) = try await site.apply()
        #expect(outcome.code == 1, "\(outcome)")
        #expect(report.stage == .credential)
        #expect(try site.stamps() == stamps)
        #expect(site.nginx.workers == workers)
        #expect(try await site.nginx.served() == site.first.fingerprint)
    }

    @Test("A configuration that NGINX refuses: both files are put back as they were, with NGINX's own words")
    func brokenConfiguration() async throws {
        var site = try await NGINXSite()
        try #require(chmod(site.nginx.certificate, 0o604) == 0)
        try #require(chmod(site.nginx.key, 0o440) == 0)
        if getuid() == 0 { try #require(chown(site.nginx.key, 1, 2) == 0) }
        try site.use(try site.command.pki.issue("www.example.com"))
        try site.nginx.writeConfiguration(extra: "certificate_of_honour on;")
        let (before, workers) = (try site.stamps(), site.nginx.workers)
        let (outcome, report) = try await site.apply()
        #expect(outcome.code == 1, "\(outcome)")
        #expect(report.outcome == .failed)
        #expect(report.stage == .apply)
        #expect(report.summary.contains("unknown directive \"certificate_of_honour\""), "\(report)")
        for (old, new) in zip(before, try site.stamps()) {
            #expect(old.content == new.content)
            #expect(old.mode == new.mode)
            #expect([old.owner, old.group] == [new.owner, new.group])
        }
        #expect(site.nginx.workers == workers)
        #expect(try await site.nginx.served() == site.first.fingerprint)
        #expect(try FileManager.default.contentsOfDirectory(atPath: site.nginx.directory.file("tls")).count == 2)

        // Once the operator has mended it, the same command deploys.
        try site.nginx.writeConfiguration()
        #expect(try await site.apply().0.code == 0)
    }

    @Test("One flipped byte of the connector: refused, NGINX untouched")
    func flippedByte() async throws {
        var site = try await NGINXSite()
        try site.use(try site.command.pki.issue("www.example.com"))
        let path = "\(site.command.plugins)/trstctl-connector-nginx"
        var content = try Data(contentsOf: URL(fileURLWithPath: path))
        content[content.count - 1] ^= 1
        try content.write(to: URL(fileURLWithPath: path))
        let (stamps, workers) = (try site.stamps(), site.nginx.workers)
        let (outcome, report) = try await site.apply()
        #expect(outcome.code == 3, "\(outcome)")
        #expect(report.outcome == .refused)
        #expect(try site.stamps() == stamps)
        #expect(site.nginx.workers == workers)
    }

    @Test("Files that are right but not yet served are reloaded, and a key of the wrong mode is mended")
    func mendsWhatDiffers() async throws {
        var site = try await NGINXSite()
        try site.use(site.first)
        try #require(chmod(site.nginx.key, 0o644) == 0)
        // What follows must not be what this reload finds.
        let (outcome, report) = try await site.apply(reloads: true)
        #expect(outcome.code == 0, "\(outcome)")
        #expect(report.outcome == .deployed)
        #expect(try FileStamp(site.nginx.key).mode & 0o777 == 0o600)

        // Somebody put the new files there by hand and forgot to reload.
        let renewed = try site.command.pki.issue("www.example.com")
        try site.use(renewed)
        for (from, to) in [(renewed.fullchainPath, site.nginx.certificate), (renewed.keyPath, site.nginx.key)] {
            let content = try Data(contentsOf: URL(fileURLWithPath: from))
            let file = try #require(FileHandle(forWritingAtPath: to))
            try file.truncate(atOffset: 0)
            try file.write(contentsOf: content)
            try file.close()
        }
        let stamps = try site.stamps()
        #expect(try await site.nginx.served() == site.first.fingerprint)
        #expect(try await site.apply().0.code == 0)
        #expect(try await site.nginx.served() == renewed.fingerprint)
        #expect(try site.stamps() == stamps)
    }
}
