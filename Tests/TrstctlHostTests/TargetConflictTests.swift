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
                let conflicts = TargetConflict.find(order)
                #expect(conflicts.count == 2, "\(rival.write)")
                #expect(conflicts.values.allSatisfy { $0.targets == order.map(\.name) }, "\(rival.write)")
                #expect(conflicts[0]?.summary.contains("/etc/tls/www") == true)
            }
        }
        for other in [
            try plain("b", "/etc/tls/wwwx/key"), try plain("b", "/etc/tls"), try versioned("b", "/etc/tls/c/"),
        ] {
            #expect(TargetConflict.find([www, other]).isEmpty, "\(other.write)")
        }
        #expect(TargetConflict.find([www]).isEmpty)
    }

    @Test("Above several versioned directories, the one that is reached is named")
    func above() throws {
        let targets = [
            try versioned("far", "/srv/far/"), try versioned("a", "/etc/tls/a/"), try versioned("b", "/etc/tls/b/"),
            try plain("wide", "/etc/"),
        ]
        let conflicts = TargetConflict.find(targets)
        #expect(conflicts.keys.sorted() == [1, 2, 3])
        #expect(conflicts[1]?.targets == ["a", "wide"] && conflicts[2]?.targets == ["b", "wide"])
        #expect(conflicts[3]?.targets == ["a", "wide"])
    }

    @Test("Everyone who writes a file that another one writes is in conflict, and nobody else")
    func everyone() throws {
        let targets = [
            try plain("a", "/srv/x"), try plain("alone", "/srv/y", "/srv/dir/"), try plain("b", "/srv/x", "/srv/z"),
            try plain("c", "/srv/z"), try plain("d", "/srv/x"), try plain("below", "/srv/dir/y"),
            try versioned("e", "/etc/e/k"), try versioned("f", "/etc/e/k"), try versioned("g", "/etc/e/c"),
            try plain("wide", "/etc/"), try plain("inner", "/etc/e/"),
        ]
        let conflicts = TargetConflict.find(targets)
        #expect(
            conflicts.keys.sorted().map { targets[$0].name } == ["a", "b", "c", "d", "e", "f", "g", "wide", "inner"])
        #expect(conflicts[0]?.targets == ["a", "b"] && conflicts[4]?.targets == ["a", "d"])
        #expect(conflicts[3]?.summary == "the targets b and c both write /srv/z; nothing was touched")
    }

    @Test("Ten thousand targets that are all in conflict are found as fast")
    func allInConflict() throws {
        let targets =
            try (0..<5_000).map { try versioned("t\($0)", "/etc/tls/\($0)/key") }
            + (0..<5_000).map { try plain("w\($0)", "/etc/") }
        #expect(TargetConflict.find(targets).count == 10_000)
    }

    @Test("Ten thousand versioned targets are compared in no time")
    func many() throws {
        let targets = try (0..<10_000).map { try versioned("t\($0)", "/etc/tls/\($0)/key", "/etc/tls/\($0)/cert") }
        #expect(TargetConflict.find(targets).isEmpty)
    }
}
