import Foundation
import Testing
import TrstctlPolicy
import TrstctlSystem

@Suite("Grants: the tables of spec/conformance/grants")
struct GrantVectorTests {
    @Test func `Every row about a rule holds`() throws {
        let rows = try GrantVectors.rows("rules")
        #expect(rows.count > 400)
        for row in rows {
            let id = row["id"] as? String ?? ""
            var set = GrantSet()
            var isAccepted = true
            do {
                try GrantVectors.add(row["rule"] ?? "", row["capability"] as? String ?? "", to: &set)
            } catch is GrammarError {
                isAccepted = false
            }
            #expect(isAccepted == row["accepted"] as? Bool, "\(id)")
            if isAccepted, let means = row["means"] {
                var other = GrantSet()
                try GrantVectors.add(means, row["capability"] as? String ?? "", to: &other)
                #expect(set == other, "\(id)")
            }
            // What is shown is what can be written.
            for capability in Capability.allCases where isAccepted {
                let count = [set.read.count, set.write.count, set.dial.count, set.exec.count].reduce(0, +)
                #expect(count == 1)
                for text in set.yamlRules(capability) { #expect(!text.contains("\n"), "\(id)") }
            }
            for grant in set.exec { #expect(try ExecGrant(rule: grant.rule, terms: grant.terms) == grant, "\(id)") }
        }
    }

    @Test func `Every row about a decision holds`() throws {
        let rows = try GrantVectors.rows("decisions")
        #expect(rows.count > 350)
        for row in rows {
            let id = row["id"] as? String ?? ""
            let approved = try #require(try GrantVectors.set(row["approved"]))
            let declared = try GrantVectors.set(row["declared"])
            let effective = declared.map { GrantSet.intersection(declared: $0, approved: approved) } ?? approved
            let found = try GrantVectors.decide(
                row["operation"], scope: row["scope"] as? String, effective: effective, declared: declared)
            #expect(found.decision == row["decision"] as? String, "\(id)")
            #expect(found.reason == row["reason"] as? String, "\(id)")
            if let beneath = row["beneath"] as? String { #expect(found.beneath == beneath, "\(id)") }
            if let permits = row["permits"] as? [String] { #expect(found.permits == permits, "\(id)") }
        }
    }

    @Test func `Every row about two sets holds`() throws {
        let rows = try GrantVectors.rows("sets")
        #expect(rows.count > 150)
        for row in rows {
            let id = row["id"] as? String ?? ""
            let declared = try #require(try GrantVectors.set(row["declared"]))
            let approved = try #require(try GrantVectors.set(row["approved"]))
            let both = GrantSet.intersection(declared: declared, approved: approved)
            let expected = try #require(try GrantVectors.set(row["effective"])).normalised
            #expect(both == expected, "\(id): \(both.lines) instead of \(expected.lines)")
            if let missing = try GrantVectors.set(row["missing"]) {
                #expect(declared.difference(from: approved).lines == missing.lines, "\(id)")
            }
        }
    }

    @Test func `Every reason that a grant alone can have is in the tables`() throws {
        let rows = try GrantVectors.rows("decisions")
        for reason in Denial.Reason.allCases {
            #expect(rows.contains { $0["reason"] as? String == reason.rawValue }, "\(reason)")
        }
    }
}
