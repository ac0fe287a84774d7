import Foundation
import Glibc
import Testing
import TrstctlSystem
import TrstctlWire

@testable import TrstctlBroker
@testable import TrstctlPolicy

/// A directory `tls/www` with a key, a certificate and a file that no deployment touches, and scopes over it.
struct VersionedSite {
    let directory: TestDirectory
    /// Where journals lie.
    let state: TestDirectory
    let layout: VersionedLayout

    static let old = ["cert": "old cert", "key": "old key", "other": "other"]

    init() throws {
        directory = try TestDirectory()
        state = try TestDirectory()
        try directory.directory("tls")
        try directory.directory("tls/www")
        try #require(chmod(directory["tls/www"], 0o750) == 0)
        if geteuid() == 0 { try #require(chown(directory["tls/www"], 12, 34) == 0) }
        try directory.file("tls/www/key", "old key", mode: 0o640)
        try directory.file("tls/www/cert", "old cert", mode: 0o604)
        try directory.file("tls/www/other", "other", mode: 0o444)
        if geteuid() == 0 { try #require(chown(directory["tls/www/other"], 56, 78) == 0) }
        layout = try VersionedLayout([try PathGrant(directory["tls/www/"])])
    }

    subscript(name: String) -> String { directory["tls/www/\(name)"] }

    func run() throws -> RunJournal {
        RunJournal(in: try state.reopened(), path: state.path)
    }

    func scope(
        _ rights: ScopeRights = .mutating, _ run: RunJournal? = nil, target: String = "www",
        limits: ScopeLimits = ScopeLimits(), exec: [[String]] = [["/bin/true"]]
    ) throws -> BrokerScope {
        let grants = try GrantSet.parse(
            read: [directory["tls/www/"]], write: [directory["tls/www/"]], exec: exec)
        let header = DeploymentHeader(target: target, connector: "echo", digest: "d", fingerprint: "f")
        return BrokerScope(
            rights: rights, grants: grants, limits: limits,
            deployment: run.map { DeploymentJournal($0, header) }, layout: layout)
    }

    func recovery() throws -> JournalRecovery {
        let name = try #require(try JournalRecovery.names(in: state.path).first)
        return try JournalRecovery(name, in: state.descriptor.raw, path: state.path)
    }

    /// What a server finds through the path.
    func live() throws -> [String: String] {
        var files: [String: String] = [:]
        for name in try directory.names(in: "tls/www") { files[name] = directory.content("tls/www/\(name)") }
        return files
    }

    var isLink: Bool { get throws { try directory.status("tls/www").st_mode & S_IFMT == S_IFLNK } }

    /// The names of everything beside the link's versions.
    func versions() -> [String] { (try? directory.names(in: "tls/.www.trstctl")) ?? [] }

    /// Everything there is: names, kinds, modes, owners, contents.
    func picture() throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: directory.path).sorted().map { name in
            let status = try directory.status(name)
            let link = directory.link(name)
            return "\(name) \(status.st_mode) \(status.st_uid):\(status.st_gid) \(link == nil ? status.st_ino : 0) "
                + (link ?? directory.content(name) ?? "")
        }
    }

    /// A whole deployment.
    func deploy(_ text: String, _ run: RunJournal? = nil) throws {
        let scope = try scope(.mutating, run)
        #expect(scope.write(self["key"], "\(text) key").code == .ok)
        #expect(scope.write(self["cert"], "\(text) cert").code == .ok)
        try scope.commit()
        #expect(scope.close(commit: true) == RevertReport())
    }
}
