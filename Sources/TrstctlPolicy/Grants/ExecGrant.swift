package import TrstctlSystem

/// A rule for programs: exactly this program, by absolute path, with these arguments, in which holes may stand for
/// words.
package struct ExecGrant: Hashable, Sendable, CustomStringConvertible {
    /// The most arguments, the program included.
    package static let maximumArguments = 64
    /// The longest argument in bytes.
    package static let maximumArgumentBytes = 4096

    /// The program.
    package let program: AbsolutePath
    /// What follows the program.
    package let arguments: [ArgumentPattern]
    /// What the operator says about the program itself; a connector has no say in it.
    package var terms: ExecTerms

    /// Reads the arguments of a call, or a rule without holes.
    ///
    /// - Parameter argv: 1 to 64 arguments of at most 4096 bytes, the first an absolute path in canonical form.
    /// - Throws: `GrammarError`.
    package init(argv: [Bytes]) throws(GrammarError) {
        try self.init(argv) { argument throws(GrammarError) in ArgumentPattern(literal: argument) }
    }

    /// Reads a rule as it stands in the manifest: after the program, `{…}` is a hole and `{{` a brace.
    ///
    /// - Parameters:
    ///   - rule: 1 to 64 texts of at most 4096 bytes, the first an absolute path in canonical form, taken as it stands.
    ///   - terms: what the operator says about the program.
    /// - Throws: `GrammarError`.
    package init(rule: [Bytes], terms: ExecTerms = ExecTerms()) throws(GrammarError) {
        try self.init(rule) { argument throws(GrammarError) in try ArgumentPattern(argument) }
        self.terms = terms
    }

    /// Reads the UTF-8 bytes of a rule's texts.
    package init(_ rule: [String], terms: ExecTerms = ExecTerms()) throws(GrammarError) {
        try self.init(rule: rule.map { Bytes($0) }, terms: terms)
    }

    private init(
        _ argv: [Bytes], _ pattern: (Bytes) throws(GrammarError) -> ArgumentPattern
    ) throws(GrammarError) {
        guard let first = argv.first else {
            throw GrammarError(.empty, found: Bytes(), "the command is empty; write [/absolute/program, argument]")
        }
        guard argv.count <= ExecGrant.maximumArguments else {
            throw GrammarError(
                .tooManyArguments, found: first, "a command has at most \(ExecGrant.maximumArguments) arguments")
        }
        for argument in argv {
            guard !argument.array.contains(0) else {
                throw GrammarError(.containsNUL, found: argument, "an argument contains a NUL byte")
            }
            guard argument.count <= ExecGrant.maximumArgumentBytes else {
                throw GrammarError(
                    .tooLong, found: argument,
                    "an argument is longer than \(ExecGrant.maximumArgumentBytes) bytes")
            }
        }
        let program = try AbsolutePath(first)
        guard program != .root else {
            throw GrammarError(.wholeFileSystem, found: first, "this is not a program")
        }
        var arguments: [ArgumentPattern] = []
        for argument in argv.dropFirst() { arguments.append(try pattern(argument)) }
        self.init(program, arguments, ExecTerms())
    }

    private init(_ program: AbsolutePath, _ arguments: [ArgumentPattern], _ terms: ExecTerms) {
        self.program = program
        self.arguments = arguments
        self.terms = terms
    }

    /// True when these are the rule's program and arguments that follow it, in this order and number.
    package func covers(_ argv: [Bytes]) -> Bool {
        guard argv.count == arguments.count + 1, argv.first == program.bytes else { return false }
        return zip(arguments, argv.dropFirst()).allSatisfy { $0.matches($1) }
    }

    /// True when every command that the other rule covers is covered by this one, whatever the terms.
    package func coversCommands(of other: ExecGrant) -> Bool {
        program == other.program && arguments.count == other.arguments.count
            && zip(arguments, other.arguments).allSatisfy { $0.covers($1) }
    }

    /// True when this rule makes the other one superfluous.
    func replaces(_ other: ExecGrant) -> Bool { coversCommands(of: other) && terms.include(other.terms) }

    /// The rule that covers exactly those commands that both cover, on the terms of the approved one; nil when there
    /// are none.
    static func intersection(declared: ExecGrant, approved: ExecGrant) -> ExecGrant? {
        guard declared.program == approved.program, declared.arguments.count == approved.arguments.count else {
            return nil
        }
        var both: [ArgumentPattern] = []
        for (one, other) in zip(declared.arguments, approved.arguments) {
            guard let pattern = ArgumentPattern.intersection(one, other) else { return nil }
            both.append(pattern)
        }
        return ExecGrant(declared.program, both, approved.terms)
    }

    /// How many of the first words the command shares with the rule, the program included; 0 for another program.
    func sharedWords(with argv: [Bytes]) -> Int {
        guard argv.first == program.bytes else { return 0 }
        return 1 + zip(arguments, argv.dropFirst()).prefix { $0.matches($1) }.count
    }

    /// The texts as they stand in a manifest, the program first.
    package var rule: [Bytes] { [program.bytes] + arguments.map(\.bytes) }

    /// The rule with its terms as one YAML value; nil when it is not UTF-8.
    package var yaml: String? {
        guard let list = yamlList(rule) else { return nil }
        return terms == ExecTerms() ? list : "{ argv: \(list)\(terms.yaml) }"
    }

    package var description: String {
        "[" + rule.map { yamlScalar($0) ?? printable($0) }.joined(separator: ", ") + "]" + terms.description
    }
}
