import Testing
import TrstctlWire

@Suite("The handshake line")
struct HandshakeLineTests {
    private static let directory = Array("/run/trstctl/p/abc".utf8)

    private func name(_ line: [UInt8]) throws -> String {
        String(decoding: try HandshakeLine.socketName(in: line, directory: Self.directory), as: UTF8.self)
    }

    private func name(_ line: String) throws -> String { try name(Array(line.utf8)) }

    @Test("What the SDK prints is what the host reads", arguments: ["s", "plugin.sock", "A-z_0.9", "..a", ".hidden"])
    func roundTrip(leaf: String) throws {
        let line = HandshakeLine(socketPath: Self.directory + Array("/\(leaf)".utf8)).bytes
        #expect(line.last == 0x0A)
        #expect(try name(Array(line.dropLast())) == leaf)
    }

    @Test("A socket's name has 1 to 32 bytes")
    func nameLength() throws {
        #expect(try name("TRSTCTL-PLUGIN-V1 /run/trstctl/p/abc/" + String(repeating: "a", count: 32)).count == 32)
        #expect(throws: HandshakeLineError.badName) {
            try name("TRSTCTL-PLUGIN-V1 /run/trstctl/p/abc/" + String(repeating: "a", count: 33))
        }
    }

    @Test("H06: other versions", arguments: ["V2", "V01", "V10", "V0", "V1000000000000000000000"])
    func otherVersion(version: String) {
        #expect(throws: HandshakeLineError.otherVersion) { try name("TRSTCTL-PLUGIN-\(version) /run/trstctl/p/abc/s") }
    }

    @Test(
        "H06, H07: what is not the grammar",
        arguments: [
            "", "TRSTCTL-PLUGIN-v1 /run/trstctl/p/abc/s", "trstctl-plugin-v1 /run/trstctl/p/abc/s",
            " TRSTCTL-PLUGIN-V1 /run/trstctl/p/abc/s", "\u{FEFF}TRSTCTL-PLUGIN-V1 /run/trstctl/p/abc/s",
            "TRSTCTL-PLUGIN-V1\t/run/trstctl/p/abc/s", "TRSTCTL-PLUGIN-V1", "TRSTCTL-PLUGIN-V", "TRSTCTL-PLUGIN-Vx /s",
            "Starting the plugin", "2026-01-01 INFO listening", "TRSTCTL-PLUGIN-V1\u{0} /run/trstctl/p/abc/s",
        ])
    func notAHandshake(line: String) {
        #expect(throws: HandshakeLineError.notAHandshake) { try name(line) }
    }

    @Test(
        "H06, H09, H10, H11: a path that is not in the directory",
        arguments: [
            "", " ", "/run/docker.sock", "/tmp/x", " /run/trstctl/p/abc/s", "run/trstctl/p/abc/s", "s", "@abstract",
            "\u{0}/run/trstctl/p/abc/s", "/run/trstctl/p/abc", "/run/trstctl/p/abcd/s", "/run/trstctl/p/ABC/s",
            "/run/trstctl/p/./abc/s", "//run/trstctl/p/abc/s", "/run/trstctl/p/x/../abc/s", "./s", "../s",
        ])
    func outside(path: String) {
        #expect(throws: HandshakeLineError.outsideDirectory) { try name("TRSTCTL-PLUGIN-V1 " + path) }
    }

    @Test(
        "H06, H10, H13: a name that is no plain leaf",
        arguments: [
            "", ".", "..", "../other/p.sock", "sub/../p.sock", "/p.sock", "./p.sock", "sub/p.sock", "s\r", "s trailing",
            "s ", "s\u{1B}[0m", "s\u{0}", "e\u{301}", "ä", "s\n", "a:b", "a\\b", "~",
        ])
    func badName(leaf: String) {
        #expect(throws: HandshakeLineError.badName) { try name("TRSTCTL-PLUGIN-V1 /run/trstctl/p/abc/" + leaf) }
    }

    @Test("H13: bytes that are not UTF-8")
    func notText() {
        #expect(throws: HandshakeLineError.badName) {
            try name(Array("TRSTCTL-PLUGIN-V1 /run/trstctl/p/abc/s".utf8) + [0xFF])
        }
        #expect(throws: HandshakeLineError.notAHandshake) { try name([0xFF, 0xFE]) }
    }

    @Test("Equal text in another normal form is another path: bytes are compared")
    func normalisation() {
        let composed = Array("/run/\u{E9}".utf8)
        let line = Array("TRSTCTL-PLUGIN-V1 /run/e\u{301}/s".utf8)
        #expect(throws: HandshakeLineError.outsideDirectory) {
            try HandshakeLine.socketName(in: line, directory: composed)
        }
    }

    @Test("H05: 4096 bytes are a line, 4097 are not")
    func length() {
        let line = Array("TRSTCTL-PLUGIN-V1 ".utf8)
        #expect(throws: HandshakeLineError.outsideDirectory) {
            try name(line + [UInt8](repeating: 0x61, count: 4096 - line.count))
        }
        #expect(throws: HandshakeLineError.tooLong) {
            try name(line + [UInt8](repeating: 0x61, count: 4097 - line.count))
        }
    }
}
