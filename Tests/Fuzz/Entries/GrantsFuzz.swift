import TrstctlPolicy
import TrstctlSystem

enum GrantsFuzz {
    /// Lines: the first half is what a connector declares, the second what a manifest approves.
    static func run(_ input: [UInt8]) throws(Violation) {
        let lines = input.split(separator: 0x0A, omittingEmptySubsequences: false).prefix(16).map { Bytes(Array($0)) }
        let declared = try grants(lines.prefix(lines.count / 2))
        let approved = try grants(lines.dropFirst(lines.count / 2))
        let both = GrantSet.intersection(declared: declared, approved: approved)
        try expect(both.isSubset(of: declared) && both.isSubset(of: approved), "an intersection that is wider")
        try expect(
            GrantSet.intersection(declared: declared, approved: declared).isSubset(of: declared), "wider than itself")
        for line in lines {
            guard let path = try? AbsolutePath(line) else { continue }
            let isAllowed = both.read.contains { $0.covers(path) }
            let byDeclared = declared.read.contains { $0.covers(path) }
            let byApproved = approved.read.contains { $0.covers(path) }
            try expect(isAllowed == (byDeclared && byApproved), "\(path) is decided otherwise by the intersection")
        }
        for line in lines {
            guard let address = try? DialAddress(line) else { continue }
            let isAllowed = both.dial.contains { $0.covers(address) }
            let byDeclared = declared.dial.contains { $0.covers(address) }
            let byApproved = approved.dial.contains { $0.covers(address) }
            try expect(isAllowed == (byDeclared && byApproved), "\(address) is decided otherwise by the intersection")
        }
    }

    private static func grants(_ lines: ArraySlice<Bytes>) throws(Violation) -> GrantSet {
        var grants = GrantSet()
        for line in lines {
            if let rule = try? PathGrant(line) {
                try expect(rule.bytes == line && rule.covers(rule), "the path rule \(rule) is not itself")
                grants.read.append(rule)
                grants.write.append(rule)
            }
            if let rule = try? DialGrant(line) {
                // Names are compared in lower case, so the rule may be another text; that text is the same rule.
                try expect(
                    (try? DialGrant(rule.bytes)) == rule && rule.covers(rule), "the dial rule \(rule) is not itself")
                grants.dial.append(rule)
            }
            let words = line.array.split(separator: 0x20, omittingEmptySubsequences: false).map { Bytes(Array($0)) }
            if let rule = try? ExecGrant(argv: words) {
                try expect(rule.covers(words), "the command \(rule) is not itself")
            }
            if let rule = try? ExecGrant(rule: words) {
                try expect(
                    (try? ExecGrant(rule: rule.rule)) == rule && rule.coversCommands(of: rule),
                    "the rule \(rule) is not itself")
                grants.exec.append(rule)
            }
        }
        return grants
    }
}
