/// The name of a connector: `^[a-z][a-z0-9-]{0,62}$`.
package struct ConnectorName: Hashable, Sendable {
    package let text: String

    /// The name, or nil when the text is not one.
    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard let first = bytes.first, bytes.count <= 63, (0x61...0x7a).contains(first) else { return nil }
        for byte in bytes {
            guard (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x2d else { return nil }
        }
        self.text = text
    }

    /// The file name of the connector's executable, `trstctl-connector-<name>`.
    package var executableFileName: String { "trstctl-connector-" + text }
}
