import Testing
import TrstctlBroker
import TrstctlPolicy

@testable import TrstctlHost

@Suite("Targets that write the same")
struct TargetConflictTests {
    private typealias Rules = (name: String, write: [PathGrant], layout: VersionedLayout?)

    private func plain(_ name: String, _ rules: String...) throws -> Rules {
        (name, try rules.map { try PathGrant($0) }, nil)
    }

    private func versioned(_ name: String, _ rules: String...) throws -> Rules {
        let grants = try rules.map { try PathGrant($0) }
        return (name, grants, try VersionedLayout(grants))
    }

    @Test("A versioned directory is of one target alone")
    func shared() throws {
        let www = try versioned("www", "/etc/tls/www/key", "/etc/tls/www/cert")
        let rivals = [
            try versioned("b", "/etc/tls/www/other"), try plain("b", "/etc/tls/www/other"),
            try plain("b", "/etc/tls/www/"), try plain("b", "/etc/tls/"), try plain("b", "/etc/tls/www"),
            try plain("b", "/x", "/etc/tls/.www.trstctl/a/key"), try plain("b", "/etc/tls/.www.trstctl/"),
        ]
        for rival in rivals {
            for order in [[www, rival], [rival, www]] {
                let conflict = TargetConflict.find(order)
                #expect(Set(conflict?.targets ?? []) == ["www", "b"], "\(rival.write)")
                #expect(conflict?.description.contains("/etc/tls/www") == true)
            }
        }
        for other in [
            try plain("b", "/etc/tls/wwwx/key"), try plain("b", "/etc/tls"), try versioned("b", "/etc/tls/c/"),
        ] {
            #expect(TargetConflict.find([www, other]) == nil, "\(other.write)")
        }
        #expect(TargetConflict.find([www]) == nil)
    }

    @Test("Above several versioned directories, the one that is reached is named")
    func above() throws {
        let targets = [
            try versioned("far", "/srv/far/"), try versioned("a", "/etc/tls/a/"), try versioned("b", "/etc/tls/b/"),
            try plain("wide", "/etc/"),
        ]
        let conflict = try #require(TargetConflict.find(targets))
        #expect(conflict.targets.contains("wide") && !conflict.targets.contains("far"))
    }

    @Test("Ten thousand versioned targets are compared in no time")
    func many() throws {
        let targets = try (0..<10_000).map { try versioned("t\($0)", "/etc/tls/\($0)/key", "/etc/tls/\($0)/cert") }
        #expect(TargetConflict.find(targets) == nil)
    }
}
