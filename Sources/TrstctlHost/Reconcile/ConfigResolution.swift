import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

/// What is wrong with a target's `config:` in the light of the connector's schema.
struct ConfigError: Error, CustomStringConvertible {
    var description: String
}

/// Checks a target's configuration against the schema that its connector declared, and fills in defaults.
enum ConfigResolution {
    /// The most fields that a schema may have.
    static let maximumFields = 64

    /// Resolves the configuration.
    ///
    /// - Parameters:
    ///   - target: as the manifest has it.
    ///   - schema: as the connector declared it.
    ///   - directory: the manifest's directory, for relative paths.
    /// - Returns: the entries to send, in the schema's order.
    /// - Throws: `ConfigError` that names the field, what is expected and what was found.
    static func resolve(
        _ target: Target, schema: [Wire.ConfigField], directory: AbsolutePath
    ) throws(ConfigError) -> [Wire.ConfigEntry] {
        try checkSchema(schema)
        for field in target.config where !schema.contains(where: { same($0.name, field.key) }) {
            let known = schema.map(\.name).joined(separator: ", ")
            throw ConfigError(
                description: "config field \"\(printable(field.key))\" is not known to connector "
                    + "\(target.connector.text), which knows: \(known.isEmpty ? "none" : known)")
        }
        var entries: [Wire.ConfigEntry] = []
        for field in schema {
            let given = target.config.first { same($0.key, field.name) }?.value
            if field.secret && given != nil {
                throw ConfigError(
                    description: "config field \"\(field.name)\" is a secret and must not stand in the manifest")
            }
            if let given {
                entries.append(Wire.ConfigEntry(name: field.name, value: try value(given, field, directory)))
            } else if let fallback = field.defaultValue, fallback.kind != nil {
                guard isDefault(fallback, of: field.type) else {
                    throw ConfigError(
                        description: "the connector declares a default for \"\(field.name)\" that is not "
                            + "\(typeName(field.type)): this is a bug of the connector; write the field yourself")
                }
                entries.append(Wire.ConfigEntry(name: field.name, value: fallback))
            } else if field.required {
                throw ConfigError(
                    description: "config field \"\(field.name)\" (\(typeName(field.type))) is missing: "
                        + printable(field.help))
            }
        }
        return entries
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
                (1...63).contains(name.count) && (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(name[0])
                && name.allSatisfy { byte in
                    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "_")
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
        }
    }
}
