/// What an operator said about a program counts for the rules that are added for it later.
///
/// Of several rules that cover a command each is enough by itself. A wider rule that came without terms would therefore
/// let any file run under the name of a program of which the operator pinned the digest.
extension GrantSet {
    /// The same rules, where commands have the terms on which the approved set runs their program.
    ///
    /// A program that the approved set does not name has none. Where the approved rules of a program disagree, nobody but
    /// the operator can say which of them a new rule is like.
    ///
    /// - Parameter approved: what stands in the manifest.
    /// - Returns: the rules, and the commands that are not among them, because the terms of their program disagree.
    package func onTerms(of approved: GrantSet) -> (rules: GrantSet, undecided: GrantSet) {
        var rules = self
        var undecided = GrantSet()
        rules.exec = exec.compactMap { rule in
            switch approved.terms(of: rule.program) {
            case .none: return rule
            case .same(let terms):
                var copy = rule
                copy.terms = terms
                return copy
            case .different:
                undecided.exec.append(rule)
                return nil
            }
        }
        return (rules, undecided)
    }

    /// On which terms the rules run one program.
    enum ProgramTerms: Hashable {
        /// No rule names the program.
        case none
        case same(ExecTerms)
        case different
    }

    /// On which terms the rules run a program, under each path that distributions have for it.
    func terms(of program: AbsolutePath) -> ProgramTerms {
        let name = PathGrant(file: program)?.withoutKnownLinks
        let all = Set(exec.filter { PathGrant(file: $0.program)?.withoutKnownLinks == name }.map(\.terms))
        guard let terms = all.first else { return .none }
        return all.count == 1 ? .same(terms) : .different
    }
}
