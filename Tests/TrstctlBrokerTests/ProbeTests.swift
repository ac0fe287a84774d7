import Glibc
import Testing
import TrstctlPolicy
import TrstctlSystem
import TrstctlTestSupport
import TrstctlWire

@testable import TrstctlBroker

@Suite("Probing TLS servers")
struct ProbeTests {
    private func open(_ peers: [String]) throws -> BrokerScope {
        BrokerScope(rights: .readOnly, grants: try GrantSet.parse(dial: peers))
    }

    private func probe(_ scope: BrokerScope, _ address: String, name: String = "") -> Wire.Reply {
        scope.perform(.probeTls(Wire.ProbeTlsRequest(address: address, serverName: name, timeoutMilliseconds: 60_000)))
    }

    @Test("A granted server's chain comes back; the name chooses the certificate, no name sends none")
    func probes() throws {
        let pki = try TestPKI()
        let main = try pki.issue("main.example")
        let other = try pki.issue("other.example")
        let server = try OpenSSLServer(
            main, ["-servername", "other.example", "-cert2", other.certificatePath, "-key2", other.keyPath])
        let peers = ["127.0.0.1:\(server.port)", "localhost:\(server.port)"]
        let scope = try open([peers[0], peers[1] + " loopback"])
        for (peer, name, expected) in [
            (peers[0], "", main), (peers[0], "other.example", other), (peers[1], "", main),
            (peers[1], "127.0.0.1", main),
        ] {
            guard case .probeTls(let response) = probe(scope, peer, name: name).result else {
                Issue.record("no answer for \(peer) \(name)")
                continue
            }
            #expect(response.certificates.first?.fingerprint == expected.fingerprint)
            #expect(
                response.certificates.first?.names == [
                    expected.fingerprint == main.fingerprint ? "main.example" : "other.example"
                ])
            #expect(!response.verified && !response.verificationError.isEmpty && !response.planned)
            #expect(response.protocol.hasPrefix("TLSv1."))
        }
        #expect(scope.records.allSatisfy { $0.outcome == .allowed })
    }

    @Test("A peer that is not granted is refused, another spelling is INVALID_ARGUMENT")
    func refuses() throws {
        let scope = try open(["127.0.0.1:443"])
        #expect(probe(scope, "127.0.0.1:444").code == .permissionDenied)
        #expect(probe(scope, "127.0.0.1:444").status?.fix == "net.dial: [\"127.0.0.1:444\"]")
        for address in ["127.1:443", "127.0.0.1", "0x7f000001:443", "127.0.0.1:0443", "", "localhost:"] {
            #expect(probe(scope, address).code == .invalidArgument)
        }
        let unknown = Wire.ProbeTlsRequest(address: "127.0.0.1:443", startTls: .unrecognized(99))
        #expect(scope.perform(.probeTls(unknown)).code == .invalidArgument)
        let late = Wire.ProbeTlsRequest(address: "127.0.0.1:443", timeoutMilliseconds: 60_001)
        #expect(scope.perform(.probeTls(late)).code == .invalidArgument)
    }

    @Test("Nobody there is UNAVAILABLE and worth another try; a peer that does not speak TLS is not")
    func absent() throws {
        let listener = try LoopbackListener()
        let scope = try open(["127.0.0.1:1", "127.0.0.1:\(listener.port)"])
        #expect(probe(scope, "127.0.0.1:1").code == .unavailable)
        #expect(probe(scope, "127.0.0.1:1").status?.retryable == true)
        let said = probe(scope, "127.0.0.1:1").status?.message
        #expect(said == "TLS probe of 127.0.0.1:1, connect: Connection refused")
        listener.serveOnce { descriptor in
            _ = write(descriptor, "220 mail.example\r\n", 18)
        }
        #expect(probe(scope, "127.0.0.1:\(listener.port)").code == .failedPrecondition)
    }
}
