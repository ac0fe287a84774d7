package import TrstctlPolicy
import TrstctlSystem

/// Reads a manifest from its text.
///
/// The format is `spec/manifest.md`.
package enum ManifestParser {
    /// The most plugins, credentials and targets.
    static let maximumEntries = 10_000

    /// Reads a manifest.
    ///
    /// - Parameters:
    ///   - text: the file's bytes, at most 1 MiB of UTF-8.
    ///   - directory: what relative paths are relative to, the directory of the manifest.
    ///   - file: how errors call the file, usually as the operator named it.
    /// - Returns: the manifest, with every relative path resolved.
    /// - Throws: `ManifestError` with line and column of the first fault. A pin that is none throws too; the host itself
    ///   reads such a manifest as `LoadedManifest`, and refuses that connector only.
    package static func parse(
        _ text: [UInt8], directory: AbsolutePath, file: String
    ) throws(ManifestError) -> Manifest {
        let root = try root(text, file: file)
        let scope = ManifestScope(file: file, directory: directory)
        let manifest = try manifest(root, scope)
        for plugin in manifest.plugins {
            guard let pin = plugin.invalidPins.first else { continue }
            let position = ManifestPlaces(root).position(of: pin, of: plugin.name) ?? root.start
            throw scope.error(.badPin, at: position, pin.cause, nextStep: pin.nextStep(plugin.name))
        }
        return manifest
    }

    /// The root node of a text that passed every check on its bytes and its YAML.
    static func root(_ text: [UInt8], file: String) throws(ManifestError) -> YAMLNode {
        try ManifestText.check(text, file: file)
        guard let root = try YAMLReader.read(text, file: file) else {
            throw ManifestError(
                .empty, file: file, line: 1, column: 1, "the manifest holds only comments",
                nextStep: "begin with the line: version: 1")
        }
        return root
    }

    /// The manifest that a root node describes.
    static func manifest(_ root: YAMLNode, _ scope: ManifestScope) throws(ManifestError) -> Manifest {
        let keys = ["version", "plugins", "credentials", "targets", "trust"]
        let entries = try scope.mapping(root, "the manifest", keys: keys)
        guard let version = entries["version"] else {
            throw scope.missing("version", in: "the manifest", at: root.start)
        }
        try check(version: version.value, scope)
        var manifest = Manifest()
        if let trust = entries["trust"] { manifest.trust = try self.trust(trust.value, scope) }
        for entry in try section(entries["plugins"], scope) {
            manifest.plugins.append(try plugin(entry, scope))
        }
        for entry in try section(entries["credentials"], scope) {
            manifest.credentials.append(try credential(entry, scope))
        }
        let credentials = Set(manifest.credentials.map(\.name))
        for entry in try section(entries["targets"], scope) {
            manifest.targets.append(try target(entry, credentials: credentials, scope))
        }
        return manifest
    }

    private static func check(version: YAMLNode, _ scope: ManifestScope) throws(ManifestError) {
        guard case .scalar(let scalar) = version.content, case .integer(let number) = scalar.plainMeaning else {
            throw scope.wrongType(version, "version", "the number 1")
        }
        guard number == 1 else {
            throw scope.error(
                .unsupportedVersion, at: version.start, "expected version 1, found \(number)",
                nextStep: "write version: 1, or use a trstctl that knows version \(number)")
        }
    }

    private static func section(
        _ entry: YAMLNode.Entry?, _ scope: ManifestScope
    ) throws(ManifestError) -> [YAMLNode.Entry] {
        guard let entry else { return [] }
        let entries = try scope.mapping(entry.value, entry.key.text)
        guard entries.count <= maximumEntries else {
            throw scope.error(
                .tooMany, at: entry.keyStart,
                "expected at most \(maximumEntries) entries in \(entry.key.text), found \(entries.count)",
                nextStep: "split the manifest")
        }
        return entries
    }

    /// The name of a credential or target.
    static func entryName(
        _ text: String, _ what: String, at position: YAMLPosition, _ scope: ManifestScope
    ) throws(ManifestError) -> EntryName {
        guard let name = EntryName(text) else {
            throw scope.error(
                .badName, at: position,
                "expected the name of \(what), 1 to 63 of a-z 0-9 . _ - beginning with a letter or digit, "
                    + "found \"\(printable(text))\"",
                nextStep: "rename it")
        }
        return name
    }

    /// The name of a connector.
    static func connectorName(
        _ text: String, at position: YAMLPosition, _ scope: ManifestScope
    ) throws(ManifestError) -> ConnectorName {
        guard let name = ConnectorName(text) else {
            throw scope.error(
                .badName, at: position,
                "expected the name of a connector, 1 to 63 of a-z 0-9 - beginning with a letter, "
                    + "found \"\(printable(text))\"",
                nextStep: "write the name behind \"trstctl-connector-\" of its executable")
        }
        return name
    }
}
