import Foundation
import Glibc
import Synchronization
import Testing
import TrstctlHost
import TrstctlSystem
import TrstctlTestSupport

/// Other bytes in the place of what was verified, or of what is being read.
extension SiegeCase {
    /// Runs the host until both the pinned bytes and others were met a few times.
    private static func keepRunning(_ siege: Siege, against attacker: Repetition) async throws {
        defer { attacker.stop() }
        while siege.runs < 200 {
            try await siege.apply()
            let good = siege.count(.served)
            if good >= 6, siege.runs - good >= 6 { break }
        }
        #expect(attacker.count > siege.runs, "\(attacker.count) swaps in \(siege.runs) runs")
    }

    /// Swaps the connector for the one that says so when it runs, and back.
    private static func swapping(
        _ pause: @escaping @Sendable () -> UInt32,
        _ swap: @escaping @Sendable (_ file: String, _ path: String, _ next: String) throws -> Void
    ) -> @Sendable (Siege) async throws -> Void {
        { siege in
            let (path, next) = (siege.path, siege.bench.hostileDirectory + "/next")
            let files = try ["evil", "good"].map { "\(try siege.bench.scratch.makeDirectory($0))/\($0)" }
            try FileManager.default.copyItem(atPath: HostileConnector.shared().evilPath, toPath: files[0])
            try FileManager.default.copyItem(atPath: HostileConnector.shared().path, toPath: files[1])
            let attacker = Repetition { round in
                try swap(files[round % 2], path, next)
                usleep(pause())
            }
            try await keepRunning(siege, against: attacker)
        }
    }

    static let swaps = [
        SiegeCase(
            id: "C03", name: "renamed all the time", must: [.served, .refused("digest-mismatch")],
            attack: swapping({ 50 }) { file, path, next in
                guard Glibc.link(file, next) == 0, Glibc.rename(next, path) == 0 else {
                    throw SystemError.last("rename")
                }
                unlink(next)
            }),
        SiegeCase(
            id: "C05", name: "a link that is pointed elsewhere all the time",
            must: [.served, .refused("digest-mismatch")],
            attack: swapping({ 50 }) { file, path, next in
                guard symlink(file, next) == 0, Glibc.rename(next, path) == 0 else { throw SystemError.last("rename") }
            }),
        SiegeCase(
            id: "C05", name: "overwritten in place all the time", must: [.served, .refused("digest-mismatch")],
            may: [.refused("changed-while-reading"), .refused("empty")],
            // Reading the file takes a moment: good bytes have to stay as long to be accepted.
            attack: swapping({ .random(in: 0...10_000) }) { file, path, _ in
                let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: file)))
                let isCut = Bool.random()
                let target = OwnedDescriptor(open(path, O_WRONLY | O_CLOEXEC | (isCut ? O_TRUNC : 0)))
                guard pwrite(target.raw, bytes, bytes.count, 0) == bytes.count, ftruncate(target.raw, bytes.count) == 0
                else { throw SystemError.last("write") }
            }),
        SiegeCase(
            id: "C13", name: "a crash, then another file", connector: "exits-in-apply",
            must: [.failed(.apply, "crashed"), .refused("digest-mismatch")],
            attack: { siege in
                try await siege.apply()
                let evil = try Data(contentsOf: URL(fileURLWithPath: HostileConnector.shared().evilPath))
                try evil.write(to: URL(fileURLWithPath: siege.path))
                try await siege.apply()
            }),
        SiegeCase(
            id: "C14", name: "a pin that differs in one bit", must: [.refused("digest-mismatch")],
            attack: { siege in
                let manifest = try siege.manifest
                for (digit, bit) in [(0, 3), (0, 0), (1, 0), (31, 1), (32, 2), (62, 3), (63, 3), (63, 0)] {
                    let pin = siege.pin.filter(\.isHexDigit)
                    let place = pin.index(pin.startIndex, offsetBy: digit)
                    let value = try #require(pin[place].hexDigitValue) ^ 1 << bit
                    let other = pin.replacingCharacters(in: place...place, with: String(value, radix: 16))
                    try await siege.apply(manifest.replacingOccurrences(of: pin, with: other))
                }
            }),
    ]

    static let lifecycle = [
        SiegeCase(
            id: "L10", name: "a crash loop", connector: "exits-in-apply", must: [.failed(.apply, "crashed")],
            attack: { siege in
                // Another target of the same connector, which is not started again for it; one at a time.
                let alt = try siege.bench.scratch.write("as it was\n", to: "live/alt")
                let second = "  second: { connector: exits-in-apply, credential: www, config: { path: \(alt) } }\n"
                let manifest = try siege.manifest
                    .replacingOccurrences(
                        of: "fs.write: [\(siege.bench.badPath)", with: "fs.write: [\(alt), \(siege.bench.badPath)"
                    )
                    .replacingOccurrences(of: "  good: {", with: second + "  good: {")
                for _ in 0..<3 { try await siege.apply(manifest) { $0.parallel = 1 } }
            }),
        SiegeCase(
            id: "L11", name: "another manifest while a connector runs", connector: "sizes",
            must: [.served, .refused("digest-mismatch")],
            attack: { siege in
                let manifest = try siege.manifest
                let foreign = String(repeating: "ab", count: 32)
                let other = manifest.replacingOccurrences(of: siege.pin.filter(\.isHexDigit), with: foreign)
                let changed = Mutex(false)
                try await siege.apply(manifest) { options in
                    options.log = { _, _, line in
                        guard line.contains("no byte: 0") else { return }
                        let isWritten = try? siege.bench.scratch.write(other, to: "trstctl.yaml")
                        changed.withLock { $0 = isWritten != nil }
                    }
                }
                let isChanged = changed.withLock { $0 }
                #expect(isChanged, "the manifest was not replaced while the connector ran")
                try await siege.apply()
            }),
    ]

    static let manifests = [
        SiegeCase(
            id: "M17", name: "replaced and overwritten all the time", must: [.served],
            may: [.unusable("changed-meanwhile")],
            attack: { siege in
                // Two manifests that are as long: what one grants at its beginning the other does not need at its end.
                let first = try padded(siege.manifest)
                try siege.bench.scratch.write("as it was\n", to: "live/alt", mode: 0o640)
                let second = first.replacingOccurrences(
                    of: siege.bench.badPath, with: siege.bench.scratch.file("live/alt"))
                try #require(first != second && first.utf8.count == second.utf8.count)
                try await keepRunning(siege, with: [Data(first.utf8), Data(second.utf8)])
            }),
        SiegeCase(
            id: "M17", name: "open for writing", must: [.unusable("changed-meanwhile")],
            attack: { siege in
                let writer = OwnedDescriptor(open(siege.bench.scratch.file("trstctl.yaml"), O_WRONLY | O_CLOEXEC))
                try await siege.apply()
                withExtendedLifetime(writer) {}
            }),
        SiegeCase(
            id: "M18", name: "every command", must: [.exitCode(2)],
            attack: { siege in
                let good = try siege.manifest
                try siege.bench.scratch.write(good + "plugins: {}\n", to: "trstctl.yaml")
                for words in [
                    ["manifest", "validate"], ["plan"], ["apply"], ["apply", "good"], ["plugin", "list"],
                    ["plugin", "verify", "besieged"], ["plugin", "inspect", "besieged"], ["plugin", "pin", "besieged"],
                ] {
                    try await siege.command(words)
                }
            }),
    ]

    /// The manifest, long enough to be met in the middle.
    private static func padded(_ manifest: String) throws -> String {
        let comment = String(repeating: "# nothing to see here\n", count: 10_000)
        return manifest.replacingOccurrences(of: "credentials:\n", with: comment + "credentials:\n")
    }

    /// Runs the host while its manifest is replaced by one or the other, and each is written over the other.
    private static func keepRunning(_ siege: Siege, with texts: [Data]) async throws {
        let (scratch, path) = (siege.bench.scratch, siege.bench.scratch.file("trstctl.yaml"))
        let attacker = Repetition { round in
            let text = texts[round % 2]
            if round % 4 < 2 {
                try scratch.write(text, to: "next", mode: 0o600)
                guard Glibc.rename(scratch.file("next"), path) == 0 else { throw SystemError.last("rename") }
            } else {
                // In pieces, so that most of what could be read meanwhile is neither.
                let file = try #require(FileHandle(forWritingAtPath: path))
                for start in stride(from: 0, to: text.count, by: 1_000) {
                    try file.write(contentsOf: text[start..<min(start + 1_000, text.count)])
                    usleep(50)
                }
                try file.close()
            }
            usleep(3_000)
        }
        defer { attacker.stop() }
        // On a busy machine most runs find one that is being written: those are short, and the attacker is slow.
        while siege.runs < 2_000, siege.count(.served) < 12 { try await siege.apply() }
        let served = siege.count(.served)
        #expect(attacker.count > served, "\(attacker.count) changes in \(siege.runs) runs, \(served) of them served")
    }
}
