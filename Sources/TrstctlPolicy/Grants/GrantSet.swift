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
            exec: commands(declared: declared.exec, approved: approved.exec)
        ).normalised
    }

    // Two command rules with holes can overlap in part; what they share is again one rule.
    private static func commands(declared: [ExecGrant], approved: [ExecGrant]) -> [ExecGrant] {
        Set(declared).flatMap { rule in
            Set(approved).compactMap { ExecGrant.intersection(declared: rule, approved: $0) }
        }
    }

    // Two rules for paths or peers never overlap in part: one covers the other, or they have nothing in common. So what
    // both sets allow is the rules of each that the other covers.
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
            exec: GrantSet.needed(GrantSet.sorted(exec)) { $0.replaces($1) })
    }

    private static func precedes(_ left: PathGrant, _ right: PathGrant) -> Bool {
        left == right
            ? PathGrant.isAnchoredHigher(right, left)
            : precedesByBytes(left.bytes, right.bytes)
    }

    private static func sorted(_ rules: [ExecGrant]) -> [ExecGrant] {
        rules.map { (rule: $0, text: $0.rule) }.sorted { left, right in
            left.text == right.text
                ? left.rule.terms.precedes(right.rule.terms)
                : left.text.lexicographicallyPrecedes(right.text, by: precedesByBytes)
        }.map(\.rule)
    }

    // A rule that is anchored deeper stays beside a wider one: the operator named that directory, and it may lie
    // behind a link that the wider rule would not follow.
    private static func replaces(_ left: PathGrant, _ right: PathGrant) -> Bool {
        left.covers(right) && !PathGrant.isAnchoredHigher(left, right)
    }

    // Expects sorted rules, so that equal ones are neighbours and the first of them stays. The partial overlaps of holes
    // can be many more than the rules were; then superfluous ones stay, which costs less than finding them and allows
    // the same.
    private static func needed<Rule: Equatable>(_ rules: [Rule], _ replaces: (Rule, Rule) -> Bool) -> [Rule] {
        var distinct: [Rule] = []
        for rule in rules where rule != distinct.last { distinct.append(rule) }
        guard distinct.count <= 4 * maximumRules else { return distinct }
        return distinct.filter { rule in !distinct.contains { $0 != rule && replaces($0, rule) } }
    }

    /// The rules that no rule of the other set covers as a whole: what is asked for but not approved.
    ///
    /// The terms of command rules do not count: they are the operator's alone.
    package func difference(from approved: GrantSet) -> GrantSet {
        GrantSet(
            read: read.filter { rule in !approved.read.contains { $0.covers(rule) } },
            write: write.filter { rule in !approved.write.contains { $0.covers(rule) } },
            dial: dial.filter { rule in !approved.dial.contains { $0.covers(rule) } },
            exec: exec.filter { rule in !approved.exec.contains { $0.coversCommands(of: rule) } })
    }

    /// True when each rule is covered by one of the other set; then that set allows everything that this one allows.
    package func isSubset(of other: GrantSet) -> Bool { difference(from: other).isEmpty }
}

private func precedesByBytes(_ left: Bytes, _ right: Bytes) -> Bool {
    left.array.lexicographicallyPrecedes(right.array)
}
