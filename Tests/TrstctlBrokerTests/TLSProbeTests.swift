import CTrstctlSystem
import Glibc
import Synchronization
import Testing
import TrstctlCrypto
import TrstctlSystem
import TrstctlTestSupport

@testable import TrstctlBroker

/// The probe against real servers, and against peers that are none.
@Suite struct TLSProbeTests {
    let pki: TestPKI
    /// Long enough never to pass in a test that expects an answer.
    let patient = Deadline.after(milliseconds: 60_000)

    init() throws { pki = try TestPKI() }

    func failure(_ host: String, _ port: UInt16, name: String? = nil, deadline: Deadline) -> ProbeError? {
        do throws(ProbeError) {
            _ = try TLSProbe.run(host: host, port: port, serverName: name, deadline: deadline)
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"], [TestPKI.Algorithm.ecdsaP256, .rsa2048])
    func `A real server's chain is seen as it is served`(version: String, algorithm: TestPKI.Algorithm) throws {
        let made = try pki.issue("www.example.org", algorithm: algorithm)
        let server = try OpenSSLServer(made, [version])
        let served = try TLSProbe.run(
            host: "127.0.0.1", port: server.port, serverName: "www.example.org", deadline: patient)
        #expect(served.fingerprint == made.fingerprint)
        #expect(served.certificates == [made.leaf, pki.intermediate.certificate])
        #expect(served.protocolVersion == (version == "-tls1_2" ? "TLSv1.2" : "TLSv1.3"))
        #expect(served.address == "127.0.0.1:\(server.port)")
        guard case .untrusted(let reason) = served.systemTrust else {
            Issue.record("the system trusts a test authority")
            return
        }
        #expect(!reason.isEmpty)
    }

    @Test func `The server name chooses the certificate, and an address sends none`() throws {
        let main = try pki.issue("main.example")
        let other = try pki.issue("other.example")
        let server = try OpenSSLServer(
            main, ["-servername", "other.example", "-cert2", other.certificatePath, "-key2", other.keyPath])
        func fingerprint(_ name: String?) throws -> String {
            try TLSProbe.run(host: "127.0.0.1", port: server.port, serverName: name, deadline: patient).fingerprint
        }
        #expect(try fingerprint("other.example") == other.fingerprint)
        #expect(try fingerprint("other.example.") == other.fingerprint)
        #expect(try fingerprint("main.example") == main.fingerprint)
        #expect(try fingerprint(nil) == main.fingerprint)
        #expect(try fingerprint("127.0.0.1") == main.fingerprint)
    }

    @Test(arguments: [("host.example", true), ("127.0.0.1", false), ("::1", false)])
    func `Only a DNS name goes into the ClientHello`(name: String, isSent: Bool) throws {
        let listener = try LoopbackListener()
        let seen = Mutex<[UInt8]>([])
        let finished = Gate()
        listener.serveOnce { connection in
            var buffer = [UInt8](repeating: 0, count: 4096)
            let count = recv(connection, &buffer, buffer.count, 0)
            seen.withLock { $0 = Array(buffer.prefix(max(0, count))) }
            finished.open()
        }
        #expect(failure("127.0.0.1", listener.port, name: name, deadline: patient)?.code == .closed)
        finished.wait()
        let hello = seen.withLock { $0 }
        #expect(hello.first == 22)
        #expect(hello.contains(name.utf8) == isSent)
    }

    @Test func `A name is looked up, and a server that asks for a client certificate is still seen`() throws {
        let made = try pki.issue("localhost")
        let server = try OpenSSLServer(made, ["-verify", "1"])
        let served = try TLSProbe.run(host: "localhost", port: server.port, deadline: patient)
        #expect(served.fingerprint == made.fingerprint)
    }

    @Test func `An expired certificate is shown, not judged`() throws {
        let made = try pki.issue("old", startsAt: -7200, lasts: 3600)
        let server = try OpenSSLServer(made)
        #expect(
            try TLSProbe.run(host: "127.0.0.1", port: server.port, deadline: patient).fingerprint == made.fingerprint)
    }

    @Test func `A port where nobody listens is refused`() throws {
        let port = try LoopbackListener().port
        let error = try #require(failure("127.0.0.1", port, deadline: patient))
        #expect(error.code == .refused)
        #expect(error.stage == .connect)
        #expect(error.address == "127.0.0.1:\(port)")
        #expect("\(error)" == "TLS probe of 127.0.0.1:\(port), connect: Connection refused")
    }

    @Test func `A server that accepts and says nothing is left at the deadline`() throws {
        // The kernel accepts on the listener's behalf; nobody ever answers.
        let listener = try LoopbackListener()
        var error: ProbeError?
        // On a machine that stood still for so long the deadline passes before there is a connection.
        for milliseconds in [50, 500, 5_000] as [Int64] where error?.stage != .handshake {
            error = failure("127.0.0.1", listener.port, deadline: .after(milliseconds: milliseconds))
            #expect(error?.code == .timedOut)
        }
        #expect(error?.stage == .handshake)
        withExtendedLifetime(listener) {}
    }

    @Test func `A deadline that has passed is kept before the first byte`() throws {
        let made = try pki.issue("www")
        let server = try OpenSSLServer(made)
        #expect(failure("127.0.0.1", server.port, deadline: .after(milliseconds: 0))?.code == .timedOut)
    }

    @Test func `A plain HTTP server is told apart`() throws {
        let listener = try LoopbackListener()
        listener.serveOnce { connection in
            var buffer = [UInt8](repeating: 0, count: 4096)
            _ = recv(connection, &buffer, buffer.count, 0)
            let answer = Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8)
            _ = send(connection, answer, answer.count, Int32(MSG_NOSIGNAL))
            _ = recv(connection, &buffer, buffer.count, 0)
        }
        let error = try #require(failure("127.0.0.1", listener.port, deadline: patient))
        #expect(error.code == .notTLS)
        #expect(error.reason == "what answers does not speak TLS; it says `HTTP/1.1 400 Bad Request????`")
    }

    @Test func `A server that closes at once is told apart, and raises no SIGPIPE`() throws {
        let listener = try LoopbackListener()
        listener.serveOnce { _ in }
        #expect(failure("127.0.0.1", listener.port, deadline: patient)?.code == .closed)
        // With a reset in place of an orderly end.
        listener.serveOnce { connection in
            var now = linger(l_onoff: 1, l_linger: 0)
            setsockopt(connection, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
        }
        #expect(failure("127.0.0.1", listener.port, deadline: patient)?.code == .closed)
    }

    @Test func `A peer that goes away before we send is an error, not a signal`() throws {
        let listener = try LoopbackListener()
        let peer = try #require(PeerAddress(bytes: [127, 0, 0, 1], port: listener.port))
        let socket = try ProbeSocket.connect(to: peer, connected: patient, deadline: patient)
        do {
            let connection = listener.accept()
            var now = linger(l_onoff: 1, l_linger: 0)
            setsockopt(connection.raw, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
        }
        var codes: [ProbeError.Code] = []
        let bytes: Bytes = "a few bytes"
        for _ in 0..<2 {
            do throws(ProbeError) {
                try bytes.withUnsafeBytes { (bytes) throws(ProbeError) in try socket.send(bytes) }
            } catch {
                codes.append(error.code)
            }
        }
        // The first names the reset, the second would raise SIGPIPE.
        #expect(codes == [.closed, .closed])
    }

    @Test func `A stream without end is cut off`() throws {
        let listener = try LoopbackListener()
        listener.serveOnce { connection in
            // A record full of HelloRequest messages, which a client has to ignore during a handshake (RFC 5246, 7.4.1.1).
            let record: [UInt8] = [22, 3, 3, 0x40, 0] + [UInt8](repeating: 0, count: 0x4000)
            while send(connection, record, record.count, Int32(MSG_NOSIGNAL)) > 0 {}
        }
        #expect(failure("127.0.0.1", listener.port, deadline: patient)?.code == .tooMuch)
    }

    @Test func `Names that are none are refused before anything is dialled`() {
        for host in ["", "a b", "x\0y", "127.1", "0x7f.0.0.1", "1.2.3.0x4", "a..b", String(repeating: "a", count: 64)] {
            #expect(failure(host, 443, deadline: patient)?.code == .invalidTarget, "\(host)")
        }
        #expect(failure("127.0.0.1", 0, deadline: patient)?.code == .invalidTarget)
        #expect(failure("127.0.0.1", 1, name: "a\nb", deadline: patient)?.code == .invalidTarget)
        #expect(failure("127.0.0.1", 1, name: "*.example.org", deadline: patient)?.code == .invalidTarget)
    }

    @Test func `The next address is tried when one does not answer`() throws {
        let made = try pki.issue("www")
        let server = try OpenSSLServer(made)
        let closed = try LoopbackListener().port
        let addresses = try [closed, server.port].map { try #require(PeerAddress(bytes: [127, 0, 0, 1], port: $0)) }
        let served = try TLSProbe.run(addresses: addresses, serverName: "www", deadline: patient)
        #expect(served.fingerprint == made.fingerprint)
    }

    @Test func `Addresses are shown in the usual way`() {
        #expect(PeerAddress(bytes: [192, 0, 2, 1], port: 443)?.text == "192.0.2.1:443")
        let loopback = [UInt8](repeating: 0, count: 15) + [1]
        #expect(PeerAddress(bytes: loopback, port: 8443)?.text == "[::1]:8443")
        #expect(PeerAddress(bytes: [1, 2, 3], port: 1) == nil)
    }
}

/// Name resolution before a deadline.
@Suite struct TLSAddressLookupTests {
    let places = LookupPlaces(1)

    @Test func `A name service that does not answer is left at the deadline`() throws {
        let gate = Gate()
        defer { gate.open() }
        #expect {
            _ = try AddressLookup.addresses(
                of: "slow.example", port: 1, deadline: .after(milliseconds: 20), places: places
            ) { _, _ in
                gate.wait()
                return .addresses([])
            }
        } throws: { ($0 as? ProbeError)?.code == .timedOut }
    }

    @Test func `Look-ups that were left behind are bounded, and their places come back`() throws {
        let gate = Gate()
        let holder = LookupPlaces(1)
        func code(_ deadline: Deadline, wait: Bool) -> ProbeError.Code? {
            do throws(ProbeError) {
                _ = try AddressLookup.addresses(of: "x.example", port: 1, deadline: deadline, places: holder) { _, _ in
                    if wait { gate.wait() }
                    return .failure(EAI_NONAME)
                }
                return nil
            } catch {
                return error.code
            }
        }
        #expect(code(.after(milliseconds: 0), wait: true) == .timedOut)
        #expect(code(.never, wait: false) == .local)
        gate.open()
        // The thread that was left behind ends, and gives its place back.
        while code(.never, wait: false) == .local { sched_yield() }
        #expect(code(.never, wait: false) == .unresolved)
    }

    @Test func `A literal asks no name service`() throws {
        let found = try AddressLookup.addresses(of: "::1", port: 443, deadline: .after(milliseconds: 0), places: places)
        { _, _ in
            Issue.record("asked")
            return .failure(EAI_NONAME)
        }
        #expect(found.map(\.text) == ["[::1]:443"])
    }

    @Test func `A name without an address is unresolved, with the resolver's reason`() {
        #expect {
            _ = try AddressLookup.addresses(of: "none.example", port: 1, deadline: .never, places: places) { _, _ in
                .failure(EAI_NONAME)
            }
        } throws: { ($0 as? ProbeError)?.code == .unresolved && ($0 as? ProbeError)?.reason.isEmpty == false }
        #expect {
            _ = try AddressLookup.addresses(of: "none.example", port: 1, deadline: .never, places: places) { _, _ in
                .addresses([])
            }
        } throws: { ($0 as? ProbeError)?.code == .unresolved }
    }
}

/// Holds a thread until it is opened.
final class Gate: Sendable {
    private let ends: (reader: Int32, writer: Int32)

    init() {
        var pair: [Int32] = [-1, -1]
        _ = trstctl_pipe(&pair, 0)
        ends = (pair[0], pair[1])
    }

    func wait() {
        var byte: UInt8 = 0
        _ = read(ends.reader, &byte, 1)
        close(ends.reader)
    }

    func open() { close(ends.writer) }
}
