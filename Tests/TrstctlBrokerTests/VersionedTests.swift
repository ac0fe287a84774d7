import CTrstctlSystem
import Glibc
import Synchronization
import Testing
import TrstctlSystem
import TrstctlWire

@testable import TrstctlBroker
@testable import TrstctlPolicy

@Suite("Versioned directories")
struct VersionedTests {
    let site: VersionedSite

    init() throws { site = try VersionedSite() }

    @Test("Nothing is visible before the first command; then everything is, with the modes and owners of before")
    func publishes() throws {
        let before = try site.directory.status("tls/www")
        let scope = try site.scope(
            exec: [["/bin/sh", "-c", "cat \(site["key"]) \(site["cert"])"]])
        #expect(scope.write(site["key"], "new key").code == .ok)
        #expect(scope.write(site["cert"], "new cert", mode: 0o600).code == .ok)
        #expect(try site.live() == VersionedSite.old)
        #expect(try !site.isLink)
        let staged = try #require(site.versions().first)
        #expect(try site.directory.mode("tls/.www.trstctl/\(staged)") == 0o700)
        // The connector finds what it wrote.
        #expect(scope.read(site["cert"]).content == "new cert")
        let seen = scope.exec(["/bin/sh", "-c", "cat \(site["key"]) \(site["cert"])"])
        #expect(seen.execResponse?.stdout == "new keynew cert")
        #expect(try site.isLink)
        try scope.commit()
        _ = scope.close(commit: true)
        #expect(try site.live() == ["cert": "new cert", "key": "new key", "other": "other"])
        let version = try #require(site.directory.link("tls/www"))
        for (name, mode) in [("key", 0o640), ("cert", 0o600), ("other", 0o444)] as [(String, mode_t)] {
            #expect(try site.directory.mode("tls/\(version)/\(name)") == mode)
        }
        let now = try site.directory.status("tls/\(version)")
        #expect([now.st_mode, now.st_uid, now.st_gid] == [before.st_mode, before.st_uid, before.st_gid])
        if geteuid() == 0 {
            let other = try site.directory.status("tls/\(version)/other")
            #expect([other.st_uid, other.st_gid] == [56, 78])
        }
        #expect(try site.directory.mode("tls/.www.trstctl") == 0o711)
    }

    @Test("Each deployment keeps the version before it, and removes the older ones")
    func prunes() throws {
        for text in ["one", "two", "three"] {
            try site.deploy(text)
            #expect(try site.live() == ["cert": "\(text) cert", "key": "\(text) key", "other": "other"])
            #expect(site.versions().count == 2, "\(site.versions())")
        }
        let contents = site.versions().map { site.directory.content("tls/.www.trstctl/\($0)/key") }
        #expect(Set(contents) == ["two key", "three key"])
    }

    @Test(
        "What fails is undone, before and after it was visible, in a directory and in a link", arguments: [0, 1, 2, 3])
    func undoes(_ number: Int) throws {
        let (isLink, isVisible) = (number & 1 == 1, number & 2 == 2)
        if isLink { try site.deploy("first") }
        let before = try site.picture()
        let scope = try site.scope()
        #expect(scope.write(site["key"], "new key").code == .ok)
        if isVisible { #expect(scope.exec(["/bin/true"]).code == .ok) }
        #expect(scope.write(site["cert"], "new cert").code == .ok)
        if isVisible { #expect(scope.exec(["/bin/true"]).code == .ok) }
        let report = scope.close(commit: false)
        #expect(report.failures == [])
        #expect(report.restored.map(\.description) == [site["cert"], site["key"]])
        #expect(try site.picture() == before)
    }

    @Test("Putting everything back in the middle makes the old version visible at once; a part of it makes another one")
    func reverts() throws {
        try site.deploy("first")
        let before = try site.picture()
        let scope = try site.scope()
        #expect(scope.write(site["key"], "new key").code == .ok)
        #expect(scope.write(site["cert"], "new cert").code == .ok)
        #expect(scope.exec(["/bin/true"]).code == .ok)
        #expect(scope.revert().reverted == 2)
        #expect(try site.picture() == before)
        #expect(scope.changes.map(\.object) == ["[/bin/true]"])
        // Once more, and then only one of them.
        #expect(scope.write(site["key"], "newer key").code == .ok)
        #expect(scope.write(site["cert"], "newer cert").code == .ok)
        #expect(scope.exec(["/bin/true"]).code == .ok)
        #expect(scope.revert([site["key"]]).reverted == 1)
        #expect(try site.live()["key"] == "newer key")
        #expect(scope.exec(["/bin/true"]).code == .ok)
        #expect(try site.live() == ["cert": "newer cert", "key": "first key", "other": "other"])
        #expect(scope.close(commit: false).failures == [])
        #expect(try site.picture() == before)
    }

    @Test("Files can be created and removed, and what was not there is not found")
    func createsAndRemoves() throws {
        let scope = try site.scope()
        #expect(scope.remove(site["nothing"]).code == .notFound)
        #expect(site.versions().isEmpty)
        #expect(scope.remove(site["cert"]).code == .ok)
        #expect(scope.write(site["new"], "new").code == .ok)
        #expect(scope.read(site["cert"]).code == .notFound)
        #expect(scope.stat(site["new"]).code == .ok)
        try scope.commit()
        #expect(scope.changes.map(\.kind) == [.remove, .create, .replace])
        _ = scope.close(commit: true)
        #expect(try site.live() == ["key": "old key", "new": "new", "other": "other"])
    }

    @Test("Writing what is there already makes nothing visible and leaves nothing")
    func unchanged() throws {
        let before = try site.picture()
        let scope = try site.scope()
        #expect(scope.write(site["key"], "old key").code == .ok)
        #expect(scope.exec(["/bin/true"]).code == .ok)
        try scope.commit()
        #expect(scope.changes.map(\.kind) == [.run])
        #expect(scope.close(commit: true) == RevertReport())
        #expect(try site.picture() == before)
    }

    @Test("A plan tells what the apply does, and changes nothing", arguments: [false, true])
    func plans(isLink: Bool) throws {
        if isLink { try site.deploy("first") }
        let before = try site.directory.picture()
        func act(_ scope: BrokerScope) throws -> [Wire.Change] {
            #expect(scope.write(site["key"], "new key").code == .ok)
            #expect(scope.write(site["cert"], "new cert").code == .ok)
            #expect(scope.read(site["cert"]).content == "new cert")
            #expect(scope.exec(["/bin/true"]).code == .ok)
            #expect(scope.write(site["cert"], "newer cert").code == .ok)
            try scope.publish()
            return scope.changes
        }
        let plan = try site.scope(.recording)
        let planned = try act(plan)
        _ = plan.close(commit: false)
        #expect(try site.directory.picture() == before)
        let apply = try site.scope()
        #expect(try act(apply) == planned)
        #expect(planned.map(\.kind) == [.replace, .replace, .replace, .run, .replace])
        #expect(planned[2].object == site.directory["tls/www"])
        #expect(planned[2].before == (isLink ? "link to a version" : "directory"))
        #expect(apply.records.contains { $0.operation == "Publish" && $0.object == site.directory["tls/www"] })
    }

    @Test("A scope that only reads finds the live version, and makes nothing visible")
    func reads() throws {
        try site.deploy("first")
        let before = try site.picture()
        let scope = try site.scope(.readOnly)
        #expect(scope.read(site["key"]).content == "first key")
        #expect(scope.stat(site["cert"], compareTo: [.text("first cert")]).statResponse?.contentEqual == true)
        #expect(scope.write(site["key"], "x").code == .permissionDenied)
        try scope.publish()
        _ = scope.close(commit: true)
        #expect(try site.picture() == before)
    }

    @Test("Extended attributes and the group of a directory come along; what the connector writes gets its own")
    func attributes() throws {
        let path = site.directory["tls/www"]
        try #require(chmod(path, 0o2750) == 0)
        let names = [site["other"], path]
        for name in names {
            let file = OwnedDescriptor(open(name, O_RDONLY | O_CLOEXEC))
            // Not every file system has them.
            guard trstctl_xattr_set(file.raw, "user.note", "kept", 4) == 0 else { return }
        }
        try site.deploy("new")
        try #require(try site.isLink)
        for name in names {
            let file = OwnedDescriptor(open(name, O_RDONLY | O_CLOEXEC))
            var value = [UInt8](repeating: 0, count: 8)
            #expect(trstctl_xattr_value(file.raw, "user.note", &value, 8) == 4, "\(name)")
        }
        let scope = try site.scope()
        #expect(scope.write(site["made"], "x").code == .ok)
        try scope.commit()
        #expect(try site.directory.status("tls/www/made").st_gid == site.directory.status("tls/www/.").st_gid)
        #expect(try site.directory.status("tls/www/.").st_mode & 0o7777 == 0o2750)
    }
}

@Suite("Versioned directories: what is refused")
struct VersionedRefusalTests {
    let site: VersionedSite

    init() throws { site = try VersionedSite() }

    /// Both a plan and an apply say no, and leave everything as it is.
    private func expectRefusal(
        _ text: String, limits: ScopeLimits = ScopeLimits(), at location: SourceLocation = #_sourceLocation
    ) throws {
        let before = try site.picture()
        for rights in [ScopeRights.recording, .mutating] {
            let scope = try site.scope(rights, limits: limits)
            let reply = scope.write(site["key"], "new key")
            #expect(reply.code != .ok, sourceLocation: location)
            #expect(reply.message.contains(text), "\(reply.message)", sourceLocation: location)
            #expect(scope.close(commit: false).failures == [], sourceLocation: location)
            #expect(try site.picture() == before, sourceLocation: location)
        }
    }

    @Test("A link that somebody else made is not followed", arguments: ["elsewhere", ".www.trstctl/../elsewhere"])
    func foreignLink(text: String) throws {
        try site.directory.directory("tls/.www.trstctl")
        try #require(rename(site.directory["tls/www"], site.directory["tls/elsewhere"]) == 0)
        try site.directory.link("tls/www", to: text)
        try expectRefusal("trstctl did not make")
        let reply = try site.scope(.readOnly).read(site["key"])
        #expect(reply.code == .permissionDenied, "\(reply.message)")
    }

    @Test(
        "A link of the host's form that another user made is not followed", .enabled(if: geteuid() == 0, "needs root"))
    func foreignOwner() throws {
        try site.deploy("first")
        try #require(lchown(site.directory["tls/www"], 12, 34) == 0)
        try expectRefusal("trstctl did not make")
    }

    @Test(
        "Versions that others can write to, or that belong to somebody else, are not used",
        .enabled(if: geteuid() == 0, "needs root")
    )
    func untrustedStore() throws {
        try site.deploy("first")
        let store = site.directory["tls/.www.trstctl"]
        try #require(chmod(store, 0o731) == 0)
        try expectRefusal("writable by nobody else")
        try #require(chmod(store, 0o711) == 0)
        try #require(chown(store, 12, 34) == 0)
        try expectRefusal("writable by nobody else")
    }

    @Test("A link in the place of the versions, or of one of them, is not followed")
    func linkedStore() throws {
        try site.deploy("first")
        let store = site.directory["tls/.www.trstctl"]
        try #require(rename(store, site.directory["moved"]) == 0)
        try site.directory.link("tls/.www.trstctl", to: site.directory["moved"])
        try expectRefusal("symbolic link")
        try #require(unlink(store) == 0)
        try #require(rename(site.directory["moved"], store) == 0)
        let version = try #require(site.directory.link("tls/www"))
        try #require(rename(site.directory["tls/\(version)"], site.directory["moved"]) == 0)
        try site.directory.link("tls/\(version)", to: site.directory["moved"])
        try expectRefusal("symbolic link")
    }

    @Test("There has to be a directory, and the message says how to make one")
    func absent() throws {
        try #require(rename(site.directory["tls/www"], site.directory["moved"]) == 0)
        try expectRefusal("does not exist")
        let reply = try site.scope().write(site["key"], "x")
        #expect(reply.status?.fix.contains("mkdir -p") == true)
        #expect(try site.scope(.readOnly).read(site["key"]).code == .notFound)
    }

    @Test(
        "What is no regular file with one name is not copied",
        arguments: ["directory", "link", "pipe", "hard", "setuid"])
    func irregular(kind: String) throws {
        let path = site["odd"]
        switch kind {
        case "directory": try site.directory.directory("tls/www/odd")
        case "link": try site.directory.link("tls/www/odd", to: "key")
        case "pipe": try #require(mkfifo(path, 0o600) == 0)
        case "hard": try #require(link(site["other"], path) == 0)
        default: try site.directory.file("tls/www/odd", "x", mode: 0o4755)
        }
        try expectRefusal(kind == "hard" ? "hard links" : "odd")
        try expectRefusal("layout: versioned copies the whole directory")
        let fix = try site.scope(.recording).write(site["key"], "x").status?.fix ?? ""
        #expect(fix.hasPrefix("move \(site[kind == "hard" ? "o" : "odd"])"), "\(fix)")
        #expect(fix.contains("elsewhere"), "\(fix)")
    }

    @Test("Too many files, too large ones and too much altogether are not copied")
    func limits() throws {
        var limits = ScopeLimits()
        limits.files = 2
        try expectRefusal("more than 2 files", limits: limits)
        limits = ScopeLimits()
        limits.restorableFile = 7
        try expectRefusal("7", limits: limits)
        limits = ScopeLimits()
        limits.restorable = 16
        try expectRefusal("more than 16 bytes", limits: limits)
    }

    @Test("Where there are too many names the reading ends, however many there are")
    func manyNames() throws {
        var asked = 0
        let next = { () throws(SystemError) -> Bytes? in
            asked += 1
            return asked <= 1_000 ? "name" : nil
        }
        #expect(try DirectoryNames.all(2, next) == nil)
        #expect(asked == 3)
        #expect(try DirectoryNames.all(1_000, next)?.count == 997)
    }

    @Test("A file in a directory below is refused, for reading as well")
    func below() throws {
        let scope = try site.scope()
        #expect(scope.write(site["sub/key"], "x").message.contains("files of one directory"))
        #expect(scope.read(site["sub/key"]).message.contains("files of one directory"))
    }

    @Test(
        "Files that belong to others are not taken over by a host that cannot give files away",
        .enabled(if: geteuid() != 0, "needs a user who is not root"))
    func owners() throws {
        try expectRefusal("give files away")
    }

    @Test("A link that changes during the deployment is not replaced, and not put back")
    func changedMeanwhile() throws {
        try site.deploy("first")
        let text = try #require(site.directory.link("tls/www"))
        let other = try #require(site.versions().first { !text.hasSuffix($0) })
        let scope = try site.scope()
        let shared = SharedSynchronisation()
        scope.files.withLock { $0.unsynced = UnsyncedDirectories(shared) }
        #expect(scope.write(site["key"], "new key").code == .ok)
        try #require(unlink(site.directory["tls/www"]) == 0)
        try site.directory.link("tls/www", to: ".www.trstctl/\(other)")
        let reply = scope.exec(["/bin/true"])
        #expect(reply.code == .aborted && reply.message.contains("changed by somebody else"), "\(reply.message)")
        #expect(try site.live()["key"] != "new key")
        // What was not changed has no number yet: a fsync(2) that counts for it could come before the change.
        let parent = try site.directory.status("tls")
        let first = shared.noteChange(DirectoryIdentity(device: parent.st_dev, inode: parent.st_ino))
        #expect(first == 1)
        // Nor does a commit pass over it.
        #expect(throws: EffectError.self) { try scope.commit() }
        let report = scope.close(commit: false)
        #expect(report.failures.map(\.code) == [.exists])
        #expect(site.directory.link("tls/www") == ".www.trstctl/\(other)")
        let left = try #require(report.onDisk.last)
        #expect(left.hasPrefix("\(site.directory["tls/.www.trstctl"]) keeps "), "\(report.onDisk)")
        #expect(site.versions().filter { $0 != other }.allSatisfy(left.contains), "\(report.onDisk)")
    }

    @Test("Where the directory of the target is not one, the layout says so")
    func layouts() throws {
        func layout(_ rules: String...) throws -> VersionedLayout {
            try VersionedLayout(rules.map { try PathGrant($0) })
        }
        #expect(try layout("/a/b/c", "/a/b/d").link.description == "/a/b")
        #expect(try layout("/a/b/").link.description == "/a/b")
        #expect(throws: EffectError.self) { try layout() }
        #expect(throws: EffectError.self) { try layout("/a/b/c", "/a/d") }
        #expect(throws: EffectError.self) { try layout("/a/b/c/", "/a/b/d") }
        #expect(throws: EffectError.self) { try layout("/c") }
        #expect(throws: EffectError.self) { try layout("/a/" + String(repeating: "x", count: 247) + "/") }
        #expect(try layout("/a/" + String(repeating: "x", count: 245) + "/").storeName.count == 254)
    }

    @Test("Only names of the host's form are versions")
    func names() throws {
        let name = try VersionName.make()
        #expect(VersionName(name.bytes) == name)
        #expect(VersionName("20270131T080000Z-5f3a9c01") != nil)
        for text in [
            "", "..", "20270131T080000Z-5f3a9c0", "20270131T080000Z-5f3a9c0G", "20270131T080000Z/5f3a9c01",
            "20270131T080000Z-5f3a9c01.", "x0270131T080000Z-5f3a9c01", "20270131T080000Z-5F3a9c01",
        ] {
            #expect(VersionName(Bytes(text)) == nil, "\(text)")
        }
    }
}
