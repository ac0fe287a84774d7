import Foundation
import Glibc
import Testing
import TrstctlHost
import TrstctlTestSupport

/// Credentials that must not be deployed: refused before the connector could touch anything.
@Suite("Bad credentials on the command line", .ownThreads)
struct BadCredentialTests {
    private func expectRefusal(
        _ says: String, _ location: SourceLocation = #_sourceLocation,
        _ change: (inout EchoManifest, TrstctlCommand) throws -> Void
    ) async throws {
        var site = try EchoSite()
        try change(&site.manifest, site.command)
        try site.command.write(manifest: site.manifest.text)
        let outcome = try await site.command.run("apply", "--json")
        #expect(outcome.code == 1, "\(outcome)", sourceLocation: location)
        let target = try #require(try outcome.json(RunReport.self).targets.first)
        #expect(target.outcome == .failed, sourceLocation: location)
        #expect(target.stage == .credential, "\(target)", sourceLocation: location)
        #expect(target.detail.contains(says), "\(target.detail)", sourceLocation: location)
        #expect(!(outcome.output + outcome.errors).contains("PRIVATE KEY-----"), sourceLocation: location)
        #expect(site.files == [], sourceLocation: location)
    }

    @Test("A key that cannot be read is named")
    func unreadableKey() async throws {
        try await expectRefusal("No such file") { manifest, command in manifest.key = command.scratch.file("nowhere") }
        try await expectRefusal("nowhere") { manifest, command in
            manifest.key = try command.scratch.makeDirectory("nowhere")
        }
        try await expectRefusal("shut") { manifest, command in
            // Root reads every file; what root cannot do is follow a link in circles.
            let path = command.scratch.file("shut")
            try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: path)
            manifest.key = path
        }
    }

    @Test("Keys that are encrypted, of another certificate, or none, are refused")
    func badKeys() async throws {
        try await expectRefusal("encrypted") { manifest, command in
            let other = try command.pki.issue("locked", keyFormat: .encryptedPKCS8)
            (manifest.certificate, manifest.key) = (other.fullchainPath, other.keyPath)
        }
        try await expectRefusal("encrypted") { manifest, command in
            let other = try command.pki.issue("locked", keyFormat: .encryptedTraditional)
            (manifest.certificate, manifest.key) = (other.fullchainPath, other.keyPath)
        }
        try await expectRefusal("found a key of none of the 2 certificates") { manifest, command in
            manifest.key = try command.pki.issue("other.example.com").keyPath
        }
        try await expectRefusal("key") { manifest, command in
            manifest.key = try command.scratch.write("not a key\n", to: "text.key", mode: 0o600)
        }
        try await expectRefusal("key") { manifest, command in
            manifest.key = try command.scratch.write("", to: "empty.key", mode: 0o600)
        }
    }

    @Test("Chains that have expired, are not valid yet, or stand in another order, are refused")
    func badChains() async throws {
        try await expectRefusal("expired") { manifest, command in
            let old = try command.pki.issue("old", startsAt: -7200, lasts: 3600)
            (manifest.certificate, manifest.key) = (old.fullchainPath, old.keyPath)
        }
        try await expectRefusal("begins at") { manifest, command in
            let early = try command.pki.issue("early", startsAt: 86_400)
            (manifest.certificate, manifest.key) = (early.fullchainPath, early.keyPath)
        }
        try await expectRefusal("order") { manifest, command in
            let swapped = try command.pki.issue("swapped")
            try command.pki.write("swapped.pem", command.pki.pem(swapped.chain + [swapped.leaf]))
            manifest.certificate = command.pki.directory + "/swapped.pem"
            manifest.key = swapped.keyPath
        }
    }

    @Test("The links that certbot keeps in live/ are followed, and follow a renewal")
    func certbotLinks() async throws {
        var site = try EchoSite()
        let scratch = site.command.scratch
        for directory in ["live", "archive"] { try scratch.makeDirectory("certbot-\(directory)") }
        func renew(_ number: Int) throws -> String {
            let issued = try site.command.pki.issue("certbot\(number)")
            for (name, path) in [("fullchain", issued.fullchainPath), ("privkey", issued.keyPath)] {
                let target = scratch.file("certbot-archive/\(name)\(number).pem")
                try FileManager.default.copyItem(atPath: path, toPath: target)
                let link = scratch.file("certbot-live/\(name).pem")
                unlink(link)
                try FileManager.default.createSymbolicLink(
                    atPath: link, withDestinationPath: "../certbot-archive/\(name)\(number).pem")
            }
            return issued.fingerprint
        }
        site.manifest.certificate = "certbot-live/fullchain.pem"
        site.manifest.key = "certbot-live/privkey.pem"
        try site.command.write(manifest: site.manifest.text)
        for number in 1...2 {
            let fingerprint = try renew(number)
            let outcome = try await site.command.run("apply")
            #expect(outcome.code == 0, "\(outcome)")
            #expect(site.fingerprint("one") == fingerprint)
        }
    }
}
