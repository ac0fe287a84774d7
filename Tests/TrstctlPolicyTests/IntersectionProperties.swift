import Testing
import TrstctlSystem

@testable import TrstctlPolicy

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

extension ArgumentPattern.Part {
    /// The bytes of a text; of a hole none.
    fileprivate var literal: [UInt8] {
        if case .text(let text) = self { text } else { [] }
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
        case 0:
            "*.example.com:\(Int.random(in: 1...2, using: &random))"
                + (Bool.random(using: &random) ? " private" : "")
        case 1: "unix:\(path(&random))"
        default:
            "\(hosts.randomElement(using: &random) ?? "a"):\(Int.random(in: 1...2, using: &random))"
                + (Bool.random(using: &random) ? " plain" : "")
        }
    }

    // Words that meet the holes below, just miss them, or hide behind a brace.
    static let words = [
        "a", "ab", "-a", "a-b", "f", "F", "_", "__", "0", "7", "07", "10", "99", "100", "{", "", "\u{E9}",
        String(repeating: "a7", count: 32),
    ]
    static let holes = [
        "{int}", "{int:0..9}", "{int:5..10}", "{int:10..99}", "{int:7..7}", "{fingerprint}", "{[a-z]:1..2}",
        "{[a-f0-9-]:1..64}", "{[a-z_-]:1..1}", "{[A-Z_]:1..3}", "{[0-9]:1..1}", "{[0-9]:2..3}", "{[_]:1..2}",
        "{[a-fA-F0-9_-]:2..255}", "{[0-9_-]:1..3}",
    ]

    /// An argument, as a rule or as a command has it, of parts that are divided in the same way.
    static func argument(holes: Bool, _ random: inout SeededGenerator) -> String {
        (0..<Int.random(in: 1...2, using: &random)).map { _ in
            let word = words.randomElement(using: &random) ?? "a"
            guard holes else { return word }
            guard Int.random(in: 0...2, using: &random) > 0 else { return word.replacing("{", with: "{{") }
            return Self.holes.randomElement(using: &random) ?? "{int}"
        }.joined(separator: Bool.random(using: &random) ? "=" : "/")
    }

    static func argv(holes: Bool = false, _ random: inout SeededGenerator) -> [String] {
        ["/x"] + (0..<Int.random(in: 0...2, using: &random)).map { _ in argument(holes: holes, &random) }
    }

    static func set(_ random: inout SeededGenerator) throws -> GrantSet {
        let count = 0..<Int.random(in: 0...4, using: &random)
        return try GrantSet.parse(
            read: count.map { _ in path(&random) + (Bool.random(using: &random) ? "/" : "") },
            write: count.map { _ in path(&random) + (Bool.random(using: &random) ? "/" : "") },
            dial: count.map { _ in dial(&random) }, exec: count.map { _ in argv(holes: true, &random) })
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

    /// A command that a rule covers: each hole filled by chance with something that it accepts.
    static func command(_ rule: ExecGrant, _ random: inout SeededGenerator) -> [Bytes] {
        [rule.program.bytes]
            + rule.arguments.map { pattern in
                Bytes(
                    pattern.parts.flatMap { part -> [UInt8] in
                        guard case .hole(let hole) = part else { return part.literal }
                        return text(in: hole, &random)
                    })
            }
    }

    static func text(in hole: Hole, _ random: inout SeededGenerator) -> [UInt8] {
        switch hole {
        case .number(let bounds):
            let near = bounds.lowerBound...min(bounds.upperBound, bounds.lowerBound &+ 20)
            return Array(String(Int64.random(in: Bool.random(using: &random) ? near : bounds, using: &random)).utf8)
        case .word(let bytes, let lengths):
            let all = (UInt8.min...UInt8.max).filter { bytes.contains($0) }
            let longest = min(lengths.upperBound, lengths.lowerBound + 3)
            return (0..<Int.random(in: lengths.lowerBound...longest, using: &random)).map { index in
                let fitting = index == 0 ? all.filter { $0 != UInt8(ascii: "-") } : all
                return fitting.randomElement(using: &random) ?? 0
            }
        }
    }

    @Test(arguments: [11, 12, 13])
    func `What fills a rule's holes is covered, and by both rules when it fills their intersection`(
        seed: UInt64
    ) throws {
        var random = SeededGenerator(state: seed)
        var shared = 0
        for _ in 0..<6000 {
            let one = try ExecGrant(Self.argv(holes: true, &random))
            let other = try ExecGrant(Self.argv(holes: true, &random))
            #expect(one.coversCommands(of: one))
            let command = Self.command(one, &random)
            #expect(one.covers(command))
            let both = ExecGrant.intersection(declared: one, approved: other)
            #expect(ExecGrant.intersection(declared: other, approved: one) == both)
            #expect((both?.covers(command) ?? false) == other.covers(command))
            #expect(one.coversCommands(of: other) == (both == other))
            guard let both else { continue }
            shared += 1
            let common = Self.command(both, &random)
            #expect(one.covers(common) && other.covers(common) && both.covers(common))
            #expect(try ExecGrant(rule: both.rule) == both)
        }
        #expect(shared > 500)
    }

    @Test func `Partial overlaps are intersected in bounded work`() throws {
        let many = try GrantSet.parse(exec: (0..<128).map { ["/x", "{int:\($0)..\($0 + 1000)}"] })
        let others = try GrantSet.parse(exec: (0..<128).map { ["/x", "{int:\(500 + $0 * 2)..\(2000 + $0)}"] })
        let both = GrantSet.intersection(declared: many, approved: others)
        #expect(both.exec.count <= 128 * 128)
        #expect(Self.allows(both, .exec(argv: ["/x", "900"])) && !Self.allows(both, .exec(argv: ["/x", "499"])))
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
