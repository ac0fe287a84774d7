import TrstctlSystem

/// The name of a connector, `^[a-z][a-z0-9-]{0,62}$`, checked on its bytes.
package struct ConnectorName: Hashable, Sendable, CustomStringConvertible {
    /// The name, for example `nginx`.
    package let text: String

    /// The name, or nil when it breaks the rule.
    package init?(_ text: String) {
        let bytes = text.utf8
        guard let first = bytes.first, first.isASCIILowerLetter, bytes.count <= 63 else { return nil }
        guard bytes.allSatisfy({ $0.isASCIILowerLetter || $0.isASCIIDigit || $0 == 0x2D }) else { return nil }
        self.text = text
    }

    /// The file name of the connector's executable, `trstctl-connector-<name>`.
    package var executableFileName: String { "trstctl-connector-" + text }

    package var description: String { text }
}

/// The name of a credential or a target in the manifest, `^[a-z0-9][a-z0-9._-]{0,62}$`, checked on its bytes.
package struct EntryName: Hashable, Sendable, CustomStringConvertible {
    /// The name, for example `edge.eu-1`.
    package let text: String

    /// The name, or nil when it breaks the rule.
    package init?(_ text: String) {
        let bytes = text.utf8
        guard let first = bytes.first, bytes.count <= 63, first.isASCIIDigit || first.isASCIILowerLetter else {
            return nil
        }
        let others: [UInt8] = [0x2D, 0x2E, 0x5F]
        guard bytes.allSatisfy({ $0.isASCIILowerLetter || $0.isASCIIDigit || others.contains($0) }) else {
            return nil
        }
        self.text = text
    }

    package var description: String { text }
}
