internal import TrstctlSystem
internal import TrstctlWire

/// One field of a target's `config:` in the manifest.
public struct ConfigurationField: Sendable {
    enum Kind: Sendable {
        case text, integer, boolean, list, path
    }

    let name: String
    let kind: Kind
    let isRequired: Bool
    let isSecret: Bool
    let defaultValue: ConfigurationValue?
    let help: String

    /// An absolute path; the host resolves a relative one against the manifest's directory.
    ///
    /// - Parameters:
    ///   - name: `^[a-z][a-z0-9_]{0,62}$`.
    ///   - required: whether a target without it is refused.
    ///   - default: the value when it is absent.
    ///   - help: one sentence for people, at most 512 bytes.
    /// - Returns: the field, for the connector's schema.
    public static func path(
        _ name: String, required: Bool = false, default: String? = nil, help: String
    ) -> ConfigurationField {
        ConfigurationField(
            name: name, kind: .path, isRequired: required, isSecret: false, defaultValue: `default`.map { .text($0) },
            help: help)
    }

    /// A text.
    ///
    /// - Parameters:
    ///   - name: `^[a-z][a-z0-9_]{0,62}$`.
    ///   - required: whether a target without it is refused.
    ///   - secret: the value is never sent; use it as `.secret(.field(name))` in content.
    ///   - default: the value when it is absent.
    ///   - help: one sentence for people, at most 512 bytes.
    /// - Returns: the field, for the connector's schema.
    public static func text(
        _ name: String, required: Bool = false, secret: Bool = false, default: String? = nil, help: String
    ) -> ConfigurationField {
        ConfigurationField(
            name: name, kind: .text, isRequired: required, isSecret: secret, defaultValue: `default`.map { .text($0) },
            help: help)
    }

    /// A whole number; otherwise as ``path(_:required:default:help:)``.
    public static func integer(
        _ name: String, required: Bool = false, default: Int64? = nil, help: String
    ) -> ConfigurationField {
        ConfigurationField(
            name: name, kind: .integer, isRequired: required, isSecret: false,
            defaultValue: `default`.map { .integer($0) }, help: help)
    }

    /// `true` or `false`; otherwise as ``path(_:required:default:help:)``.
    public static func boolean(
        _ name: String, required: Bool = false, default: Bool? = nil, help: String
    ) -> ConfigurationField {
        ConfigurationField(
            name: name, kind: .boolean, isRequired: required, isSecret: false,
            defaultValue: `default`.map { .boolean($0) }, help: help)
    }

    /// A list of texts, for example a command with its arguments; otherwise as ``path(_:required:default:help:)``.
    public static func list(
        _ name: String, required: Bool = false, default: [String]? = nil, help: String
    ) -> ConfigurationField {
        ConfigurationField(
            name: name, kind: .list, isRequired: required, isSecret: false, defaultValue: `default`.map { .list($0) },
            help: help)
    }

    var message: Wire.ConfigField {
        Wire.ConfigField(
            name: name, type: wireType, required: isRequired, secret: isSecret, defaultValue: defaultValue?.message,
            help: help.cut(to: 512))
    }

    private var wireType: Wire.ConfigField.ValueType {
        switch kind {
        case .text: .string
        case .integer: .integer
        case .boolean: .boolean
        case .list: .stringList
        case .path: .path
        }
    }

    /// Whether a value has the type of this field.
    func accepts(_ value: ConfigurationValue) -> Bool {
        switch (kind, value) {
        case (.text, .text), (.path, .text), (.integer, .integer), (.boolean, .boolean), (.list, .list): true
        default: false
        }
    }
}
