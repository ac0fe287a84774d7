import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

/// Reads the grants that a connector declared for one target.
enum DeclaredGrants {
    /// The most grants that one target can declare.
    static let maximum = 256

    /// Parses them by the same grammar as the manifest's.
    ///
    /// - Throws: `ConfigError` for a declaration that breaks the grammar: a bug of the connector, or a configuration
    ///   that makes it declare nonsense.
    static func parse(_ grants: [Wire.Grant], described: [Wire.CapabilityReason]) throws(ConfigError) -> GrantSet {
        guard grants.count <= maximum else {
            throw ConfigError(description: "the connector declares \(grants.count) grants; at most \(maximum)")
        }
        var set = GrantSet()
        for grant in grants {
            guard described.contains(where: { $0.capability == grant.capability }) else {
                throw ConfigError(
                    description: "the connector declares a grant of a capability that it did not describe: "
                        + "this is a bug of the connector")
            }
            do {
                try add(grant, to: &set)
            } catch let error as ConfigError {
                throw error
            } catch {
                throw ConfigError(description: "the connector declares a grant that is not well formed: \(error)")
            }
        }
        return set
    }

    private static func add(_ grant: Wire.Grant, to set: inout GrantSet) throws {
        guard !grant.hasHoles || grant.capability == .processExec else {
            throw ConfigError(
                description:
                    "the connector declares holes in a grant that is no command: this is a bug of the connector")
        }
        switch grant.capability {
        case .fsRead: set.read.append(try PathGrant(try single(grant)))
        case .fsWrite: set.write.append(try PathGrant(try single(grant)))
        case .netDial: set.dial.append(try DialGrant(try single(grant)))
        case .processExec:
            set.exec.append(grant.hasHoles ? try ExecGrant(rule: grant.values) : try ExecGrant(argv: grant.values))
        case .capabilityUnspecified, .unrecognized:
            throw ConfigError(
                description: "the connector declares a capability with number \(grant.capability.rawValue), which this "
                    + "host does not know: update trstctl")
        }
    }

    private static func single(_ grant: Wire.Grant) throws(ConfigError) -> Bytes {
        guard grant.values.count == 1, let value = grant.values.first else {
            throw ConfigError(description: "the connector declares a grant with \(grant.values.count) values, not 1")
        }
        return value
    }
}
