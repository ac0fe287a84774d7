import TrstctlSystem

/// What the linter has to know about the machine: it looks at nothing itself.
package struct LintContext: Sendable {
    /// The manifest's own file, under every path that is known for it.
    package var manifest: [AbsolutePath]
    /// The directory that relative paths in `config:` are relative to.
    package var directory: AbsolutePath
    /// Where connectors are looked for.
    package var pluginDirectories: [AbsolutePath]
    /// Where the host keeps its state.
    package var stateDirectory: AbsolutePath?
    /// Where its journals are, from which a recovery takes what it writes and runs.
    package var journalDirectory: AbsolutePath?
    /// The program of the host itself.
    package var program: AbsolutePath?
    /// Where systemd puts the credentials of the host's service, `$CREDENTIALS_DIRECTORY`.
    package var credentialsDirectory: AbsolutePath?
    /// Where a path leads on this machine when every link is followed; nil when it leads nowhere, or is not asked.
    package var resolve: @Sendable (AbsolutePath) -> AbsolutePath?

    package init(
        manifest: [AbsolutePath], directory: AbsolutePath, pluginDirectories: [AbsolutePath] = [],
        stateDirectory: AbsolutePath? = nil, journalDirectory: AbsolutePath? = nil, program: AbsolutePath? = nil,
        credentialsDirectory: AbsolutePath? = nil,
        resolve: @escaping @Sendable (AbsolutePath) -> AbsolutePath? = { _ in nil }
    ) {
        self.manifest = manifest
        self.directory = directory
        self.pluginDirectories = pluginDirectories
        self.stateDirectory = stateDirectory
        self.journalDirectory = journalDirectory
        self.program = program
        self.credentialsDirectory = credentialsDirectory
        self.resolve = resolve
    }
}
