import Foundation
import Testing
import TrstctlSystem
import TrstctlWire

@testable import TrstctlConnector

@Suite("A connector's process, from its start to its end")
struct ServeTests {
    @Test("Handshake, Hello, Shutdown: exit status 0, and nothing else on stdout")
    func session() throws {
        let connector = try LaunchedConnector("echo")
        let host = try connector.connect()
        #expect(try host.hello().description?.name == "echo")
        #expect(try host.call(.shutdown(Wire.ShutdownRequest())).status?.code == .ok)
        let end = connector.end()
        #expect(end.status == 0)
        #expect(end.output.isEmpty)
        #expect(end.errors.isEmpty)
    }

    @Test("When the host closes the connection it exits with status 0 and says nothing")
    func hostCloses() throws {
        let connector = try LaunchedConnector("echo")
        let host = try connector.connect()
        try host.hello()
        host.close()
        let end = connector.end()
        #expect(end.status == 0)
        #expect(end.errors.isEmpty)
    }

    @Test("A violation of the protocol is exit status 70 and named on stderr")
    func violation() throws {
        let connector = try LaunchedConnector("echo")
        let host = try connector.connect()
        try host.send(raw: [0, 0, 0, 0])
        let end = connector.end()
        #expect(end.status == 70)
        #expect(end.errors.contains("the host broke the protocol: a frame of length 0 (frame-empty)"))
    }

    @Test("Started by hand it says what it is and exits with status 2", arguments: [nil, "", "another"])
    func byHand(cookie: String?) throws {
        let connector = try LaunchedConnector("echo", environment: ["TRSTCTL_PLUGIN_COOKIE": cookie])
        let end = connector.end()
        #expect(end.status == 2)
        #expect(end.output.isEmpty)
        #expect(end.errors.contains("trstctl-connector-echo is a trstctl connector"))
        #expect(end.errors.contains("trstctl plugin pin echo"))
    }

    @Test(
        "A wrong environment is exit status 2, and the variable is named",
        arguments: [
            ("TRSTCTL_PLUGIN_SOCKET_DIR", nil), ("TRSTCTL_PLUGIN_SOCKET_DIR", "relative"),
            ("TRSTCTL_PLUGIN_HANDSHAKE", nil), ("TRSTCTL_PLUGIN_HANDSHAKE", "0"), ("TRSTCTL_PLUGIN_HANDSHAKE", "+1"),
            ("TRSTCTL_PLUGIN_HANDSHAKE", "99999999999"), ("TRSTCTL_HOST_UID", "root"), ("TRSTCTL_HOST_UID", ""),
            ("TRSTCTL_HOST_UID", "-1"),
        ] as [(String, String?)])
    func wrongEnvironment(name: String, value: String?) throws {
        let connector = try LaunchedConnector("echo", environment: [name: value])
        let end = connector.end()
        #expect(end.status == 2)
        #expect(end.errors.contains(name))
    }

    @Test("A later handshake version of the host is fine")
    func laterHandshake() throws {
        let connector = try LaunchedConnector("echo", environment: ["TRSTCTL_PLUGIN_HANDSHAKE": "4294967295"])
        #expect(try connector.connect().hello().protocolVersion == 1)
    }

    @Test("A directory too long for a socket address is an error that says how long it may be")
    func longDirectory() throws {
        let connector = try LaunchedConnector("echo", directory: String(repeating: "d", count: 108))
        let end = connector.end()
        #expect(end.status == 2)
        #expect(end.errors.contains("at most 107 bytes, so the directory's at most 105"))
    }

    @Test("A directory that does not exist is exit status 71 and names the path")
    func noDirectory() throws {
        let connector = try LaunchedConnector(
            "echo", environment: ["TRSTCTL_PLUGIN_SOCKET_DIR": "/nonexistent/trstctl"])
        let end = connector.end()
        #expect(end.status == 71)
        #expect(end.errors.contains("bind /nonexistent/trstctl/s: No such file or directory"))
    }

    @Test("The socket is for its user only, and a second connection is refused")
    func oneConnection() throws {
        let connector = try LaunchedConnector("echo")
        let host = try connector.connect()
        try host.hello()
        let path = connector.directory + "/d/s"
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o700)
        #expect(throws: SystemError(stage: "connect", object: path, errno: ECONNREFUSED)) {
            try connector.dial(path)
        }
    }

    @Test("A peer of another user is sent away before a byte is read")
    func otherUser() throws {
        let connector = try LaunchedConnector("echo", environment: ["TRSTCTL_HOST_UID": "4000000000"])
        #expect(try connector.connect().isEnded)
    }

    @Test("Only the host's user, and the overflow user of a user namespace, are served")
    func servedUsers() {
        #expect(Listener.serves(1000, 1000))
        #expect(Listener.serves(65_534, 1000))
        #expect(!Listener.serves(0, 1000))
        #expect(!Listener.serves(1001, 1000))
    }

    @Test("What a connector prints goes to stderr, never to stdout")
    func junk() throws {
        let connector = try LaunchedConnector("echo")
        let host = try connector.connect()
        try host.hello()
        try host.configure("edge", ["junk_stdout": .integer(50)])
        #expect(try FakeMachine().call(.apply("edge"), through: host).status?.code == .ok)
        _ = try host.call(.shutdown(Wire.ShutdownRequest()))
        let end = connector.end()
        #expect(end.output.isEmpty)
        #expect(end.errors.utf8.count >= 100)
    }

    @Test("A release or debug connector needs no shared library")
    func isStatic() throws {
        for name in ["echo", "nginx"] {
            let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: try LaunchedConnector.executable(name)))
            let header = try #require(try file.read(upToCount: 4096))
            // ELF64 program headers: no PT_INTERP (3) among them (elf(5)).
            let (offset, count) = (Int(header[32]) | Int(header[33]) << 8, Int(header[56]) | Int(header[57]) << 8)
            let types = (0..<count).map { header[offset + $0 * 56] }
            #expect(!types.contains(3))
        }
    }
}
