import Foundation
import Testing
import TrstctlCrypto
import TrstctlPolicy
import TrstctlSystem
import TrstctlTestSupport
import TrstctlWire

@testable import TrstctlBroker

/// What tests of the network calls share.
enum RequestFixture {
    /// Secrets of every kind, all found by name.
    static let secrets = SecretSource([
        ("password", Bytes(Array("password-of-the-user".utf8), isSecret: true)),
        ("bearer", Bytes(Array("bearer-token-of-the-user".utf8), isSecret: true)),
        ("header", Bytes(Array("header-key-of-the-user".utf8), isSecret: true)),
        ("folded", Bytes(Array("with a line feed\n".utf8), isSecret: true)),
        ("empty", Bytes()),
    ])

    /// An answer that everybody understands.
    static let fine = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    /// A server with a certificate for these names, and the file with the authority that verifies it.
    static func server(_ names: String...) throws -> (pki: TestPKI, server: PythonServer, authorities: String) {
        let pki = try TestPKI()
        let made = try pki.issue(names.first ?? "", names: names)
        let server = try PythonServer("https_server", [made.fullchainPath, made.keyPath])
        return (pki, server, try pki.write("root.pem", pki.root.certificate.pem))
    }

    /// A scope with these rules of `net.dial`, and a network that asks no name service.
    static func scope(
        _ rights: ScopeRights = .mutating, dial: [String], read: [String] = [], secrets: SecretSource = secrets,
        names: [String: [String]] = [:], proxy: RequestProxy? = nil, plugin: String? = nil,
        _ change: (inout NetworkSettings) -> Void = { _ in }
    ) throws -> BrokerScope {
        var network = NetworkSettings()
        network.retryMilliseconds = 1
        let known = try names.mapValues { try $0.map { try address($0) } }
        network.resolver = { name, port in
            guard let found = known[name] else { return .failure(-2) }
            return .addresses(found.compactMap { PeerAddress(bytes: $0, port: port) })
        }
        change(&network)
        return BrokerScope(
            rights: rights, grants: try GrantSet.parse(read: read, dial: dial), plugin: plugin, secrets: secrets,
            proxy: proxy,
            network: network)
    }

    /// The bytes of an address in any spelling that inet_pton(3) knows.
    static func address(_ text: String) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 16)
        let isSix = text.contains(":")
        try #require(inet_pton(isSix ? AF_INET6 : AF_INET, text, &bytes) == 1)
        return Array(bytes.prefix(isSix ? 16 : 4))
    }
}

extension BrokerScope {
    /// A request, as a connector would make it.
    func ask(_ method: String = "GET", _ url: String, _ change: (inout Wire.HttpRequest) -> Void = { _ in })
        -> Wire.Reply
    {
        var request = Wire.HttpRequest(method: method, url: url, timeoutMilliseconds: 60_000)
        change(&request)
        return perform(.request(request))
    }

    /// What a hostile case has to leave behind: this reason in the audit, and a host that goes on working.
    func expectRefusal(
        _ reply: Wire.Reply, _ code: Wire.Status.Code, _ reason: EffectError.Code, healthy: ScriptedServer,
        _ place: SourceLocation = #_sourceLocation
    ) {
        #expect(reply.code == code, "\(reply.message)", sourceLocation: place)
        #expect(reply.http == nil, sourceLocation: place)
        let record = records.last
        #expect(record?.operation == "Request", sourceLocation: place)
        #expect(
            record?.reason?.hasPrefix(reason.rawValue + ":") == true, "\(record?.reason ?? "")", sourceLocation: place)
        let denial = EffectError(reason, object: "", "").isDenial
        #expect(record?.outcome == (denial ? .denied : .failed), sourceLocation: place)
        let after = ask("GET", "http://127.0.0.1:\(healthy.port)/")
        #expect(after.http?.body.text == "ok", "\(after.message)", sourceLocation: place)
    }
}

extension Wire.Reply {
    var http: Wire.HttpResponse? {
        if case .request(let response) = result { return response }
        return nil
    }

    var sent: Wire.SendResponse? {
        if case .send(let response) = result { return response }
        return nil
    }
}

extension Wire.HttpResponse {
    func json() throws -> [String: Any] {
        try JSONSerialization.jsonObject(with: Data(body.array)) as? [String: Any] ?? [:]
    }

    func value(_ name: String) -> String? {
        headers.first { $0.name.lowercased() == name.lowercased() }?.value.text
    }
}
