import Foundation
import Testing
import TrstctlCrypto
import TrstctlPolicy
import TrstctlSystem
import TrstctlTestSupport
import TrstctlWire

@testable import TrstctlBroker

@Suite("Requests over HTTPS", .ownThreads)
struct RequestTests {
    let pki: TestPKI
    let server: PythonServer
    let authorities: String
    let base: String

    init() throws {
        pki = try TestPKI()
        let made = try pki.issue("127.0.0.1", names: ["127.0.0.1", "localhost", "other.example"])
        server = try PythonServer("https_server", [made.fullchainPath, made.keyPath])
        authorities = try pki.write("root.pem", pki.root.certificate.pem)
        base = "https://127.0.0.1:\(server.port)"
    }

    func scope(_ rights: ScopeRights = .mutating, dial: [String]? = nil) throws -> BrokerScope {
        BrokerScope(
            rights: rights,
            grants: try GrantSet.parse(read: [authorities], dial: dial ?? ["127.0.0.1:\(server.port)"]),
            secrets: RequestFixture.secrets, network: NetworkSettings())
    }

    var tls: Wire.TlsOptions { Wire.TlsOptions(authoritiesPath: Bytes(authorities)) }

    @Test func `A granted server is asked, verified against the file of authorities`() throws {
        let scope = try scope()
        let reply = scope.perform(
            .request(Wire.HttpRequest(method: "GET", url: base + "/hello?a=b", tls: tls)))
        let response = try #require(reply.http, "\(reply.message)")
        #expect(response.status == 200 && !response.planned)
        let seen = try response.json()
        #expect(seen["path"] as? String == "/hello?a=b" && seen["method"] as? String == "GET")
        let headers = try #require(seen["headers"] as? [String: String])
        #expect(headers["Host"] == "127.0.0.1:\(server.port)")
        #expect(headers["Accept-Encoding"] == nil && headers["Cookie"] == nil && headers["User-Agent"] == nil)
        #expect(scope.records.map(\.operation) == ["ReadFile", "Request"])
        #expect(scope.records.last?.object == "GET \(base)/hello")
        #expect(scope.records.last?.reason == "status 200")
        #expect(scope.records.allSatisfy { $0.outcome == .allowed })
    }
}
