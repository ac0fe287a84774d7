import Testing
import TrstctlPolicy
import TrstctlSystem

/// A seeded generator (SplitMix64), so that a failure repeats.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

@Suite("Intersections keep what they promise for any two sets")
struct IntersectionProperties {
    // A small alphabet, so that rules meet often; with siblings that share a prefix and both spellings of one letter.
    static let names = ["a", "ab", "b", "\u{E9}", "e\u{301}"]
    static let hosts = ["a.example.com", "b.example.com", "example.com", "a.b.example.com", "127.0.0.1", "[::1]"]

    static func path(_ random: inout SeededGenerator) -> String {
        (0..<Int.random(in: 1...3, using: &random)).map { _ in
            "/" + (names.randomElement(using: &random) ?? "a")
        }.joined()
    }

    static func dial(_ random: inout SeededGenerator) -> String {
        switch Int.random(in: 0...5, using: &random) {
        case 0: "*.example.com:\(Int.random(in: 1...2, using: &random))"
        case 1: "unix:\(path(&random))"
        default:
            "\(hosts.randomElement(using: &random) ?? "a"):\(Int.random(in: 1...2, using: &random))"
                + (Bool.random(using: &random) ? " plain" : "")
        }
    }

    static func argv(_ random: inout SeededGenerator) -> [String] {
        ["/x"] + (0..<Int.random(in: 0...2, using: &random)).map { _ in names.randomElement(using: &random) ?? "a" }
    }

    static func set(_ random: inout SeededGenerator) throws -> GrantSet {
        let count = 0..<Int.random(in: 0...4, using: &random)
        return try GrantSet.parse(
            read: count.map { _ in path(&random) + (Bool.random(using: &random) ? "/" : "") },
            write: count.map { _ in path(&random) + (Bool.random(using: &random) ? "/" : "") },
            dial: count.map { _ in dial(&random) }, exec: count.map { _ in argv(&random) })
    }

    static func operation(_ random: inout SeededGenerator) throws -> Operation {
        let path = try AbsolutePath(path(&random))
        switch Int.random(in: 0...8, using: &random) {
        case 0: return .readFile(path)
        case 1: return .stat(path)
        case 2: return .writeFile(path)
        case 3: return .removeFile(path)
        case 4: return .exec(argv: argv(&random).map { Bytes($0) })
        case 5: return .dialSocket(path)
        case 6: return .sendSocket(path)
        case 7: return .send(try DialAddress("\(hosts.randomElement(using: &random) ?? "a"):1"))
        default:
            let host = hosts.randomElement(using: &random) ?? "a"
            return .dial(try DialAddress("\(host):\(Int.random(in: 1...2, using: &random))"))
        }
    }

    static func allows(_ set: GrantSet, _ operation: Operation) -> Bool {
        if case .allowed = authorize(operation, effective: set, scope: .mutating) { return true }
        return false
    }

    @Test(arguments: [1, 2, 3, 4])
    func `What is allowed is exactly what both sets allow, and nothing depends on order`(seed: UInt64) throws {
        var random = SeededGenerator(state: seed)
        for _ in 0..<1500 {
            let declared = try Self.set(&random)
            let approved = try Self.set(&random)
            let both = GrantSet.intersection(declared: declared, approved: approved)
            #expect(both.isSubset(of: declared) && both.isSubset(of: approved))
            // Swapped, only the directories to open may differ, never what is allowed.
            let swapped = GrantSet.intersection(declared: approved, approved: declared)
            #expect(both.isSubset(of: swapped) && swapped.isSubset(of: both))
            #expect(both == GrantSet.intersection(declared: Self.shuffled(declared, &random), approved: approved))
            #expect(both == GrantSet.intersection(declared: declared, approved: Self.shuffled(approved, &random)))
            for _ in 0..<6 {
                let operation = try Self.operation(&random)
                // `stat` follows from reading or from writing, so both sides may allow it for different reasons.
                if case .stat = operation { continue }
                #expect(
                    Self.allows(both, operation)
                        == (Self.allows(declared, operation) && Self.allows(approved, operation)))
            }
        }
    }

    @Test func `More declared or more approved never allows less`() throws {
        var random = SeededGenerator(state: 7)
        for _ in 0..<1500 {
            let declared = try Self.set(&random)
            let approved = try Self.set(&random)
            let more = try Self.set(&random)
            let both = GrantSet.intersection(declared: declared, approved: approved)
            let wider = GrantSet.intersection(declared: declared, approved: Self.union(approved, more))
            #expect(both.isSubset(of: wider))
            #expect(both.isSubset(of: GrantSet.intersection(declared: Self.union(declared, more), approved: approved)))
        }
    }

    @Test func `A subset is what has no difference, and allows nothing that the other does not`() throws {
        var random = SeededGenerator(state: 9)
        for _ in 0..<1500 {
            let one = try Self.set(&random)
            let other = try Self.set(&random)
            guard one.isSubset(of: other) else { continue }
            for _ in 0..<6 {
                let operation = try Self.operation(&random)
                if Self.allows(one, operation) { #expect(Self.allows(other, operation)) }
            }
        }
    }

    static func union(_ one: GrantSet, _ other: GrantSet) -> GrantSet {
        GrantSet(
            read: one.read + other.read, write: one.write + other.write, dial: one.dial + other.dial,
            exec: one.exec + other.exec)
    }

    static func shuffled(_ set: GrantSet, _ random: inout SeededGenerator) -> GrantSet {
        GrantSet(
            read: (set.read + set.read).shuffled(using: &random), write: set.write.shuffled(using: &random),
            dial: set.dial.shuffled(using: &random), exec: set.exec.shuffled(using: &random))
    }
}
