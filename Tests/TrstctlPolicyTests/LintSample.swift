import Testing
import TrstctlPolicy
import TrstctlSystem

/// Manifests for the linter's tests: plugins `x` and `y`, one credential, targets with one field.
enum LintSample {
    static let key = "/etc/letsencrypt/live/www/privkey.pem"
    static let certificate = "/etc/letsencrypt/live/www/fullchain.pem"

    static func context(resolve: @escaping @Sendable (AbsolutePath) -> AbsolutePath? = { _ in nil }) throws
        -> LintContext
    {
        LintContext(
            manifest: [try AbsolutePath("/etc/trstctl/trstctl.yaml")], directory: try AbsolutePath("/etc/trstctl"),
            pluginDirectories: [try AbsolutePath("/usr/local/share/trstctl/plugins")],
            stateDirectory: try AbsolutePath("/var/lib/trstctl"),
            journalDirectory: try AbsolutePath("/var/lib/trstctl/journal"),
            program: try AbsolutePath("/mnt/bin/trstctl"),
            credentialsDirectory: try AbsolutePath("/mnt/credentials"), resolve: resolve)
    }

    static func plugin(
        _ name: String = "x", read: [String] = [], write: [String] = [], dial: [String] = [], exec: [[String]] = [],
        acknowledge: [String] = []
    ) throws -> Plugin {
        Plugin(
            name: try #require(ConnectorName(name)), pins: [],
            grants: try GrantSet.parse(read: read, write: write, dial: dial, exec: exec),
            acknowledged: acknowledge.map { Acknowledgement($0) })
    }

    static func target(_ connector: String, _ key: String, _ value: ConfigValue) throws -> Target {
        Target(
            name: try #require(EntryName("edge")), connector: try #require(ConnectorName(connector)),
            credential: try #require(EntryName("www")), config: [Target.Field(key: key, value: value)])
    }

    static func findings(
        _ plugins: [Plugin], _ targets: [Target] = [], _ context: LintContext? = nil
    ) throws -> [LintFinding] {
        let source = CredentialSource(
            name: try #require(EntryName("www")), certificate: Bytes(certificate), key: Bytes(key))
        let manifest = Manifest(plugins: plugins, credentials: [source], targets: targets)
        return Lint.findings(in: manifest, try context ?? self.context())
    }
}
