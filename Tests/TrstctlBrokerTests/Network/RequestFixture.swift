import Foundation
import TrstctlPolicy
import TrstctlSystem
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
