/// Where the manifest has a connector's grants, as the words of a sentence.
package struct GrantPlace: Hashable, Sendable, CustomStringConvertible {
    private let plugin: String?

    /// - Parameter plugin: the name under `plugins:`; nil when it is not known.
    init(plugin: String?) { self.plugin = plugin }

    package var description: String {
        (plugin.map { "under plugins.\($0).grants" } ?? "in the connector's grants") + " in the manifest"
    }
}
