import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

/// What is wrong with a target's `config:` in the light of the connector's schema.
struct ConfigError: Error, CustomStringConvertible {
    var description: String
}

/// The configuration that a connector is told, and the values that it is not.
struct ResolvedConfig: Sendable {
    /// The entries to send, in the schema's order.
    var entries: [Wire.ConfigEntry] = []
    /// The secret fields that have a value, or would have one.
    var secretNames: [String] = []
    /// Their values, for the broker.
    var secrets: [(name: String, bytes: Bytes)] = []
}

/// Checks a target's configuration against the schema that its connector declared, and fills in defaults.
enum ConfigResolution {
    /// The most fields that a schema may have.
    static let maximumFields = 64
    /// What no secret field may be called: the names of the credential's own parts.
    static let reservedNames = ["key", "certificate", "chain", "fullchain"]

    /// Whether `resolve` may have to wait for a file, a command or the like.
    static func mayWait(_ target: Target, _ input: ConfigInput?) -> Bool {
        if let input, !input.overrides.settings(for: target).isEmpty { return true }
        return target.config.contains { if case .reference = $0.value { true } else { false } }
    }

    /// Resolves the configuration; waits for the places that secrets come from.
    ///
    /// - Parameters:
    ///   - target: as the manifest has it.
    ///   - schema: as the connector declared it.
    ///   - directory: the manifest's directory, for relative paths.
    ///   - input: what the command line sets; nil when the connector is only asked what it needs: then no secret is
    ///     fetched, and one that must come from the command line counts as present.
    /// - Returns: what to send, and the secrets.
    /// - Throws: `ConfigError` that names the field, what is expected and what was found.
    static func resolve(
        _ target: Target, schema: [Wire.ConfigField], directory: AbsolutePath, input: ConfigInput? = nil
    ) throws(ConfigError) -> ResolvedConfig {
        try checkSchema(schema)
        let settings = input?.overrides.settings(for: target) ?? []
        for name in target.config.map(\.key) + settings.map(\.field)
        where !schema.contains(where: { same($0.name, name) }) {
            let known = schema.map(\.name)
            let meant = suggestion(for: Array(name.utf8), among: known).map { "; did you mean \"\($0)\"?" } ?? ""
            throw ConfigError(
                description: "config field \"\(printable(name))\" is not known to connector "
                    + "\(target.connector.text), which knows: "
                    + (known.isEmpty ? "none" : known.joined(separator: ", ")) + meant)
        }
        var config = ResolvedConfig()
        for field in schema {
            let given = target.config.first { same($0.key, field.name) }?.value
            let setting = settings.first { same($0.field, field.name) }?.value
            if field.secret {
                try resolve(field, given, setting, input?.origins, &config)
            } else if let value = try open(field, given, setting, target, directory) {
                config.entries.append(Wire.ConfigEntry(name: field.name, value: value))
            } else if field.required {
                throw missing(field, "")
            }
        }
        return config
    }

    /// The fields that the manifest gives a target by reference, and that its connector does not keep as secrets.
    ///
    /// - Parameters:
    ///   - target: as the manifest has it.
    ///   - schema: as the connector declared it.
    /// - Returns: their names, in the manifest's order.
    static func unkept(_ target: Target, schema: [Wire.ConfigField]) -> [String] {
        target.config.filter { entry in
            guard case .reference = entry.value else { return false }
            return schema.contains { same($0.name, entry.key) && !$0.secret }
        }.map(\.key)
    }

    /// A field that the connector is told.
    ///
    /// What stands behind a reference is a secret, whatever the connector calls the field: which fields it keeps is
    /// only what this build says, and the next one may say otherwise.
    private static func open(
        _ field: Wire.ConfigField, _ given: ConfigValue?, _ setting: ConfigOverrides.Setting.Value?,
        _ target: Target, _ directory: AbsolutePath
    ) throws(ConfigError) -> Wire.ConfigValue? {
        switch (setting, given) {
        case (.text(let text)?, _): return try value(typed(text, field), field, directory)
        case (.origin?, _), (nil, .reference?):
            throw ConfigError(
                description: "config field \"\(field.name)\" is given by reference, and this build of connector "
                    + "\(target.connector.text) does not keep the field as a secret; nothing was fetched or told\n"
                    + "If it did before, do not run this build.\n"
                    + "If the value is public, write it, or let the shell put it there: "
                    + "--connector-config \(target.name.text).\(field.name)=\"$VALUE\"")
        case (nil, let given?): return try value(given, field, directory)
        case (nil, nil): break
        }
        guard let fallback = field.defaultValue, fallback.kind != nil else { return nil }
        guard isDefault(fallback, of: field.type) else {
            throw ConfigError(
                description: "the connector declares a default for \"\(field.name)\" that is not "
                    + "\(typeName(field.type)): this is a bug of the connector; write the field yourself")
        }
        return fallback
    }

    /// A field whose value stays with the host.
    private static func resolve(
        _ field: Wire.ConfigField, _ given: ConfigValue?, _ setting: ConfigOverrides.Setting.Value?,
        _ origins: SecretOrigins?, _ config: inout ResolvedConfig
    ) throws(ConfigError) {
        let origin: SecretOrigin?
        switch (setting, given) {
        case (.origin(let set)?, _): origin = set
        case (nil, .reference(let reference)?): origin = reference
        case (nil, nil): origin = nil
        case (.text?, _):
            throw ConfigError(
                description: "config field \"\(field.name)\" is a secret and must not stand on the command line, where "
                    + "every process can read it; use \(field.name)=file:PATH, env:NAME, fd:N, cmd:PROGRAM or "
                    + "credential:NAME")
        case (nil, _?):
            throw ConfigError(
                description: "config field \"\(field.name)\" is a secret and must not stand in the manifest; say where "
                    + "it is: \(field.name): { file: /run/secrets/\(field.name) }")
        }
        guard let origin else {
            guard field.required else { return }
            guard origins == nil else {
                throw missing(
                    field,
                    "; give it with --connector-config TARGET.\(field.name)=file:PATH, or in the manifest as "
                        + "\(field.name): { file: PATH }")
            }
            config.secretNames.append(field.name)
            return
        }
        config.secretNames.append(field.name)
        guard origins != nil else { return }
        config.secrets.append((name: field.name, bytes: try fetch(origin, field, origins)))
    }

    private static func fetch(
        _ origin: SecretOrigin, _ field: Wire.ConfigField, _ origins: SecretOrigins?
    ) throws(ConfigError) -> Bytes {
        do throws(SecretReadError) {
            return try (origins ?? SecretOrigins()).value(origin)
        } catch {
            throw ConfigError(description: "config field \"\(field.name)\": \(error)")
        }
    }

    private static func missing(_ field: Wire.ConfigField, _ fix: String) -> ConfigError {
        ConfigError(
            description: "config field \"\(field.name)\" (\(typeName(field.type))) is missing: "
                + printable(field.help) + fix)
    }

    /// A text of the command line as a value of the field's type; never shown, because it may be a secret by mistake.
    private static func typed(_ text: String, _ field: Wire.ConfigField) throws(ConfigError) -> ConfigValue {
        switch field.type {
        case .string, .path: return .string(text)
        case .integer:
            if let number = Int64(text), String(number) == text { return .integer(number) }
        case .boolean:
            if text == "true" || text == "false" { return .boolean(text == "true") }
        case .stringList, .unrecognized: break
        }
        throw ConfigError(
            description:
                "config field \"\(field.name)\" must be \(typeName(field.type)), which the command line does not "
                + "give" + (field.type == .stringList ? "; write it in the manifest" : ""))
    }

    /// Text is compared as bytes: `String` would call different spellings of one letter equal.
    private static func same(_ left: String, _ right: String) -> Bool { left.utf8.elementsEqual(right.utf8) }

    private static func checkSchema(_ schema: [Wire.ConfigField]) throws(ConfigError) {
        guard schema.count <= maximumFields else {
            throw ConfigError(description: "the connector declares \(schema.count) fields; at most \(maximumFields)")
        }
        var seen: Set<[UInt8]> = []
        for field in schema {
            let name = Array(field.name.utf8)
            let isName =
                (1...63).contains(name.count) && name[0].isASCIILowerLetter
                && name.allSatisfy { $0.isASCIILowerLetter || $0.isASCIIDigit || $0 == UInt8(ascii: "_") }
            guard !field.secret || !reservedNames.contains(where: { same($0, field.name) }) else {
                throw ConfigError(
                    description:
                        "the connector declares a secret field \"\(printable(field.name))\", which is the name of "
                        + "a part of the credential: this is a bug of the connector")
            }
            guard isName, seen.insert(name).inserted else {
                throw ConfigError(
                    description: "the connector declares a field \"\(printable(field.name))\", which is no proper name "
                        + "or declared twice: this is a bug of the connector")
            }
        }
    }

    /// A default is of its field's type, and a path is one already: a connector does not know the manifest's directory.
    private static func isDefault(_ value: Wire.ConfigValue, of type: Wire.ConfigField.ValueType) -> Bool {
        switch (type, value.kind) {
        case (.string, .text), (.integer, .integer), (.boolean, .boolean), (.stringList, .list): true
        case (.path, .text(let text)): (try? AbsolutePath(text)) != nil
        default: false
        }
    }

    private static func value(
        _ given: ConfigValue, _ field: Wire.ConfigField, _ directory: AbsolutePath
    ) throws(ConfigError) -> Wire.ConfigValue {
        switch (field.type, given) {
        case (.string, .string(let text)): return Wire.ConfigValue(kind: .text(text))
        case (.integer, .integer(let number)): return Wire.ConfigValue(kind: .integer(number))
        case (.boolean, .boolean(let flag)): return Wire.ConfigValue(kind: .boolean(flag))
        case (.stringList, .list(let values)):
            return Wire.ConfigValue(kind: .list(Wire.StringList(values: values)))
        case (.path, .string(let text)):
            return Wire.ConfigValue(kind: .text(try path(text, field.name, directory)))
        default:
            throw ConfigError(
                description: "config field \"\(field.name)\" must be \(typeName(field.type)), not \(kindName(given))")
        }
    }

    private static func path(
        _ text: String, _ name: String, _ directory: AbsolutePath
    ) throws(ConfigError) -> String {
        var full = text
        if !text.utf8.starts(with: "/".utf8) {
            guard let base = directory.bytes.text else {
                throw ConfigError(
                    description: "the manifest's directory is not UTF-8: write \"\(name)\" as an absolute path")
            }
            full = (base == "/" ? "" : base) + "/" + text
        }
        do {
            return try AbsolutePath(full).bytes.text ?? full
        } catch {
            throw ConfigError(description: "config field \"\(name)\": \(error)")
        }
    }

    private static func typeName(_ type: Wire.ConfigField.ValueType) -> String {
        switch type {
        case .string: "a text"
        case .integer: "a whole number"
        case .boolean: "true or false"
        case .stringList: "a list of texts"
        case .path: "a path"
        case .unrecognized: "of a type that this host does not know (update trstctl)"
        }
    }

    private static func kindName(_ value: ConfigValue) -> String {
        switch value {
        case .string: "a text"
        case .integer: "a whole number"
        case .boolean: "true or false"
        case .list: "a list of texts"
        case .reference: "a reference"
        }
    }
}
