import Foundation
import Glibc
import Testing
import TrstctlLaunch
import TrstctlPolicy
import TrstctlSystem

@Suite("Kinds of executables")
struct ExecutableKindTests {
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
    }

    private func kind(_ content: [UInt8]) throws -> ExecutableKind {
        try directory.write(content, to: "trstctl-connector-ok")
        let discovery = Discovery(SearchPath(explicit: [Bytes(directory.path)], variable: nil, home: nil))
        let name = try #require(ConnectorName("ok"))
        return try SealedExecutable(copying: try discovery.candidate(name)).kind
    }

    private func compiled(_ flags: [String]) throws -> [UInt8] {
        let path = directory.file("compiled")
        try compile("int main(void) { return 0; }", to: path, flags: flags)
        return Array(try Data(contentsOf: URL(fileURLWithPath: path)))
    }

    @Test("static, static position-independent and dynamic files are told apart")
    func native() throws {
        #expect(try kind(try compiled(["-static"])) == .staticELF)
        #expect(try kind(try compiled(["-static-pie"])) == .staticELF)
        guard case .dynamicELF(let interpreter) = try kind(try compiled([])) else {
            Issue.record("not dynamic")
            return
        }
        #expect(interpreter.text?.hasPrefix("/lib") == true)
    }

    @Test("scripts and other files are named")
    func others() throws {
        #expect(try kind(Array("#!/bin/sh\n".utf8)) == .script)
        #expect(try kind([0]) == .unknown)
        #expect(try kind(Array("echo hello".utf8)) == .unknown)
    }

    @Test("files for other machines, word sizes and byte orders are named")
    func foreign() throws {
        let native = try compiled(["-static"])
        var other = native
        other[18] = 243  // EM_RISCV
        #expect(try kind(other) == .foreignELF(machine: 243, is64Bit: true))
        var narrow = native
        narrow[4] = 1
        #expect(try kind(narrow).isForeign)
        var reversed = native
        (reversed[5], reversed[18], reversed[19]) = (2, 0, 22)  // big-endian EM_S390
        #expect(try kind(reversed) == .foreignELF(machine: 22, is64Bit: true))
    }

    @Test("a file that is cut anywhere in its headers is broken, not a crash")
    func truncated() throws {
        let native = try compiled([])
        for size in 4..<20 { #expect(try kind(Array(native.prefix(size))) == .brokenELF, "\(size) bytes") }
        for size in stride(from: 20, to: 700, by: 7) {
            let cut = try kind(Array(native.prefix(size)))
            #expect(cut == .brokenELF, "\(size) bytes")
        }
    }

    @Test("no value of a header field is trusted")
    func hostile() throws {
        let native = Array(try compiled([]).prefix(4096))
        // Every field of the header, and of the first program headers, with the extreme values.
        for offset in 16..<400 {
            for value: UInt8 in [0, 0x7f, 0xff] {
                var copy = native
                copy[offset] = value
                _ = try kind(copy)
            }
        }
        // Type, table, its counts, and where the interpreter's path is (the second program header).
        for range in [16..<18, 32..<40, 54..<58, 128..<136, 152..<160] {
            var copy = native
            for offset in range { copy[offset] = 0xff }
            #expect(try kind(copy) == .brokenELF, "\(range)")
        }
    }
}

extension ExecutableKind {
    fileprivate var isForeign: Bool {
        if case .foreignELF = self { return true }
        return false
    }
}
