import TrstctlPolicy
import TrstctlSystem

/// What `--connector-config` sets: fields of one target, or of every target of one connector.
struct ConfigOverrides: Sendable {
    /// One field.
    struct Setting: Hashable, Sendable {
        /// A value as text, or where it comes from.
        enum Value: Hashable, Sendable {
            case text(String)
            case origin(SecretOrigin)
        }

        var field: String
        var value: Value
    }

    private var targets: [EntryName: [Setting]] = [:]
    private var connectors: [ConnectorName: [Setting]] = [:]

    /// Nothing is set.
    init() {}

    /// Reads the options.
    ///
    /// - Parameters:
    ///   - texts: each `TARGET.FIELD=VALUE` or `CONNECTOR.FIELD=VALUE`, at most 256.
    ///   - manifest: whose targets and connectors they name; a name that is both is the target.
    /// - Throws: `UsageError`, which shows what stands before the `=` and nothing behind it.
    init(_ texts: [String], _ manifest: Manifest) throws(UsageError) {
        guard texts.count <= 256 else {
            throw UsageError(
                "--connector-config: \(texts.count) times, at most 256\n"
                    + "  next: write what lasts into the manifest, under config: of its target")
        }
        for text in texts {
            guard let equals = text.utf8.firstIndex(of: UInt8(ascii: "=")),
                let dot = text[..<equals].utf8.lastIndex(of: UInt8(ascii: "."))
            else {
                throw UsageError(
                    "--connector-config takes TARGET.FIELD=VALUE or CONNECTOR.FIELD=VALUE; "
                        + "VALUE is a value, env:NAME, file:PATH, fd:N, cmd:PROGRAM WORDS or credential:NAME\n"
                        + "  next: write it like this: --connector-config edge.password=file:/run/secrets/edge")
            }
            let name = String(text[..<dot])
            let place = "--connector-config \(printable(String(text[..<equals])))"
            let setting = Setting(
                field: String(text[text.index(after: dot)..<equals]),
                value: try ConfigOverrides.value(String(text[text.index(after: equals)...]), place))
            guard !setting.field.isEmpty, setting.field.utf8.count <= 63 else {
                throw UsageError(
                    "\(place): expected the name of a field behind the last point\n"
                        + "  next: trstctl plugin inspect CONNECTOR lists the fields")
            }
            try add(setting, to: name, manifest, place)
        }
    }

    private static func value(_ text: String, _ place: String) throws(UsageError) -> Setting.Value {
        // For texts that begin like a reference.
        let literal = "value:"
        if text.utf8.starts(with: literal.utf8) { return .text(String(text.dropFirst(literal.count))) }
        do throws(SecretOriginError) {
            return try SecretOrigin.parse(text).map { .origin($0) } ?? .text(text)
        } catch {
            throw UsageError(
                "\(place): \(error)\n"
                    + "  next: VALUE is env:NAME, file:PATH, fd:N, cmd:PROGRAM WORDS or credential:NAME; value:TEXT for a text "
                    + "that begins like one of these")
        }
    }

    private mutating func add(
        _ setting: Setting, to name: String, _ manifest: Manifest, _ place: String
    ) throws(UsageError) {
        let isTaken: Bool
        if let entry = EntryName(name), manifest.target(entry) != nil {
            isTaken = targets[entry]?.contains { $0.field == setting.field } ?? false
            targets[entry, default: []].append(setting)
        } else if let connector = ConnectorName(name), manifest.targets.contains(where: { $0.connector == connector }) {
            isTaken = connectors[connector]?.contains { $0.field == setting.field } ?? false
            connectors[connector, default: []].append(setting)
        } else {
            let known = Set(manifest.targets.map(\.name.text) + manifest.targets.map(\.connector.text)).sorted()
            let meant = suggestion(for: Array(name.utf8), among: known)
            throw UsageError(
                "\(place): the manifest has no target and no connector of a target \"\(printable(name))\"; "
                    + (meant.map { "did you mean \"\($0)\"?" }
                        ?? "it has: \(known.isEmpty ? "none" : known.joined(separator: ", "))")
                    + "\n  next: name one of these, or add it under targets: in the manifest")
        }
        guard !isTaken else {
            throw UsageError("\(place): the field is set twice\n  next: set it once")
        }
    }

    /// What is set for a target; a setting of the target beats one of its connector.
    func settings(for target: Target) -> [Setting] {
        let own = targets[target.name] ?? []
        let shared = connectors[target.connector] ?? []
        return own + shared.filter { setting in !own.contains { $0.field == setting.field } }
    }
}

/// Where the values of configuration fields come from besides the manifest.
struct ConfigInput: Sendable {
    var overrides = ConfigOverrides()
    let origins = SecretOrigins()
}
