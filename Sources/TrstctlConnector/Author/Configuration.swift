internal import TrstctlWire

/// A value of a target's `config:`.
public enum ConfigurationValue: Sendable, Equatable {
    /// A text or a path.
    case text(String)
    /// A whole number.
    case integer(Int64)
    /// True or false.
    case boolean(Bool)
    /// A list of texts.
    case list([String])

    init?(_ value: Wire.ConfigValue?) {
        switch value?.kind {
        case .text(let text): self = .text(text)
        case .integer(let integer): self = .integer(integer)
        case .boolean(let boolean): self = .boolean(boolean)
        case .list(let list): self = .list(list.values)
        case nil: return nil
        }
    }

    var message: Wire.ConfigValue {
        switch self {
        case .text(let text): Wire.ConfigValue(kind: .text(text))
        case .integer(let integer): Wire.ConfigValue(kind: .integer(integer))
        case .boolean(let boolean): Wire.ConfigValue(kind: .boolean(boolean))
        case .list(let list): Wire.ConfigValue(kind: .list(Wire.StringList(values: list)))
        }
    }
}

/// A target's configuration, checked against the connector's schema, defaults filled in.
///
/// The accessors named after a type throw when the field has no value; ask ``subscript(_:)`` about optional fields.
public struct Configuration: Sendable {
    private var values: [String: ConfigurationValue] = [:]

    /// Checks what the host sent.
    ///
    /// - Throws: `invalidConfiguration` for unknown or doubled fields, wrong types, and missing required ones.
    init(
        _ entries: [Wire.ConfigEntry], secretNames: [String], schema: [ConfigurationField]
    ) throws(ConnectorError) {
        for entry in entries {
            guard let field = schema.first(where: { $0.name == entry.name }), !field.isSecret else {
                throw .invalidConfiguration("there is no field `\(entry.name.cut(to: 63))`")
            }
            guard let value = ConfigurationValue(entry.value), field.accepts(value) else {
                throw .invalidConfiguration("the field `\(field.name)` must be of type \(field.kind)")
            }
            guard values.updateValue(value, forKey: field.name) == nil else {
                throw .invalidConfiguration("the field `\(field.name)` is there twice")
            }
        }
        for field in schema where values[field.name] == nil {
            if let value = field.defaultValue {
                values[field.name] = value
            } else if field.isRequired, !(field.isSecret && secretNames.contains(field.name)) {
                throw .invalidConfiguration("the field `\(field.name)` is missing: \(field.help)")
            }
        }
    }

    /// The value of a field, or nil when it has none.
    public subscript(name: String) -> ConfigurationValue? { values[name] }

    /// The text of a field.
    ///
    /// - Throws: `invalidConfiguration` when it has no value.
    public func text(_ name: String) throws(ConnectorError) -> String {
        guard case .text(let text) = values[name] else { throw Configuration.missing(name) }
        return text
    }

    /// The absolute path in a field; throws as ``text(_:)``.
    public func path(_ name: String) throws(ConnectorError) -> String { try text(name) }

    /// The number in a field; throws as ``text(_:)``.
    public func integer(_ name: String) throws(ConnectorError) -> Int64 {
        guard case .integer(let integer) = values[name] else { throw Configuration.missing(name) }
        return integer
    }

    /// The truth value of a field; throws as ``text(_:)``.
    public func boolean(_ name: String) throws(ConnectorError) -> Bool {
        guard case .boolean(let boolean) = values[name] else { throw Configuration.missing(name) }
        return boolean
    }

    /// The list in a field; throws as ``text(_:)``.
    public func list(_ name: String) throws(ConnectorError) -> [String] {
        guard case .list(let list) = values[name] else { throw Configuration.missing(name) }
        return list
    }

    /// The text of an optional field.
    public func textIfSet(_ name: String) -> String? {
        guard case .text(let text) = values[name] else { return nil }
        return text
    }

    /// The list of an optional field.
    public func listIfSet(_ name: String) -> [String]? {
        guard case .list(let list) = values[name] else { return nil }
        return list
    }

    private static func missing(_ name: String) -> ConnectorError {
        .invalidConfiguration("the field `\(name)` is missing")
    }
}
