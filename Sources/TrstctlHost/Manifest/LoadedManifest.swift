package import TrstctlPolicy
import TrstctlSystem

/// A manifest that was read and looked at by the linter.
package struct LoadedManifest: Sendable {
    /// What it says.
    package let manifest: Manifest
    /// What relative paths are relative to.
    package let directory: AbsolutePath
    /// When the file was last written, in seconds since 1970.
    package let modified: Int64
    /// Pins that are none, and what the linter found, with the places.
    package let findings: [FindingReport]

    /// Reads a manifest's text and lets the linter look at it.
    ///
    /// - Parameters:
    ///   - text: the bytes; usually the file's, or what they are to become.
    ///   - file: the file that the text belongs to.
    ///   - machine: where connectors and state are.
    /// - Throws: `ManifestError` when the text is no manifest; findings throw nothing.
    init(
        _ text: [UInt8], of file: borrowing ManifestFile, _ machine: MachinePlaces
    ) throws(ManifestError) {
        let scope = ManifestScope(file: file.name, directory: file.directory)
        let root = try ManifestParser.root(text, file: file.name)
        manifest = try ManifestParser.manifest(root, scope)
        directory = file.directory
        modified = file.modified
        let context = LintContext(
            manifest: file.paths, directory: file.directory, pluginDirectories: machine.pluginDirectories,
            stateDirectory: machine.stateDirectory,
            journalDirectory: machine.journalDirectory, program: machine.program,
            credentialsDirectory: machine.credentialsDirectory,
            resolve: { Host.resolved($0.bytes) })
        let places = ManifestPlaces(root)
        let badPins = manifest.plugins.flatMap { plugin in
            plugin.invalidPins.map {
                FindingReport($0, of: plugin.name, file: file.name, position: places.position(of: $0, of: plugin.name))
            }
        }
        findings =
            badPins
            + Lint.findings(in: manifest, context).map {
                FindingReport($0, file: file.name, position: places.position(of: $0))
            }
    }

    /// Refuses a manifest with a finding that has to be acknowledged first.
    ///
    /// - Parameter plugin: only its findings count; nil means all.
    /// - Throws: `ManifestError` for the first of them.
    package func checkFindings(of plugin: ConnectorName? = nil) throws(ManifestError) {
        let refusals = findings.filter { $0.isRefusal && (plugin == nil || $0.plugin == plugin?.text) }
        guard let first = refusals.first else { return }
        var next = first.nextStep
        if refusals.count > 1 {
            next += "\n        and \(refusals.count - 1) more: \(NextCommand.trstctl("manifest", "validate"))"
        }
        throw ManifestError(
            first.isBadPin ? .badPin : .dangerousGrant, file: first.file, line: first.line, column: first.column,
            first.message, nextStep: next)
    }
}

/// Where connectors and state are on this machine, each under every path that is known for it.
struct MachinePlaces {
    var pluginDirectories: [AbsolutePath]
    var stateDirectory: AbsolutePath?
    var journalDirectory: AbsolutePath?
    /// The program of this process.
    var program: AbsolutePath?
    /// `$CREDENTIALS_DIRECTORY`, systemd.exec(5).
    var credentialsDirectory: AbsolutePath?
}

/// A finding of the linter, or a pin that is none, as reports have it.
package struct FindingReport: Codable, Hashable, Sendable {
    /// Stable, for scripts: a `LintCode`, or `bad-pin`.
    package var code: String
    /// True when the connector is not started until the finding is acknowledged.
    package var isRefusal: Bool
    package var plugin: String
    package var file: String
    /// From 1.
    package var line: Int?
    /// In Unicode scalars, from 1.
    package var column: Int?
    /// One sentence.
    package var message: String
    /// What stands under `acknowledge:` to accept it; nil when it cannot be accepted.
    package var acknowledgement: String?

    init(_ finding: LintFinding, file: String, position: YAMLPosition?) {
        code = finding.code.rawValue
        isRefusal = finding.isRefusal
        plugin = finding.plugin.text
        self.file = file
        line = position?.line
        column = position?.column
        message = finding.sentence
        acknowledgement = finding.acknowledgement.flatMap { yamlScalar($0.text) }
    }

    /// A pin that no build can match.
    init(_ pin: InvalidPin, of plugin: ConnectorName, file: String, position: YAMLPosition?) {
        code = ManifestError.Code.badPin.rawValue
        isRefusal = true
        self.plugin = plugin.text
        self.file = file
        line = position?.line
        column = position?.column
        message = pin.cause
    }

    /// Whether it is about a pin that is none.
    package var isBadPin: Bool { code == ManifestError.Code.badPin.rawValue }

    /// What the operator can do.
    var nextStep: String {
        if isBadPin, let name = ConnectorName(plugin) { return InvalidPin(index: 0, cause: "").nextStep(name) }
        return acknowledgement.map { "grant less, or accept it under plugins: \(plugin): acknowledge: [\($0)]" }
            ?? "remove the line"
    }

    /// The finding as two lines, in the form that editors jump to.
    package var text: String {
        let place = [file, line.map(String.init), column.map(String.init)].compactMap(\.self).joined(separator: ":")
        return "\(place): \(isRefusal ? "refused" : "warning"): \(message) [\(code)]\n  next: \(nextStep)"
    }
}
