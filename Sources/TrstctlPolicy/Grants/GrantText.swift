import TrstctlSystem

/// The textual form of a set: exactly what stands in the manifest.
extension GrantSet {
    /// One rule as text for people, with the capability it belongs to.
    package struct Line: Hashable, Sendable, CustomStringConvertible {
        /// The capability.
        package let capability: Capability
        /// The rule, escaped for people.
        package let rule: String

        package var description: String { "\(capability) \(rule)" }
    }

    /// Every rule in the order of the capabilities, for a list or a difference.
    package var lines: [Line] {
        read.map { Line(capability: .fsRead, rule: $0.description) }
            + write.map { Line(capability: .fsWrite, rule: $0.description) }
            + dial.map { Line(capability: .netDial, rule: $0.description) }
            + exec.map { Line(capability: .processExec, rule: $0.description) }
    }

    /// One capability's rules as YAML scalars or flow lists, each as it stands between the manifest's brackets.
    ///
    /// A rule that is not UTF-8 cannot stand in a manifest and is left out.
    package func yamlRules(_ capability: Capability) -> [String] {
        switch capability {
        case .fsRead: read.compactMap { yamlScalar($0.bytes) }
        case .fsWrite: write.compactMap { yamlScalar($0.bytes) }
        case .netDial: dial.compactMap { yamlScalar($0.bytes) }
        case .processExec: exec.compactMap(\.yaml)
        }
    }

    /// The lines below `grants:`, without indentation; capabilities without rules are left out.
    package var yamlLines: [String] {
        Capability.allCases.compactMap { capability in
            let rules = yamlRules(capability)
            return rules.isEmpty ? nil : "\(capability): [\(rules.joined(separator: ", "))]"
        }
    }
}

extension GrantSet {
    /// The lines below `grants:` in block style, with a line for each rule: what is to be read one by one.
    package var yamlBlock: [String] {
        Capability.allCases.flatMap { capability in
            let rules = yamlRules(capability)
            return rules.isEmpty ? [] : ["\(capability):"] + rules.map { "  - \($0)" }
        }
    }
}

/// A flow list of scalars, or nil when one of them is not UTF-8.
func yamlList(_ items: [Bytes]) -> String? {
    let scalars = items.compactMap(yamlScalar)
    return scalars.count == items.count ? "[" + scalars.joined(separator: ", ") + "]" : nil
}
