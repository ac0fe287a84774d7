import TrstctlSystem

/// Says which grants of a manifest amount to more than they seem to.
///
/// The linter decides nothing about an operation, `authorize` does; it tells the operator what a set of grants means
/// together. It compares paths in the spellings that the text and the context give, and looks at no file itself.
package enum Lint {
    /// Every finding that the manifest does not acknowledge, in the order of the plugins; acknowledgements that silence
    /// nothing are findings too.
    ///
    /// - Parameters:
    ///   - manifest: as it was read.
    ///   - context: where things are on this machine.
    /// - Returns: the findings; a manifest with one that `isRefusal` must not be used.
    package static func findings(in manifest: Manifest, _ context: LintContext) -> [LintFinding] {
        let decisive = PathIndex(Decisive.entries(manifest, context).flatMap { $0.spelled(context) }) { $0.rule }
        let secrets = PathIndex(SecretFile.entries(manifest, context).flatMap { $0.spelled(context) }) { $0.rule }
        let copies = CopyIndex(manifest, context)
        return manifest.plugins.flatMap { plugin in
            var lint = PluginLint(plugin, context, copies)
            lint.checkCommands()
            lint.checkReplacement(decisive)
            lint.checkPlaces()
            lint.checkSockets()
            lint.checkSecrets(secrets)
            lint.checkKey(manifest)
            return lint.result
        }
    }
}
