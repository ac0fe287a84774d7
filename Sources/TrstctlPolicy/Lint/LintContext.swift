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

    package init(
        manifest: [AbsolutePath], directory: AbsolutePath, pluginDirectories: [AbsolutePath] = [],
        stateDirectory: AbsolutePath? = nil
    ) {
        self.manifest = manifest
        self.directory = directory
        self.pluginDirectories = pluginDirectories
        self.stateDirectory = stateDirectory
    }
}
