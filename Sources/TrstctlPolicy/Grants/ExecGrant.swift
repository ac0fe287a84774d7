package import TrstctlSystem

/// A rule for programs: exactly this program, by absolute path, with exactly these arguments.
package struct ExecGrant: Hashable, Sendable, CustomStringConvertible {
    /// The most arguments, the program included.
    package static let maximumArguments = 64
    /// The longest argument in bytes.
    package static let maximumArgumentBytes = 4096

    /// The arguments; the first is the program's absolute path.
    package let argv: [Bytes]
    /// The program.
    package let program: AbsolutePath

    /// Checks a rule, or the arguments of a call.
    ///
    /// - Parameter argv: 1 to 64 arguments of at most 4096 bytes, the first an absolute path in canonical form.
    /// - Throws: `GrammarError`.
    package init(argv: [Bytes]) throws(GrammarError) {
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
        self.argv = argv
        self.program = program
    }

    /// Checks the UTF-8 bytes of texts.
    package init(_ argv: [String]) throws(GrammarError) {
        try self.init(argv: argv.map { Bytes($0) })
    }

    /// True when the arguments are these, byte for byte and in this order.
    package func covers(_ argv: [Bytes]) -> Bool { self.argv == argv }

    package static func == (left: ExecGrant, right: ExecGrant) -> Bool { left.argv == right.argv }

    package func hash(into hasher: inout Hasher) { hasher.combine(argv) }

    package var description: String {
        "[" + argv.map { yamlScalar($0) ?? printable($0) }.joined(separator: ", ") + "]"
    }
}
