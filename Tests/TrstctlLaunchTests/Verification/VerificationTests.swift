import Foundation
import Glibc
import Synchronization
import Testing
import TrstctlCrypto
import TrstctlLaunch
import TrstctlPolicy
import TrstctlProcess
import TrstctlSystem

@Suite("Verifying connectors")
struct VerificationTests {
    private let directory: TemporaryDirectory
    private let name: ConnectorName

    init() throws {
        directory = try TemporaryDirectory()
        name = try #require(ConnectorName("ok"))
    }

    private func install(_ content: [UInt8]) throws -> Candidate {
        try directory.write(content, to: name.executableFileName)
        return try Discovery(SearchPath(explicit: [Bytes(directory.path)], variable: nil, home: nil)).candidate(name)
    }

    private func digest(_ content: [UInt8]) throws -> SHA256Digest {
        let bytes = content.withUnsafeBytes { SHA256.digest($0) }
        return try #require(bytes.flatMap { SHA256Digest(bytes: $0) })
    }

    @Test(
        "the digest is the file's, for sizes around the buffer's", arguments: [1, 262_143, 262_144, 262_145, 1_000_003])
    func digests(size: Int) throws {
        let content = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let sealed = try SealedExecutable(copying: try install(content))
        #expect(sealed.digest == (try digest(content)))
        #expect(sealed.size == Int64(size))
        var copy = [UInt8](repeating: 0, count: size)
        #expect(pread(sealed.descriptor.raw, &copy, size, 0) == size)
        #expect(copy == content)
    }

    @Test("any of the pins is enough")
    func pins() throws {
        let content = SampleELF.staticELF
        let others = [try digest([1]), try digest([2])]
        for position in 0...2 {
            var pins = others
            pins.insert(try digest(content), at: position)
            let verified = try VerifiedExecutable(verifying: try install(content), pins: Pins(pins))
            #expect(verified.isPinned)
            #expect(verified.digest == (try digest(content)))
        }
    }

    @Test("a flipped bit, an appended byte, a missing byte and zeros at the end are refused")
    func mismatch() throws {
        let content = Array("#!/bin/sh\nexit 0\n".utf8)
        let pin = Pins([try digest(content)])
        var flipped = content
        flipped[5] ^= 1
        for bad in [flipped, content + [0x0a], Array(content.dropLast()), content + [0, 0, 0, 0]] {
            let candidate = try install(bad)
            let error = #expect(throws: VerificationError.self) {
                try VerifiedExecutable(verifying: candidate, pins: pin)
            }
            #expect(error?.code == .mismatch(found: try digest(bad), expected: pin.digests))
        }
    }

    @Test("a mismatch says what was expected and found, where, since when, and what to type")
    func text() throws {
        let candidate = try install([0x1f, 0x8b, 8])
        let pins = Pins([try digest([1]), try digest([2])])
        let error = #expect(throws: VerificationError.self) { try VerifiedExecutable(verifying: candidate, pins: pins) }
        let text = try #require(error).description
        for part in [
            "connector ok", try digest([1]).hex, try digest([2]).hex, try digest([0x1f, 0x8b, 8]).hex,
            directory.path + "/trstctl-connector-ok", "3 bytes", "gzip archive", "trstctl plugin pin ok",
        ] { #expect(text.contains(part), "\(part)") }
    }

    @Test("without a pin nothing is verified, and the override is marked")
    func unpinned() throws {
        let content = SampleELF.staticELF
        let candidate = try install(content)
        let error = #expect(throws: VerificationError.self) {
            try VerifiedExecutable(verifying: candidate, pins: Pins([]))
        }
        #expect(error?.code == .unpinned(found: try digest(content)))
        var rules = VerificationRules(Pins([]))
        for pinning in [VerificationRules.Pinning.allowsUnpinned, .asking] {
            rules.pinning = pinning
            #expect(try VerifiedExecutable(SealedExecutable(copying: candidate), rules).isPinned == false)
        }
    }

    @Test("a file above the limit is refused, one at the limit is not, and one that grows is neither")
    func limit() throws {
        let candidate = try install([UInt8](repeating: 7, count: 1000))
        #expect(try SealedExecutable(copying: candidate, limit: 1000).size == 1000)
        let error = #expect(throws: VerificationError.self) { try SealedExecutable(copying: candidate, limit: 999) }
        #expect(error?.code == .tooLarge(limit: 999))
        // Grown after it was checked: the limit counts what is read.
        try #require(truncate(directory.file(name.executableFileName), 1 << 20) == 0)
        #expect(throws: VerificationError.self) { try SealedExecutable(copying: candidate, limit: 1000) }
        try #require(truncate(directory.file(name.executableFileName), 0) == 0)
        let gone = #expect(throws: VerificationError.self) { try SealedExecutable(copying: candidate) }
        #expect(gone?.code == .changedWhileReading)
    }

    @Test("the copy cannot be changed: not written, cut, grown, mapped for writing or made non-executable")
    func seals() throws {
        let sealed = try SealedExecutable(copying: try install([1, 2, 3]))
        let copy = sealed.descriptor.raw
        #expect(write(copy, [9], 1) == -1)
        #expect(ftruncate(copy, 1) == -1)
        #expect(ftruncate(copy, 9) == -1)
        #expect(fchmod(copy, 0o644) == -1)
        #expect(mmap(nil, 3, PROT_READ | PROT_WRITE, MAP_SHARED, copy, 0) == MAP_FAILED)
        let again = open("/proc/self/fd/\(copy)", O_RDWR | O_CLOEXEC)
        if again != -1 {
            #expect(write(again, [9], 1) == -1)
            close(again)
        }
        #expect(fcntl(copy, F_GETFD) & FD_CLOEXEC != 0)
    }

    @Test("what runs is what was verified, although the file is overwritten, renamed and removed meanwhile")
    func swap() throws {
        let path = directory.file(name.executableFileName)
        try compile(#"int main(void) { return 7; }"#, to: path, flags: ["-static"])
        try compile(#"int main(void) { return 66; }"#, to: directory.file("evil"), flags: ["-static"])
        let good = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
        let evil = Array(try Data(contentsOf: URL(fileURLWithPath: directory.file("evil"))))
        let discovery = Discovery(SearchPath(explicit: [Bytes(directory.path)], variable: nil, home: nil))
        let pins = Pins([try digest(good)])

        let verified = try VerifiedExecutable(verifying: try discovery.candidate(name), pins: pins)
        try overwrite(path, with: evil)
        #expect(try exitStatus(verified) == .exited(7))
        #expect(throws: VerificationError.self) {
            try VerifiedExecutable(verifying: try discovery.candidate(name), pins: pins)
        }
        try #require(unlink(path) == 0)
        #expect(try exitStatus(verified) == .exited(7))
    }

    @Test("a writer that overwrites and renames all the time never gets its bytes run")
    func race() throws {
        let path = directory.file(name.executableFileName)
        try compile(#"int main(void) { return 7; }"#, to: path, flags: ["-static"])
        try compile(#"int main(void) { return 66; }"#, to: directory.file("evil"), flags: ["-static"])
        let good = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
        let evil = Array(try Data(contentsOf: URL(fileURLWithPath: directory.file("evil"))))
        let pins = Pins([try digest(good)])
        let discovery = Discovery(SearchPath(explicit: [Bytes(directory.path)], variable: nil, home: nil))

        let swapper = Swapper(path: path, good: good, evil: evil)
        defer { swapper.stop() }
        var accepted = 0
        var refused = 0
        for _ in 0..<100 {
            do {
                let verified = try VerifiedExecutable(verifying: try discovery.candidate(name), pins: pins)
                accepted += 1
                #expect(try exitStatus(verified) == .exited(7))
            } catch is VerificationError {
                refused += 1
            } catch is NotFound {
                refused += 1
            }
        }
        #expect(accepted + refused == 100)
    }

    private func overwrite(_ path: String, with content: [UInt8]) throws {
        let file = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC)
        try #require(file != -1 && write(file, content, content.count) == content.count)
        close(file)
    }

    private func exitStatus(_ executable: VerifiedExecutable) throws -> TrstctlProcess.ExitStatus? {
        let null = try openNull()
        let child = try ChildProcess.spawn(
            SpawnRequest(
                .descriptor(executable.descriptor), arguments: ["connector"], standardOutput: null.raw,
                standardError: null.raw))
        return child.reap(until: .after(milliseconds: 30_000))
    }
}

/// Alternates two contents of a file, by renaming and by writing into it.
private final class Swapper: Sendable {
    private let ended = DispatchSemaphore(value: 0)
    private let isRunning = Atomic(true)

    init(path: String, good: [UInt8], evil: [UInt8]) {
        let thread = Thread { [self] in
            while isRunning.load(ordering: .acquiring) {
                for content in [evil, good] {
                    let next = open(path + ".next", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o755)
                    _ = write(next, content, content.count)
                    close(next)
                    rename(path + ".next", path)
                    let file = open(path, O_WRONLY | O_CLOEXEC)
                    _ = write(file, evil, evil.count)
                    _ = pwrite(file, good, good.count, 0)
                    close(file)
                }
            }
            ended.signal()
        }
        thread.start()
    }

    func stop() {
        isRunning.store(false, ordering: .releasing)
        ended.wait()
    }
}
