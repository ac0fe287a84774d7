import TrstctlSystem

/// What a connector declares, what a manifest approves, or what both allow together.
///
/// Empty means nothing.
package struct GrantSet: Hashable, Sendable {
    /// The most rules that one capability can have.
    package static let maximumRules = 256

    /// Rules of `fs.read`.
    package var read: [PathGrant]
    /// Rules of `fs.write`.
    package var write: [PathGrant]
    /// Rules of `net.dial`.
    package var dial: [DialGrant]
    /// Rules of `process.exec`.
    package var exec: [ExecGrant]

    package init(
        read: [PathGrant] = [], write: [PathGrant] = [], dial: [DialGrant] = [], exec: [ExecGrant] = []
    ) {
        self.read = read
        self.write = write
        self.dial = dial
        self.exec = exec
    }

    /// Reads rules as a connector declares them or a manifest approves them.
    ///
    /// - Throws: `GrammarError` for the first rule that breaks its grammar, and for more than 256 rules of one
    ///   capability.
    package static func parse(
        read: [String] = [], write: [String] = [], dial: [String] = [], exec: [[String]] = []
    ) throws(GrammarError) -> GrantSet {
        for count in [read.count, write.count, dial.count, exec.count] where count > maximumRules {
            throw GrammarError(
                .tooManyRules, found: Bytes("\(count) rules"), "a capability has at most \(maximumRules) rules")
        }
        var grants = GrantSet()
        for text in read { grants.read.append(try PathGrant(text)) }
        for text in write { grants.write.append(try PathGrant(text)) }
        for text in dial { grants.dial.append(try DialGrant(text)) }
        for argv in exec { grants.exec.append(try ExecGrant(argv)) }
        return grants
    }

    /// True when nothing is granted.
    package var isEmpty: Bool { read.isEmpty && write.isEmpty && dial.isEmpty && exec.isEmpty }

    /// What both sets allow, rule by rule on the grammar, without rules that another one covers.
    ///
    /// The result depends on neither the order nor the repetition of rules. It never allows what one of the sets does
    /// not allow, and it grows only when one of them grows.
    package static func intersection(declared: GrantSet, approved: GrantSet) -> GrantSet {
        GrantSet(
            read: paths(declared: declared.read, approved: approved.read),
            write: paths(declared: declared.write, approved: approved.write),
            dial: approved.dial.filter { rule in declared.dial.contains { $0.covers(rule) } }
                + declared.dial.filter { rule in approved.dial.contains { $0.covers(rule) } }
                .map { $0.with(options(for: $0, in: approved.dial)) },
            exec: declared.exec.filter { approved.exec.contains($0) }
        ).normalised
    }

    // Two rules never overlap in part: one covers the other, or they have nothing in common. So what both sets allow is
    // the rules of each that the other covers.
    private static func paths(declared: [PathGrant], approved: [PathGrant]) -> [PathGrant] {
        approved.filter { rule in declared.contains { $0.covers(rule) } }
            + declared.compactMap { rule in
                approved.filter { $0.covers(rule) }.max(by: PathGrant.isAnchoredHigher).map { rule.anchored(like: $0) }
            }
    }

    // What the operator permits with these peers: the options are those of every approved rule that covers them.
    private static func options(for rule: DialGrant, in approved: [DialGrant]) -> DialOptions {
        approved.filter { $0.covers(rule) }.reduce([]) { $0.union($1.options) }
    }

    /// The same set with its rules sorted by their bytes, without those that another rule makes superfluous.
    package var normalised: GrantSet {
        GrantSet(
            read: GrantSet.needed(read.sorted(by: GrantSet.precedes), GrantSet.replaces),
            write: GrantSet.needed(write.sorted(by: GrantSet.precedes), GrantSet.replaces),
            dial: GrantSet.needed(dial.sorted { precedesByBytes($0.bytes, $1.bytes) }) {
                $0.covers($1) && $0.options.isSuperset(of: $1.options)
            },
            exec: GrantSet.needed(exec.sorted { $0.argv.lexicographicallyPrecedes($1.argv, by: precedesByBytes) }) {
                $0 == $1
            })
    }

    private static func precedes(_ left: PathGrant, _ right: PathGrant) -> Bool {
        left == right
            ? PathGrant.isAnchoredHigher(right, left)
            : precedesByBytes(left.bytes, right.bytes)
    }

    // A rule that is anchored deeper stays beside a wider one: the operator named that directory, and it may lie
    // behind a link that the wider rule would not follow.
    private static func replaces(_ left: PathGrant, _ right: PathGrant) -> Bool {
        left.covers(right) && !PathGrant.isAnchoredHigher(left, right)
    }

    // Expects sorted rules, so that equal ones are neighbours and the first of them stays.
    private static func needed<Rule: Equatable>(_ rules: [Rule], _ replaces: (Rule, Rule) -> Bool) -> [Rule] {
        var distinct: [Rule] = []
        for rule in rules where rule != distinct.last { distinct.append(rule) }
        return distinct.filter { rule in !distinct.contains { $0 != rule && replaces($0, rule) } }
    }

    /// The rules that the other set does not allow, or allows only in part: what is asked for but not approved.
    package func difference(from approved: GrantSet) -> GrantSet {
        GrantSet(
            read: read.filter { rule in !approved.read.contains { $0.covers(rule) } },
            write: write.filter { rule in !approved.write.contains { $0.covers(rule) } },
            dial: dial.filter { rule in !approved.dial.contains { $0.covers(rule) } },
            exec: exec.filter { !approved.exec.contains($0) })
    }

    /// True when the other set allows everything that this one allows.
    package func isSubset(of other: GrantSet) -> Bool { difference(from: other).isEmpty }
}

private func precedesByBytes(_ left: Bytes, _ right: Bytes) -> Bool {
    left.array.lexicographicallyPrecedes(right.array)
}
