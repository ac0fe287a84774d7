import Foundation
import Testing
import TrstctlPolicy
import TrstctlWire

@testable import TrstctlBroker

@Suite struct ManualTests {
    @Test(.enabled(if: ProcessInfo.processInfo.environment["PEERS"] != nil)) func peers() throws {
        let all: [String: Wire.ProbeTlsRequest.StartTls] = ["smtp": .smtp, "imap": .imap, "pop3": .pop3, "ldap": .ldap, "mysql": .mysql]
        for peer in (ProcessInfo.processInfo.environment["PEERS"] ?? "").split(separator: " ") {
            let parts = peer.split(separator: "=")
            let scope = BrokerScope(rights: .readOnly, grants: try GrantSet.parse(dial: [String(parts[1])]))
            let reply = scope.perform(.probeTls(Wire.ProbeTlsRequest(address: String(parts[1]), serverName: "x.example", startTls: all[String(parts[0])] ?? .none)))
            print("PEER", peer, reply.code as Any, reply.message, reply.result.map { "\($0)".prefix(200) } ?? "")
        }
    }
}
