import Foundation
import Testing
import TrstctlPolicy
import TrstctlSystem
import TrstctlTestSupport

/// Random rules, sets and operations: what the host decides is written as rows of a table, and the second implementation,
/// spec/conformance/grants/grants.py, checks them.
///
/// `TRSTCTL_SOAK_DIFFERENTIAL` is how many decisions there are instead of 100,000, `TRSTCTL_GRANT_SEED` makes other ones.
@Suite("Grants: two implementations agree", .timeLimit(.minutes(240)))
struct GrantDifferentialTests {
    typealias Properties = IntersectionProperties

    /// Pieces of rules, right and wrong ones.
    static let pieces = [
        "/", "a", "..", ".", "//", "*", "*.", "example.com", "b.c", ":", "443", "0", "065", "65536", "[::1]", "::", "[",
        "]", "unix:", "127.0.0.1", "127.1", "0x1", "-", "_", "{", "}", "{{", "{int", "int}", "{int}", "{int:", "1..9",
        "9..1", "{[", "a-z", "a-f", "A-F", "0-9", "]:", "]:1..3}", "{fingerprint}", "\u{E9}", " ", "\0", "\u{338}",
        "ffff", "1:2", " private", " loopback", " plain",
    ]

    static func noise(_ random: inout SeededGenerator) -> String {
        (0..<Int.random(in: 1...6, using: &random)).map { _ in pieces.randomElement(using: &random) ?? "/" }.joined()
    }

    static func rule(_ random: inout SeededGenerator) -> [String: Any] {
        let capability = Capability.allCases.randomElement(using: &random) ?? .fsRead
        let start = Bool.random(using: &random) ? "/" : ""
        let rule: Any =
            capability == .processExec
            ? ["/" + (Bool.random(using: &random) ? "x" : noise(&random)), noise(&random)]
            : capability == .netDial ? noise(&random) + (start.isEmpty ? "" : ":443") : start + noise(&random)
        var set = GrantSet()
        let isAccepted = (try? GrantVectors.add(rule, capability.rawValue, to: &set)) != nil
        return ["capability": capability.rawValue, "rule": rule, "accepted": isAccepted]
    }

    static func texts(_ set: GrantSet) -> [String: Any] {
        func text(_ bytes: Bytes) -> String { bytes.text ?? "" }
        return [
            "fs.read": set.read.map { text($0.bytes) }, "fs.write": set.write.map { text($0.bytes) },
            "net.dial": set.dial.map { text($0.bytes) }, "process.exec": set.exec.map { $0.rule.map(text) },
        ]
    }

    static func operation(_ effective: GrantSet, _ random: inout SeededGenerator) -> [String: Any] {
        let path = Int.random(in: 0...9, using: &random) == 0 ? noise(&random) : Properties.path(&random)
        switch Int.random(in: 0...9, using: &random) {
        case 0: return ["read": path]
        case 1: return ["stat": path]
        case 2: return ["write": path]
        case 3: return ["remove": path]
        case 4: return ["connect": "unix:" + path]
        case 5:
            let host = Properties.hosts.randomElement(using: &random) ?? "a"
            let kind = Bool.random(using: &random) ? "connect" : "send"
            return [kind: "\(host):\(Int.random(in: 0...2, using: &random))"]
        case 6: return ["send": noise(&random)]
        case 7:
            guard let rule = effective.exec.randomElement(using: &random) else { return ["run": ["/x"]] }
            return ["run": Properties.command(rule, &random).map { $0.text ?? "" }]
        case 8: return ["run": ["/x", noise(&random)]]
        default: return ["run": Properties.argv(&random)]
        }
    }

    /// Two sets, what they have in common, and decisions.
    static func sets(_ random: inout SeededGenerator, decisions: Int) throws -> [String: Any] {
        let declared = try Properties.set(&random)
        let approved = try Properties.set(&random)
        let effective = GrantSet.intersection(declared: declared, approved: approved)
        let cases = try (0..<decisions).map { _ -> [String: Any] in
            let operation = operation(Bool.random(using: &random) ? effective : approved, &random)
            let scope = ["read-only", "plan", "mutating"].randomElement(using: &random) ?? "plan"
            let found = try GrantVectors.decide(operation, scope: scope, effective: effective, declared: declared)
            var row: [String: Any] = ["operation": operation, "scope": scope, "decision": found.decision]
            row["reason"] = found.reason
            row["permits"] = found.permits
            // Python escapes what is not UTF-8 in another way than the host does; the names here are UTF-8.
            if let beneath = found.beneath, !beneath.contains("\\") { row["beneath"] = beneath }
            return row
        }
        return [
            "declared": texts(declared), "approved": texts(approved), "effective": texts(effective),
            "missing": texts(declared.difference(from: approved)), "cases": cases,
        ]
    }

    @Test func `A hundred thousand random decisions, and as many sets and rules as they need, are the same`() throws {
        let environment = ProcessInfo.processInfo.environment
        let wanted = soakCount("DIFFERENTIAL", short: 100_000)
        var random = SeededGenerator(state: environment["TRSTCTL_GRANT_SEED"].flatMap(UInt64.init) ?? 4)
        let file = FileManager.default.temporaryDirectory.appending(path: "trstctl-grants-\(getpid()).jsonl")
        defer { try? FileManager.default.removeItem(at: file) }
        // In portions, so that a soak needs no more room than a test.
        var made = 0
        var accepted = 0
        var allowed = 0
        while made < wanted {
            var table = Data()
            for _ in 0..<1000 where made < wanted {
                let rule = Self.rule(&random)
                if rule["accepted"] as? Bool == true { accepted += 1 }
                let sets = try Self.sets(&random, decisions: 20)
                let cases = sets["cases"] as? [[String: Any]] ?? []
                allowed += cases.count { $0["decision"] as? String == "allowed" }
                made += cases.count
                for row in [rule, sets] {
                    table += try JSONSerialization.data(withJSONObject: row) + Data("\n".utf8)
                }
            }
            try table.write(to: file)
            let (status, text) = try Self.python(file)
            try #require(status == 0, "\(text.suffix(4000))")
        }
        // Not everything is refused.
        #expect(
            accepted > made / 200 && allowed > made / 50, "\(accepted) rules accepted, \(allowed) of \(made) allowed")
    }

    @Test func `The second implementation holds the tables too, and notices a wrong row`() throws {
        let tables = ["rules", "decisions", "sets"].map { GrantVectors.directory.appending(path: "\($0).jsonl") }
        for table in tables { #expect(try Self.python(table).status == 0) }
        let file = FileManager.default.temporaryDirectory.appending(path: "trstctl-grants-\(getpid()).wrong")
        defer { try? FileManager.default.removeItem(at: file) }
        for wrong in [
            #"{"capability": "fs.read", "rule": "/a", "accepted": false}"#,
            #"{"approved": {"fs.read": ["/a"]}, "operation": {"read": "/a"}, "decision": "denied", "reason": "x"}"#,
            #"{"declared": {"fs.read": ["/a"]}, "approved": {}, "effective": {"fs.read": ["/a"]}}"#,
        ] {
            try Data(wrong.utf8).write(to: file)
            #expect(try Self.python(file).status == 1)
        }
    }

    private static func python(_ table: URL) throws -> (status: Int32, text: String) {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/python3")
        // No byte code beside the specification.
        process.arguments = ["-B", GrantVectors.directory.appending(path: "grants.py").path(), table.path()]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: text, as: UTF8.self))
    }
}
