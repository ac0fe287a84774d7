import Foundation
import Glibc
import Synchronization
import Testing
import TrstctlTestSupport

/// The library that kills the host, or lets its system calls fail, at a point that a test chooses.
final class FaultLibrary: Sendable {
    private static let compiled = Mutex<FaultLibrary?>(nil)
    private let scratch: ScratchDirectory

    /// The one of this test run; compiled at the first use.
    static func shared() throws -> FaultLibrary {
        try compiled.withLock { compiled in
            if let compiled { return compiled }
            let made = try FaultLibrary()
            compiled = made
            atexit { FaultLibrary.compiled.withLock { $0 = nil } }
            return made
        }
    }

    private init() throws {
        scratch = try ScratchDirectory()
        let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../Fixtures/Faults/faults.c").standardized.path
        let compiler = Process()
        compiler.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        compiler.arguments = [
            "cc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o", scratch.file("faults.so"), source,
            "-ldl",
        ]
        try compiler.run()
        compiler.waitUntilExit()
        try #require(compiler.terminationStatus == 0, "cc failed on faults.c: apt-get install gcc libc6-dev")
    }

    var path: String { scratch.file("faults.so") }
}

/// What happens to the host at one of its system calls.
struct Fault: Sendable, CustomStringConvertible {
    enum Action: Sendable {
        case killBefore, killAfter
        /// The machine loses power before it; the site lies on a ``LossyDisk``.
        case losePower
        /// It fails with this error, once or from then on always.
        case fail(Int32, always: Bool)
    }

    /// The number of the call, from 1.
    var call: Int
    /// What the call was in the run without faults, for messages.
    var name: String
    var action: Action

    /// Kills before and after.
    static let kills: [Action] = [.killBefore, .killAfter]
    /// What disks and permissions do.
    static let errors: [Action] = [ENOSPC, EIO, EDQUOT, EACCES].map { .fail($0, always: false) }

    var description: String {
        switch action {
        case .killBefore: "killed before call \(call), \(name)"
        case .killAfter: "killed after call \(call), \(name)"
        case .losePower: "without power before call \(call), \(name)"
        case .fail(let error, let always):
            "call \(call), \(name), fails with \(String(cString: strerror(error)))\(always ? " for ever" : "")"
        }
    }

    var environment: [String] {
        switch action {
        case .killBefore: ["FAULTS_AT=\(call)", "FAULTS_DO=before"]
        case .killAfter: ["FAULTS_AT=\(call)", "FAULTS_DO=after"]
        case .losePower: ["FAULTS_AT=\(call)", "FAULTS_DO=lose"]
        case .fail(let error, let always):
            ["FAULTS_AT=\(call)", "FAULTS_DO=\(error)"] + (always ? ["FAULTS_ALL=1"] : [])
        }
    }
}

/// A target whose key and certificate are two files, and two credentials for it.
struct FaultSite {
    /// Everything in the target's directory: names, contents, modes.
    struct Picture: Equatable, CustomStringConvertible {
        var files: [String: Data] = [:]
        var modes: [String: mode_t] = [:]

        var description: String {
            files.keys.sorted().map { name in
                "\(name) \(String(modes[name] ?? 0, radix: 8)) \(files[name].map { $0.hashValue } ?? 0)"
            }.joined(separator: ", ")
        }
    }

    /// How the target's directory begins.
    enum Layout: Sendable, CaseIterable {
        /// Its files are replaced one by one.
        case plain
        /// `layout: versioned`, before the first deployment: a directory.
        case takenOver
        /// `layout: versioned`, later: a link.
        case versioned
    }

    var site: EchoSite
    let layout: Layout
    /// What the file system lacks, see `FAULTS_LACK` in faults.c; nil when nothing.
    var lack: String?
    /// The disk that loses power.
    var disk: LossyDisk?
    /// The pair that is live before each run, and the one that is deployed.
    private(set) var old = Picture()
    private(set) var new = Picture()

    /// - Parameters:
    ///   - command: what the connector runs between the key and the certificate.
    ///   - layout: of the target.
    /// - Throws: when something is not built or cannot be written.
    init(command: String = "[/bin/true]", layout: Layout = .plain) async throws {
        self.layout = layout
        site = try EchoSite()
        if layout != .plain {
            site.manifest.targets[0].layout = "versioned"
            // What becomes of the link's own directory counts too.
            try FileManager.default.removeItem(atPath: site.command.scratch.file("live"))
            try site.command.scratch.makeDirectory("live")
            try site.command.scratch.makeDirectory("live/tls")
            site.manifest.targets[0].config["state_path"] = site.live("tls/one")
        }
        site.manifest.targets[0].config.merge(
            [
                "write_path": path("key"), "write_secret": "key", "run": "[/bin/true]",
                "rollback": "[/bin/true]",
            ], uniquingKeysWith: { $1 })
        site.manifest.grants.append("process.exec: [[/bin/true], [/bin/false]]")
        for index in 0..<2 {
            let credential = try site.command.pki.issue("www\(index).example.com")
            (site.manifest.certificate, site.manifest.key) = (credential.fullchainPath, credential.keyPath)
            try site.command.write(manifest: site.manifest.text)
            let outcome = try await site.command.run("apply")
            try #require(outcome.code == 0, "\(outcome)")
            if index == 0 { old = try live() } else { new = try live() }
        }
        site.manifest.targets[0].config["run"] = command
        try site.command.write(manifest: site.manifest.text)
    }

    /// The path of a file of the target.
    func path(_ name: String) -> String { site.live(layout == .plain ? name : "tls/\(name)") }

    /// What is in the target's directory now.
    func live() throws -> Picture {
        var picture = Picture()
        let directory = URL(fileURLWithPath: path("x")).deletingLastPathComponent().path
        // Through the link, as a server would.
        for name in try FileManager.default.contentsOfDirectory(atPath: directory + "/.") {
            let stamp = try FileStamp(directory + "/./" + name)
            picture.files[name] = stamp.content
            picture.modes[name] = stamp.mode & 0o7777
        }
        return picture
    }

    /// Puts a pair there, and forgets all journals.
    func reset() throws {
        for name in site.files { try FileManager.default.removeItem(atPath: site.live(name)) }
        let directory: String
        switch layout {
        case .plain: directory = "live"
        case .takenOver: directory = try makeDirectories("live/tls")
        case .versioned:
            directory = try makeDirectories(
                "live/.tls.trstctl", "live/.tls.trstctl/\(FaultSite.older)", "live/.tls.trstctl/\(FaultSite.version)")
            try site.command.scratch.write("older", to: "live/.tls.trstctl/\(FaultSite.older)/key")
            try #require(symlink(".tls.trstctl/\(FaultSite.version)", site.live("tls")) == 0)
        }
        for (name, content) in old.files {
            try site.command.scratch.write(content, to: "\(directory)/\(name)", mode: old.modes[name] ?? 0)
        }
        for name in try journals() { try FileManager.default.removeItem(atPath: "\(journalDirectory)/\(name)") }
    }

    /// The version that the link leads to before each run.
    static let version = "20260101T000000Z-00000000"

    /// One that was live earlier.
    static let older = "20250101T000000Z-00000000"

    private func makeDirectories(_ names: String...) throws -> String {
        for name in names { try site.command.scratch.makeDirectory(name) }
        return names.last ?? ""
    }

    /// What lies around the target's files: the link, and the versions that are kept.
    struct Surroundings: Equatable {
        var link: String?
        var names: Set<String> = []
        var versions: Set<String> = []
    }

    func surroundings() throws -> Surroundings {
        guard layout != .plain else { return Surroundings() }
        let files = FileManager.default
        return Surroundings(
            link: try? files.destinationOfSymbolicLink(atPath: site.live("tls")), names: Set(site.files),
            versions: Set((try? files.contentsOfDirectory(atPath: site.live(".tls.trstctl"))) ?? []))
    }

    /// Whether nothing is left of a run that ended with the old pair, or nothing but the version of before with the new one.
    func isTidy(_ end: String, _ found: Surroundings, _ fault: Fault) -> Bool {
        var expected = Surroundings()
        var found = found
        // A commit that was lost with the power had removed it already.
        if case .losePower = fault.action, layout == .versioned { found.versions.insert(FaultSite.older) }
        switch (layout, end) {
        case (.plain, _): break
        case (.takenOver, "old"): expected.names = ["tls"]
        case (.versioned, "old"):
            expected = Surroundings(
                link: ".tls.trstctl/\(FaultSite.version)", names: ["tls", ".tls.trstctl"],
                versions: [FaultSite.version, FaultSite.older])
        default:
            let live = found.link.map { String($0.dropFirst(".tls.trstctl/".utf8.count)) } ?? ""
            // A run that ended after its commit leaves what it did not remove to the next one: the oldest, and one that
            // was visible while the connector's command ran.
            let others = found.versions.subtracting([live, FaultSite.older])
            let isBefore = layout == .takenOver || others.contains(FaultSite.version)
            return found.names == ["tls", ".tls.trstctl"] && found.versions.contains(live) && isBefore
                && (1...2).contains(others.count) && live != FaultSite.version
        }
        return found == expected
    }

    var journalDirectory: String { "\(site.command.state)/journal" }

    func journals() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: journalDirectory) }

    /// Runs a command with a fault.
    func run(_ words: [String], _ fault: Fault?, log: String? = nil) async throws -> TrstctlCommand.Outcome {
        var environment = [
            "LD_PRELOAD=\(try FaultLibrary.shared().path)",
            "FAULTS_UNDER=\(site.command.scratch.file("live")):\(journalDirectory)",
            "FAULTS_DISK=\(disk?.directory ?? "")",
        ]
        if let fault { environment += fault.environment }
        if let lack { environment.append("FAULTS_LACK=\(lack)") }
        if let log { environment.append("FAULTS_LOG=\(log)") }
        return try await site.command.start(words, environment: environment).outcome()
    }

    /// The names of the calls of a run without faults, in their order.
    func calls(_ words: [String]) async throws -> [String] {
        let log = site.command.scratch.file("calls")
        try? FileManager.default.removeItem(atPath: log)
        _ = try await run(words, nil, log: log)
        return try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n").map { line in
            let words = line.split(separator: " ")
            let file = words[2].split(separator: "/").last ?? ""
            return
                "\(words[1]) \(file.hasPrefix(".trstctl-") ? "temporary" : file.hasSuffix(".journal") ? "journal" : file)"
        }
    }

    /// Recovers, and looks at what is there.
    ///
    /// - Returns: which pair.
    func settle(_ fault: Fault) async throws -> String {
        let recovery = try await site.command.run("recover")
        #expect(recovery.code == 0, "\(fault): \(recovery)")
        let live = try self.live()
        #expect(live == old || live == new, "\(fault): a mix: \(live); old \(old), new \(new)")
        #expect(try journals() == [], "\(fault)")
        let end = live == old ? "old" : "new"
        let surroundings = try self.surroundings()
        let isTidy = self.isTidy(end, surroundings, fault)
        #expect(isTidy, "\(fault): \(end): \(surroundings)")
        return live == old ? "old" : live == new ? "new" : "mix"
    }
}
