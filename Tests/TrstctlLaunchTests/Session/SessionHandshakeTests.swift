import Glibc
import Testing
import TrstctlProcess
import TrstctlSystem
import TrstctlTestSupport

@testable import TrstctlLaunch

/// Connectors that get the handshake wrong: each is refused with its own error, leaves nothing, and harms nobody.
@Suite("Hostile handshakes", .ownThreads)
struct SessionHandshakeTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var codes: [SessionError.Code]
        /// Cases that need what the sandbox forbids, such as making a link, run without it.
        var isConfined = true
        /// What the error must say.
        var says = ""
        var exit: TrstctlProcess.ExitStatus?
        /// Whether the deadline must pass for the test to be over.
        var waits = false

        var testDescription: String { name }
    }

    private static let line = "must print \"TRSTCTL-PLUGIN-V1 <socket-path>\" first"
    private static let place = "must bind its socket in the directory"

    static let cases = [
        Case(name: "silent", codes: [.handshakeTimeout], says: "no handshake line within 200 ms", waits: true),
        Case(name: "junk", codes: [.handshakeGrammar], says: "it printed \"Hello, I am a connector!\""),
        Case(name: "endless-line", codes: [.handshakeGrammar], says: "more than 4096 bytes without a line feed"),
        Case(name: "partial", codes: [.handshakeExited], says: "\"TRSTCTL-PLU\" without", exit: .exited(0)),
        Case(name: "closed-stdout", codes: [.handshakeExited], says: "closed its output before the handshake"),
        Case(name: "exits", codes: [.handshakeExited], says: "no licence file", exit: .exited(3)),
        Case(name: "signalled", codes: [.handshakeExited], says: "signal 4 (SIGILL)", exit: .signalled(4)),
        Case(name: "exits-after-line", codes: [.handshakeSocket, .hello], says: "second thoughts", exit: .exited(4)),
        Case(name: "exits-after-accept", codes: [.hello], says: "third thoughts", exit: .exited(5)),

        Case(name: "version-two", codes: [.handshakeVersion], says: "another version of the handshake"),
        Case(name: "version-padded", codes: [.handshakeVersion]),
        Case(name: "lower-case", codes: [.handshakeGrammar], says: line),
        Case(name: "banner", codes: [.handshakeGrammar], says: "it printed \"Connector 1.0 (c) 1987\""),
        Case(name: "byte-order-mark", codes: [.handshakeGrammar], says: line),
        Case(name: "carriage-return", codes: [.handshakeGrammar], says: "\\x{d}"),
        Case(name: "two-blanks", codes: [.handshakePath], says: place),
        Case(name: "more-words", codes: [.handshakeGrammar], says: "must name its socket with"),
        Case(name: "escape-in-path", codes: [.handshakeGrammar], says: "\\x{1b}[2J"),

        Case(name: "foreign", codes: [.handshakePath], says: place),
        Case(name: "dot-dot", codes: [.handshakeGrammar], says: "must name its socket with"),
        Case(name: "sub-directory", codes: [.handshakeGrammar]),
        Case(name: "two-slashes", codes: [.handshakeGrammar]),
        Case(name: "relative", codes: [.handshakePath], says: place),
        Case(name: "abstract", codes: [.handshakePath], says: place),
        Case(name: "empty-path", codes: [.handshakePath], says: place),
        Case(name: "missing", codes: [.handshakeSocket], says: "No such file"),
        Case(name: "link", codes: [.handshakeSocket], isConfined: false, says: "not a stream socket"),
        Case(name: "regular-file", codes: [.handshakeSocket], isConfined: false, says: "not a stream socket"),
        Case(name: "fifo", codes: [.handshakeSocket], isConfined: false, says: "not a stream socket"),
        Case(name: "seqpacket", codes: [.handshakeSocket], isConfined: false, says: "not a stream socket"),
        Case(name: "squatted", codes: [.handshakePeer], isConfined: false, says: "nothing was sent to it"),
    ]

    @Test("A handshake that breaks a rule is refused, and the next connector is served", arguments: cases)
    func refusesHandshake(_ entry: Case) async throws {
        let bench = try SessionBench()
        let error = try await bench.refusal(entry.name, confined: entry.isConfined) { request in
            if entry.waits { request.timeouts.handshake = 200 }
        }
        #expect(entry.codes.contains(error.code), "\(error.code): \(error)")
        #expect("\(error)".contains(entry.says), "\(error)")
        if let exit = entry.exit { #expect(error.exit == exit, "\(error)") }
        #expect(!bench.printed.contains { $0.contains("stranger") })
        try await bench.expectAllWell()
    }

    @Test("A line that arrives in pieces is the handshake all the same")
    func splitLine() async throws {
        let bench = try SessionBench()
        let session = try await bench.start("split-line")
        #expect(try await session.ping() == "pong")
        #expect(await session.stop() == .exited(0))
        try await bench.expectAllWell()
    }

    @Test("A confined connector cannot fork, so nothing of it can stay behind")
    func forkIsDenied() async throws {
        let bench = try SessionBench()
        let error = try await bench.refusal("forks")
        #expect(error.exit == .exited(3))
        #expect(error.output == ["fork: \(EPERM)"])
        try await bench.expectAllWell()
    }

    @Test("A child that keeps stderr open neither blocks the host nor outlives its parent")
    func childHoldsStandardError() async throws {
        let bench = try SessionBench()
        let error = try await bench.refusal("child-holds-stderr", confined: false)
        #expect(error.code == .handshakeExited)
        #expect(error.exit == .exited(3))
        let child = try #require(error.output.first?.split(separator: " ").last.flatMap { Int32($0) })
        #expect(!ProcessList.isRunning(child))
        try await bench.expectAllWell()
    }

    @Test("A child that left the process group cannot block the host; only confinement keeps it from existing")
    func escapedChild() async throws {
        let bench = try SessionBench()
        let error = try await bench.refusal("escaped-child", confined: false)
        #expect(error.code == .handshakeExited)
        #expect(error.exit == .exited(3))
        let child = try #require(error.output.first?.split(separator: " ").last.flatMap { Int32($0) })
        kill(child, SIGKILL)
        try await bench.expectAllWell()
    }

    struct Greeting: Sendable, CustomTestStringConvertible {
        var name: String
        var code: SessionError.Code
        var says: String

        var testDescription: String { name }
    }

    static let greetings = [
        Greeting(name: "hello-silent", code: .hello, says: "did not answer before the deadline"),
        Greeting(name: "hello-garbage", code: .hello, says: "invalid-message"),
        Greeting(name: "hello-huge", code: .hello, says: "4294967295 bytes"),
        Greeting(name: "hello-refused", code: .hello, says: "not \\x{1b}[31mtoday"),
        Greeting(name: "early", code: .hello, says: "call-before-hello"),
        Greeting(name: "future", code: .protocolVersion, says: "speaks protocol versions [7, 9], this host [1]"),
        Greeting(name: "lying-version", code: .protocolVersion, says: "none in common"),
        Greeting(name: "wrong-name", code: .name, says: "calls itself \"oth\\x{1b}er\""),
    ]

    @Test("A Hello that breaks a rule is refused, and the next connector is served", arguments: greetings)
    func refusesHello(_ entry: Greeting) async throws {
        let bench = try SessionBench()
        let error = try await bench.refusal(entry.name) { request in
            if entry.name == "hello-silent" { request.timeouts.hello = 200 }
        }
        #expect(error.code == entry.code, "\(error)")
        #expect("\(error)".contains(entry.says), "\(error)")
        try await bench.expectAllWell()
    }
}
