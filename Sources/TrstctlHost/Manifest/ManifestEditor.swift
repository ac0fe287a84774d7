package import TrstctlPolicy
import TrstctlSystem

/// What `trstctl plugin pin` writes into a manifest.
package struct PinChange: Hashable, Sendable {
    /// The connector.
    package var connector: ConnectorName
    /// The digest of the build that may run.
    package var digest: SHA256Digest
    /// What the operator approves; nil leaves the grants as they are.
    package var grants: GrantSet?
    /// True keeps the pins that are there; false replaces them.
    package var isAdding: Bool
    /// True lets the connector have private keys; false leaves that as it is.
    package var givesKey = false

    package init(connector: ConnectorName, digest: SHA256Digest, grants: GrantSet?, isAdding: Bool = false) {
        self.connector = connector
        self.digest = digest
        self.grants = grants
        self.isAdding = isAdding
    }
}

/// A changed manifest text, not yet written.
package struct ManifestEdit: Sendable {
    /// The new text.
    package let text: [UInt8]
    /// The plugin's entry as it was; nil when there was none.
    package let before: Plugin?
    /// The plugin's entry as it is now.
    package let after: Plugin
    /// Comments inside a replaced list, which are gone.
    package let droppedComments: [String]
}

/// Changes one plugin's pins and grants in a manifest's text and leaves every other byte alone.
package enum ManifestEditor {
    /// Pins a connector.
    ///
    /// A list that already says what it should is not touched. The new text is read again and has to differ from the
    /// old one in this plugin only; otherwise nothing is returned.
    ///
    /// - Parameters:
    ///   - change: the connector, its digest and grants.
    ///   - text: the manifest.
    ///   - directory: what relative paths are relative to.
    ///   - file: how errors call the file.
    /// - Returns: the new text, with what it changes.
    /// - Throws: `ManifestError`; `notEditable` with the lines to paste when the text is in a style that cannot be
    ///   changed safely.
    package static func pin(
        _ change: PinChange, in text: [UInt8], directory: AbsolutePath, file: String
    ) throws(ManifestError) -> ManifestEdit {
        let scope = ManifestScope(file: file, directory: directory)
        let root = try ManifestParser.root(text, file: file)
        let manifest = try ManifestParser.manifest(root, scope)
        let before = manifest.plugin(change.connector)
        var after = before ?? Plugin(name: change.connector, pins: [], grants: GrantSet())
        if !change.isAdding { after.pins = [] }
        after.invalidPins = []
        if !after.pins.contains(change.digest) { after.pins.append(change.digest) }
        if let grants = change.grants { after.grants = grants }
        if change.givesKey { after.needsKey = true }
        after.isDecided = true

        var writer = PluginWriter(text: text, before: before, after: after, scope: scope)
        try writer.write(into: root)
        let result = writer.edits.result
        try verify(result, manifest: manifest, after: after, writer: writer)
        return ManifestEdit(text: result, before: before, after: after, droppedComments: writer.droppedComments)
    }

    private static func verify(
        _ text: [UInt8], manifest: Manifest, after: Plugin, writer: PluginWriter
    ) throws(ManifestError) {
        let root: YAMLNode
        let found: Manifest
        do throws(ManifestError) {
            root = try ManifestParser.root(text, file: writer.scope.file)
            found = try ManifestParser.manifest(root, writer.scope)
        } catch {
            throw writer.notEditable("the changed text would not be a manifest: \(error.message)")
        }
        var expected = manifest
        if let index = expected.plugins.firstIndex(where: { $0.name == after.name }) {
            expected.plugins[index] = after
        } else {
            expected.plugins.append(after)
        }
        guard found.inAnyRuleOrder == expected.inAnyRuleOrder else {
            throw writer.notEditable("the changed text would not say what it should")
        }
    }
}

extension Manifest {
    fileprivate var inAnyRuleOrder: Manifest {
        var copy = self
        for index in copy.plugins.indices {
            copy.plugins[index].grants = copy.plugins[index].grants.sortedAsWritten
        }
        return copy
    }
}

extension GrantSet {
    /// The same rules, sorted by what stands in the manifest; none is left out.
    fileprivate var sortedAsWritten: GrantSet {
        GrantSet(
            read: read.sorted { $0.description < $1.description },
            write: write.sorted { $0.description < $1.description },
            dial: dial.sorted { $0.description < $1.description },
            exec: exec.sorted { $0.description < $1.description })
    }
}
