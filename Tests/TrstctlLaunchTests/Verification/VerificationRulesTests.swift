import Foundation
import Glibc
import Testing
import TrstctlCrypto
import TrstctlLaunch
import TrstctlPolicy
import TrstctlSystem

@Suite("What a connector's bytes have to satisfy")
struct VerificationRulesTests {
    private let directory: TemporaryDirectory
    private let name: ConnectorName

    init() throws {
        directory = try TemporaryDirectory()
        name = try #require(ConnectorName("ok"))
    }

    private func seal(_ content: [UInt8]) throws -> SealedExecutable {
        try directory.write(content, to: name.executableFileName)
        return try SealedExecutable(
            copying: Discovery(SearchPath(explicit: [Bytes(directory.path)], variable: nil, home: nil)).candidate(name))
    }

    private func digest(_ content: [UInt8]) throws -> SHA256Digest {
        let bytes = content.withUnsafeBytes { SHA256.digest($0) }
        return try #require(bytes.flatMap { SHA256Digest(bytes: $0) })
    }

    private func error(_ content: [UInt8], _ rules: VerificationRules) throws -> VerificationError? {
        let sealed = try seal(content)
        do throws(VerificationError) {
            _ = try VerifiedExecutable(sealed, rules)
            return nil
        } catch {
            return error
        }
    }

    @Test func `A revoked build is refused whatever else allows it`() throws {
        let content = SampleELF.staticELF
        for pinning in [VerificationRules.Pinning.required, .allowsUnpinned, .asking] {
            var rules = VerificationRules(Pins([try digest(content)]))
            rules.pinning = pinning
            #expect(try error(content, rules) == nil)
            rules.trust.revokedDigests = [try digest(content)]
            #expect(try error(content, rules)?.code == .revoked(found: try digest(content)))
        }
    }

    @Test func `The override counts only where nothing is pinned`() throws {
        var rules = VerificationRules(Pins([try digest([1])]))
        rules.pinning = .allowsUnpinned
        #expect(
            try error(SampleELF.staticELF, rules)?.code
                == .mismatch(found: try digest(SampleELF.staticELF), expected: rules.pins.digests))
        rules.pins = Pins([])
        #expect(try error(SampleELF.staticELF, rules) == nil)
    }

    @Test func `A mismatch tells when the pin is that of the archive beside the connector`() throws {
        let archive = Array("archive".utf8)
        try directory.write(archive, to: "trstctl-connector-ok-1.0-linux.tar.gz")
        let text = try error(SampleELF.staticELF, VerificationRules(Pins([try digest(archive)])))?.cause
        #expect(text?.contains("trstctl-connector-ok-1.0-linux.tar.gz") == true)
        #expect(try error(SampleELF.staticELF, VerificationRules(Pins([try digest([1])])))?.cause == nil)
    }

    @Test func `A mismatch tells when the file is younger than the manifest, or for another machine`() throws {
        var rules = VerificationRules(Pins([try digest([1])]))
        rules.manifestModified = Int64(time(nil)) - 3_600
        #expect(try error(SampleELF.staticELF, rules)?.cause?.contains("built or installed again") == true)
        rules.manifestModified = Int64(time(nil)) + 3_600
        #expect(try error(SampleELF.staticELF, rules)?.cause == nil)
        let cause = try error(SampleELF.header(machine: 243), rules)?.cause
        #expect(cause?.contains("RISC-V") == true && cause?.contains("for this machine") == true)
    }

    @Test func `What could not be started is refused although it is pinned, and says what it is`() throws {
        for (content, word) in [([0x1F, 0x8B, 8], "gzip archive"), (SampleELF.header(machine: 243), "RISC-V")] {
            let found = try #require(try error(content, VerificationRules(Pins([try digest(content)]))))
            #expect("\(found)".contains(word) && "\(found)".contains("\n  file: "), "\(found)")
            guard case .notRunnable = found.code else {
                Issue.record("\(found)")
                continue
            }
        }
        #expect(try error([0x1F, 0x8B, 8], VerificationRules(Pins([])))?.cause?.contains("gzip") == true)
    }

    @Test func `A mismatch with several pins says how the others stay`() throws {
        let rules = VerificationRules(Pins([try digest([1]), try digest([2])]))
        #expect(try "\(#require(try error(SampleELF.staticELF, rules)))".contains("; with --add the other pins stay"))
        let one = VerificationRules(Pins([try digest([1])]))
        #expect(try !"\(#require(try error(SampleELF.staticELF, one)))".contains("--add"))
    }

    @Test func `Reading a connector has a deadline`() throws {
        try directory.write(SampleELF.staticELF, to: name.executableFileName)
        let path = SearchPath(explicit: [Bytes(directory.path)], variable: nil, home: nil)
        let candidate = try Discovery(path).candidate(name)
        let error = #expect(throws: VerificationError.self) { try SealedExecutable(copying: candidate, patience: 0) }
        #expect(error?.code == .tooSlow(milliseconds: 0))
    }

    @Test func `A script runs only with the interpreter that the manifest names and pins`() throws {
        let interpreter = directory.file("python")
        let bytes = SampleELF.staticELF
        try directory.write(bytes, to: "python")
        let script = Array("#! \(interpreter)  -I \nx\n".utf8)
        var rules = VerificationRules(Pins([try digest(script)]))
        #expect(try error(script, rules)?.code == .scriptNotAllowed(interpreter: Bytes(interpreter)))
        let path = try AbsolutePath(interpreter)
        // What a shell would take for more than a path is in no command to type.
        for line in ["#!/usr/bin/env python3\n", "#!/x;reboot\n", "#!/$(reboot)\n", "#!relative\n"] {
            let bytes = Array(line.utf8)
            let found = try error(bytes, VerificationRules(Pins([try digest(bytes)])))
            #expect(found?.code == .scriptNotAllowed(interpreter: nil))
            #expect(found.map { !"\($0)".contains("reboot") } == true)
        }
        rules.script = ScriptRule(interpreter: path, pins: [try digest(bytes)])
        let verified = try VerifiedExecutable(seal(script), rules)
        #expect(verified.interpreter?.path == path && verified.interpreter?.argument == "-I")
        // The sealed copy is what was verified, whatever becomes of the file.
        try directory.write([9], to: "python")
        var copy = [UInt8](repeating: 0, count: bytes.count + 1)
        #expect(pread(try #require(verified.interpreter).descriptor.raw, &copy, copy.count, 0) == bytes.count)
        #expect(copy.dropLast() == bytes[...])
        let mismatch = InterpreterFault.mismatch(path, found: try digest([9]), expected: [try digest(bytes)])
        #expect(try error(script, rules)?.code == .interpreter(mismatch))

        let other = try AbsolutePath("/usr/bin/python3")
        rules.script = ScriptRule(interpreter: other, pins: [try digest([9])])
        #expect(try error(script, rules)?.code == .interpreter(.other(found: path.bytes, expected: other)))
        rules.script = ScriptRule(interpreter: path, pins: [try digest([9])])
        #expect(try error(script, rules)?.code == .interpreter(.notAProgram(path, .unknown)))
        try directory.write(Array("#!/bin/sh\n".utf8), to: "python")
        rules.script = ScriptRule(interpreter: path, pins: [try digest(Array("#!/bin/sh\n".utf8))])
        #expect(try error(script, rules)?.code == .interpreter(.notAProgram(path, .script)))
        try #require(chmod(interpreter, 0o777) == 0)
        #expect(try error(script, rules)?.code == .interpreter(.unsafe(path)))
    }

    @Test(
        "A first line that leaves the interpreter to env is refused, whatever the manifest names",
        arguments: ["/usr/bin/python3", "/usr/bin/env"])
    func lookedUp(named: String) throws {
        let script = Array("#!/usr/bin/env python3\nx\n".utf8)
        var rules = VerificationRules(Pins([try digest(script)]))
        let path = try AbsolutePath(named)
        rules.script = ScriptRule(interpreter: path, pins: [try digest([1])])
        let refusal = try error(script, rules)
        #expect(refusal?.code == .interpreter(.looksUp(Bytes("/usr/bin/env"))))
        #expect("\(try #require(refusal))".contains("write the interpreter's own path there"))
    }

    @Test(
        "A first line that the kernel would not read as one interpreter is refused",
        arguments: [
            "#!\n", "#!  \n", "#!python\n", "#!/usr/bin/python3", "#!/usr/bin/py\u{0}thon\n",
            "#!/" + String(repeating: "x", count: 300) + "\n",
        ])
    func firstLine(text: String) throws {
        let script = Array(text.utf8)
        var rules = VerificationRules(Pins([try digest(script)]))
        rules.script = ScriptRule(interpreter: try AbsolutePath("/usr/bin/python3"), pins: [try digest([1])])
        #expect(try error(script, rules)?.code == .interpreter(.badFirstLine))
    }
}
