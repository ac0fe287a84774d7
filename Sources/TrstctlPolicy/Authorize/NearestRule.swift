import TrstctlSystem

extension GrantSet {
    /// The rule that comes closest to an operation that none covers: a hint for a typing mistake, never a decision.
    func nearest(to operation: Operation) -> String? {
        switch operation {
        case .readFile(let path): nearest(to: path, read)
        case .stat(let path): nearest(to: path, read + write)
        case .writeFile(let path), .removeFile(let path): nearest(to: path, write)
        case .exec(let argv): nearest(to: argv)
        case .dial(let address), .send(let address):
            dial.first { rule in
                if case .exactly(let granted) = rule.peer { return granted.host == address.host }
                return false
            }?.description ?? dial.first { $0.port == address.port }?.description
        case .dialSocket, .sendSocket:
            dial.first { rule in
                if case .socket = rule.peer { return true }
                return false
            }?.description
        case .unsupported: nil
        }
    }

    private func nearest(to path: AbsolutePath, _ rules: [PathGrant]) -> String? {
        let ranked = rules.map { rule in (rule: rule, shared: shared(path.components, rule.path.components)) }
        guard let best = ranked.max(by: { $0.shared < $1.shared }), best.shared > 0 else { return nil }
        return best.rule.description
    }

    // The same program first, then as many of the first arguments as possible, then the same number of them.
    private func nearest(to argv: [Bytes]) -> String? {
        let ranked = exec.map { rule in
            (rule: rule, rank: 2 * rule.sharedWords(with: argv) + (rule.arguments.count + 1 == argv.count ? 1 : 0))
        }
        guard let best = ranked.max(by: { $0.rank < $1.rank }), best.rank > 1 else { return nil }
        return best.rule.description
    }

    private func shared(_ left: [Bytes], _ right: [Bytes]) -> Int {
        zip(left, right).prefix { $0 == $1 }.count
    }
}
