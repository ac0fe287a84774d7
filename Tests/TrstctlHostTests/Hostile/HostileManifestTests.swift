import Foundation
import Glibc
import Synchronization
import Testing
import TrstctlPolicy
import TrstctlSystem
import TrstctlTestSupport

@testable import TrstctlHost

/// A row about the manifest: what is done to a good one, and what must come of it.
struct ManifestCase: Sendable, CustomTestStringConvertible {
    enum Outcome: Sendable {
        /// The manifest is not used: the command ends with this code, nothing is started, nothing is audited, because no
        /// run began.
        case unusable(ManifestError.Code)
        /// The manifest is used; the hostile target is refused with this code, the healthy one is deployed.
        case refused(String)

        var text: String {
            switch self {
            case .unusable(let code): "REFUSE(\(code.rawValue))"
            case .refused(let code): "REFUSE(\(code))"
            }
        }
    }

    var id: String
    var name: String
    var outcome: Outcome
    /// Changes the text of the manifest.
    var edit: @Sendable (String) -> String = { $0 }
    /// Changes the bytes that are written.
    var bytes: @Sendable ([UInt8]) -> [UInt8] = { $0 }
    /// Changes the file.
    var tamper: @Sendable (String) throws -> Void = { _ in }

    var testDescription: String { "\(id) \(name)" }
}

extension ManifestCase {
    private static func replacing(_ what: String, _ with: String) -> @Sendable (String) -> String {
        { text in
            var text = text
            if let range = text.range(of: what) { text.replaceSubrange(range, with: with) }
            return text
        }
    }

    /// Another text between the brackets of the hostile connector's `sha256:`, or in the place of both.
    private static func pin(_ change: @escaping @Sendable (String) -> String) -> @Sendable (String) -> String {
        { text in
            guard let start = text.range(of: "sha256: [\""), let end = text.range(of: "\"]") else { return text }
            return text.replacingCharacters(
                in: start.lowerBound..<end.upperBound, with: change(String(text[start.upperBound..<end.lowerBound])))
        }
    }

    private static func grant(_ line: String) -> @Sendable (String) -> String {
        replacing("    grants:\n", "    grants:\n      \(line)\n")
    }

    /// A text in the place of the hostile connector's `fs.write`.
    private static func write(_ text: String) -> @Sendable (String) -> String {
        { manifest in
            guard let start = manifest.range(of: "fs.write: ["),
                let end = manifest.range(of: "]\n", range: start.upperBound..<manifest.endIndex)
            else { return manifest }
            return manifest.replacingCharacters(in: start.lowerBound..<end.upperBound, with: "fs.write: \(text)\n")
        }
    }

    private static let hundred = String(repeating: "0", count: 64)

    private static let names: [ManifestCase] =
        [
            "../x", "a/b", "..", "a\\0b", "a\\nb", "a\\e[2Jb", "-a", "Healthy", "h\u{E9}",
            String(repeating: "a", count: 64),
        ]
        .map { name in
            ManifestCase(
                id: "D03", name: name, outcome: .unusable(.badName), edit: replacing("  healthy:\n", "  \"\(name)\":\n")
            )
        }

    private static let pins: [ManifestCase] = [
        ManifestCase(id: "M05", name: "no pin", outcome: .refused("unpinned"), edit: pin { _ in "sha256: []" }),
        ManifestCase(id: "M05", name: "null", outcome: .unusable(.wrongType), edit: pin { _ in "sha256: ~" }),
        ManifestCase(id: "M05", name: "text", outcome: .unusable(.wrongType), edit: pin { "sha256: \"\($0)\"" }),
        ManifestCase(id: "M05", name: "empty", outcome: .refused("bad-pin"), edit: pin { _ in "sha256: [\"\"]" }),
        ManifestCase(
            id: "M05", name: "63", outcome: .refused("bad-pin"), edit: pin { "sha256: [\"\($0.dropLast())\"]" }),
        ManifestCase(id: "M05", name: "65", outcome: .refused("bad-pin"), edit: pin { "sha256: [\"\($0)0\"]" }),
        ManifestCase(
            id: "M05", name: "upper case", outcome: .refused("bad-pin"),
            edit: pin { "sha256: [\"A\($0.uppercased().dropFirst())\"]" }),
        ManifestCase(
            id: "M05", name: "0x", outcome: .refused("bad-pin"), edit: pin { "sha256: [\"0x\($0.dropFirst(2))\"]" }),
        ManifestCase(id: "M05", name: "blank", outcome: .refused("bad-pin"), edit: pin { "sha256: [\" \($0)\"]" }),
        ManifestCase(
            id: "M05", name: "prefix", outcome: .refused("bad-pin"), edit: pin { "sha256: [\"sha256:\($0)\"]" }),
        ManifestCase(
            id: "M05", name: "base64", outcome: .refused("bad-pin"),
            edit: pin { _ in "sha256: [\"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\"]" }),
        ManifestCase(
            id: "M06", name: "of nothing", outcome: .refused("bad-pin"),
            edit: pin { _ in "sha256: [\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"]" }),
    ]

    private static let grants: [ManifestCase] = [
        ManifestCase(id: "M07", name: "no grant", outcome: .refused("not-approved"), edit: write("[]")),
        ManifestCase(id: "M07", name: "null", outcome: .unusable(.wrongType), edit: write("~")),
        ManifestCase(
            id: "M09", name: "combining mark", outcome: .refused("not-approved"), edit: write("[/srv/\u{338}bad]")),
        ManifestCase(
            id: "M10", name: "every host", outcome: .unusable(.badGrant), edit: grant("net.dial: [\"*:443\"]")),
        ManifestCase(
            id: "M10", name: "a whole zone", outcome: .unusable(.badGrant), edit: grant("net.dial: [\"*.com:443\"]")),
        ManifestCase(
            id: "M10", name: "a dot", outcome: .unusable(.badGrant), edit: grant("net.dial: [\".example.com:443\"]")),
        ManifestCase(
            id: "M10", name: "trailing dot", outcome: .unusable(.badGrant),
            edit: grant("net.dial: [\"example.com.:443\"]")),
        ManifestCase(
            id: "M10", name: "range", outcome: .unusable(.badGrant), edit: grant("net.dial: [\"10.0.0.0/8:443\"]")),
        ManifestCase(id: "M10", name: "127.1", outcome: .unusable(.badGrant), edit: grant("net.dial: [\"127.1:443\"]")),
        ManifestCase(
            id: "M19", name: "the manifest", outcome: .refused("dangerous-grant"),
            edit: { text in
                replacing("live/bad]\n      fs.write: [", "live/bad]\n      fs.write: [MANIFEST, ")(text)
            }),
        ManifestCase(
            id: "M19", name: "the connectors", outcome: .refused("dangerous-grant"),
            edit: { text in
                replacing("live/bad]\n      fs.write: [", "live/bad]\n      fs.write: [CONNECTORS/, ")(text)
            }),
        ManifestCase(id: "M19", name: "everything", outcome: .unusable(.badGrant), edit: write("[/]")),
    ]

    private static let ports: [ManifestCase] = ["0", "65536", "-1", "4.43e2", "1.0", "0443", "+443", ""].map { port in
        ManifestCase(
            id: "M11", name: "port \(port)", outcome: .unusable(.badGrant),
            edit: grant("net.dial: [\"example.com:\(port)\"]"))
    }

    private static func nested(_ depth: Int) -> ManifestCase {
        ManifestCase(
            id: "M13", name: "depth \(depth)", outcome: .unusable(.tooDeep),
            edit: { $0 + "x: " + String(repeating: "[", count: depth) + String(repeating: "]", count: depth) + "\n" })
    }

    private static let texts: [ManifestCase] = [
        ManifestCase(
            id: "M01", name: "sha256 twice", outcome: .unusable(.duplicateKey),
            edit: pin { "sha256: [\"\($0)\"]\n    sha256: [\"\($0)\"]" }),
        ManifestCase(
            id: "M02", name: "sha256 escaped", outcome: .unusable(.duplicateKey),
            edit: pin { "sha256: [\"\($0)\"]\n    \"\\u0073ha256\": [\"\($0)\"]" }),
        ManifestCase(
            id: "M03", name: "a connector twice", outcome: .unusable(.duplicateKey),
            edit: replacing("plugins:\n", "plugins:\n  healthy: {}\n")),
        nested(17), nested(513), nested(200_000),
        ManifestCase(
            id: "M13", name: "1 MiB and a byte", outcome: .unusable(.tooLarge),
            edit: { $0 + String(repeating: "#", count: (1 << 20) + 1 - $0.utf8.count) }),
        ManifestCase(
            id: "M13", name: "many keys", outcome: .unusable(.unknownKey),
            edit: { $0 + (0..<60_000).map { "k\($0): 1\n" }.joined() }),
        ManifestCase(
            id: "M14", name: "byte order mark", outcome: .unusable(.byteOrderMark), bytes: { [0xEF, 0xBB, 0xBF] + $0 }),
        ManifestCase(
            id: "M14", name: "UTF-16", outcome: .unusable(.notUTF8), bytes: { [0xFF, 0xFE] + $0.flatMap { [$0, 0] } }),
        ManifestCase(id: "M14", name: "not UTF-8", outcome: .unusable(.notUTF8), bytes: { $0 + [0x23, 0xFF, 0x0A] }),
        ManifestCase(
            id: "M14", name: "surrogate", outcome: .unusable(.notUTF8), bytes: { $0 + [0x23, 0xED, 0xA0, 0x80, 0x0A] }),
        ManifestCase(id: "M14", name: "NUL", outcome: .unusable(.containsNUL), bytes: { $0 + [0x23, 0, 0x0A] }),
        ManifestCase(
            id: "M14", name: "second document", outcome: .unusable(.unsupportedYAML), edit: { $0 + "---\nversion: 1\n" }
        ),
        ManifestCase(id: "M14", name: "alias", outcome: .unusable(.unsupportedYAML), edit: { $0 + "x: &a [*a]\n" }),
        ManifestCase(id: "M14", name: "unknown key", outcome: .unusable(.unknownKey), edit: { $0 + "plugin: {}\n" }),
        ManifestCase(
            id: "M14", name: "mistyped pin", outcome: .unusable(.unknownKey),
            edit: replacing("    sha256:", "    sha265:")),
    ]

    private static let files: [ManifestCase] = [
        ManifestCase(id: "M15", name: "group", outcome: .unusable(.unsafePermissions), tamper: { chmod($0, 0o660) }),
        ManifestCase(id: "M15", name: "world", outcome: .unusable(.unsafePermissions), tamper: { chmod($0, 0o606) }),
        ManifestCase(
            id: "M15", name: "owner", outcome: .unusable(.unsafePermissions), tamper: { chown($0, 4711, 4711) }),
        ManifestCase(
            id: "M15", name: "link", outcome: .unusable(.symbolicLink),
            tamper: { try #require(rename($0, $0 + ".real") == 0 && symlink($0 + ".real", $0) == 0) }),
        ManifestCase(
            id: "M15", name: "directory", outcome: .unusable(.unsafePermissions),
            tamper: { chmod(URL(fileURLWithPath: $0).deletingLastPathComponent().path, 0o777) }),
    ]

    static let all = names + pins + grants + ports + texts + files
}

@Suite("The hostile suite: manifests", .ownThreads)
struct HostileManifestTests {
    @Test("A manifest that could mean two things, or that others can change, is not used", arguments: ManifestCase.all)
    func manifest(_ entry: ManifestCase) async throws {
        let bench = try HostileBench()
        let healthy = HostileCase("", "healthy", .served)
        let path = try HostileConnector.shared().install("healthy", in: bench.hostileDirectory)
        let good = try bench.manifest(healthy, pin: EchoManifest.pin(path))
        let file = bench.scratch.file("trstctl.yaml")
        let text = entry.edit(good).replacingOccurrences(of: "MANIFEST", with: file)
            .replacingOccurrences(of: "CONNECTORS", with: bench.hostileDirectory)
        let host = try bench.host("")
        try bench.scratch.write(Data(entry.bytes(Array(text.utf8))), to: "trstctl.yaml")
        try entry.tamper(file)
        let canaries = bench.canaries
        let before = try FileStamp(bench.badPath)

        switch entry.outcome {
        case .unusable(let code):
            let error = await #expect(throws: ManifestError.self) { try await host.apply([]) }
            #expect(error?.code == code, "\(String(describing: error))")
            #expect(error.map { ReasonCode($0).description } == code.rawValue)
            #expect(error?.description.utf8.contains { $0 < 0x20 && $0 != 0x0A } == false)
            #expect(bench.printed == [])
            #expect(try bench.audit() == [], "a run was recorded that did not begin")
            #expect(!FileManager.default.fileExists(atPath: bench.scratch.file("run")))
            #expect(!FileManager.default.fileExists(atPath: bench.goodPath))
        case .refused(let code):
            let report = try await host.apply([])
            #expect(report.targets.first?.outcome == .refused && report.targets.first?.code == code, "\(report)")
            #expect(report.exitCode == 3)
            let records = try bench.audit().filter { $0.connector == "healthy" }
            #expect(records.last?.event == .outcome && records.last?.code == code, "\(records)")
            try bench.expectHealthy(report)
        }
        #expect(canaries.changes(to: bench.canaries) == [])
        #expect(try FileStamp(bench.badPath) == before)

        // The host is none the worse for it.
        try #require(chmod(bench.scratch.path, 0o711) == 0)
        unlink(file)
        let report = try await bench.host(good).apply([])
        #expect(report.targets.first?.outcome == .deployed, "\(report)")
        try bench.expectHealthy(report)
    }

    @Test("M17: a manifest that is replaced and overwritten all the time is read whole, or not at all")
    func replaced() throws {
        let scratch = try ScratchDirectory()
        let texts = ["a", "b"].map {
            "version: 1\n" + String(repeating: "#\($0)\($0)\($0)\($0)\($0)\($0)\n", count: 16_000)
        }
        let whole = texts.map { Array($0.utf8) }
        let path = try scratch.write(texts[0], to: "trstctl.yaml", mode: 0o600)
        let writer = Repetition { round in
            let text = Data(texts[round % 2].utf8)
            if round % 4 < 2 {
                try scratch.write(text, to: "new", mode: 0o600)
                rename(scratch.file("new"), path)
            } else {
                let file = try #require(FileHandle(forWritingAtPath: path))
                try file.write(contentsOf: text)
                try file.close()
            }
        }
        var (old, new, refused) = (0, 0, 0)
        for _ in 0..<500 {
            do throws(ManifestError) {
                let contents = try ManifestFile.open(Bytes(path)).contents
                if contents == whole[0] { old += 1 } else { new += 1 }
                let isWhole = whole.contains(contents)
                #expect(isWhole, "a mixture was read")
            } catch {
                #expect(error.code == .changedMeanwhile, "\(error)")
                refused += 1
            }
        }
        let rounds = writer.stop()
        #expect(old > 0 && new > 0 && rounds > 100, "\(old) old, \(new) new, \(refused) refused, \(rounds) rounds")
    }

    @Test("M17: bytes that change without a change of the file's time are not taken for a manifest")
    func changedWithoutTime() throws {
        let scratch = try ScratchDirectory()
        let texts = ["a", "b"].map { Array("version: 1\n#\(String(repeating: $0, count: 200_000))\n".utf8) }
        let path = try scratch.write(Data(texts[0]), to: "trstctl.yaml", mode: 0o600)
        let descriptor = open(path, O_RDWR | O_CLOEXEC)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        let count = texts[0].count
        let mapped = try #require(mmap(nil, count, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0))
        defer { munmap(mapped, count) }
        // As if it had been changed just now, however long this takes.
        var times = [timespec](repeating: timespec(tv_sec: time(nil) + 30, tv_nsec: 0), count: 2)
        let place = UInt(bitPattern: mapped)
        // How many pieces were written, and the longest time between two of them.
        let pieces = Atomic(0)
        let pause = Atomic<Int64>(0)
        let writer = Repetition { round in
            let text = texts[round % 2]
            var latest = Deadline.now.nanoseconds
            for part in stride(from: 11, to: count, by: 1_000) {
                let end = min(part + 1_000, count)
                UnsafeMutableRawPointer(bitPattern: place + UInt(part))?.copyMemory(
                    from: Array(text[part..<end]), byteCount: end - part)
                let now = Deadline.now.nanoseconds
                pause.max(now - latest, ordering: .relaxed)
                pieces.add(1, ordering: .relaxed)
                latest = now
            }
        }
        while writer.count < 2 { sched_yield() }
        try #require(futimens(descriptor, &times) == 0)
        let reader = open(path, O_RDONLY | O_CLOEXEC)
        try #require(reader >= 0)
        defer { close(reader) }
        let status = try ManifestFile.status(reader, file: path)
        for _ in 0..<20 {
            pause.store(0, ordering: .relaxed)
            do throws(ManifestError) {
                // Where the file system has no leases.
                let contents = try ManifestFile.whole(reader, status, file: path, takesLease: false)
                // A writer that stood still during both looks cannot be told from one that is done; a busy machine makes one
                // stand still. What it did last is known when it goes on.
                let known = pieces.load(ordering: .relaxed)
                while pieces.load(ordering: .relaxed) < known + 2 { sched_yield() }
                let stoodStill = pause.load(ordering: .relaxed) > 9_000_000
                let isWhole = texts.contains(contents)
                #expect(isWhole || stoodStill, "a mixture was read")
            } catch {
                #expect(error.code == .changedMeanwhile, "\(error)")
            }
        }
        // Where it has, whoever has it open for writing is enough.
        #expect {
            _ = try ManifestFile.open(Bytes(path))
        } throws: {
            ($0 as? ManifestError)?.code == .changedMeanwhile
        }
        writer.stop()
    }
}
