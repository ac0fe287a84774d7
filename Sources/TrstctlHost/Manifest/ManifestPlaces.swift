import TrstctlPolicy
import TrstctlSystem

/// Where in the text a finding of the linter stands, or a pin that is none.
struct ManifestPlaces {
    private let plugins: YAMLNode?

    init(_ root: YAMLNode) {
        guard case .mapping(let entries) = root.content else {
            plugins = nil
            return
        }
        plugins = entries["plugins"]?.value
    }

    /// The position of an item of `sha256`.
    func position(of pin: InvalidPin, of plugin: ConnectorName) -> YAMLPosition? {
        let pins = plugins?.entry(plugin.text)?.value.entry("sha256")
        return pins?.value.item(pin.index)?.start ?? pins?.keyStart
    }

    /// The position of the rule or acknowledgement, or of the nearest thing around it.
    func position(of finding: LintFinding) -> YAMLPosition? {
        guard let entry = plugins?.entry(finding.plugin.text) else { return nil }
        switch finding.place {
        case .rule(let capability, let index):
            let list = entry.value.entry("grants")?.value.entry(capability.rawValue)
            return list?.value.item(index)?.start ?? list?.keyStart ?? entry.keyStart
        case .field(let name):
            return entry.value.entry(name)?.keyStart ?? entry.keyStart
        case .acknowledgement(let index):
            return entry.value.entry("acknowledge")?.value.item(index)?.start ?? entry.keyStart
        }
    }
}

extension InvalidPin {
    /// What the operator can do.
    func nextStep(_ plugin: ConnectorName) -> String { "run: \(NextCommand.trstctl("plugin", "pin", plugin.text))" }
}

extension YAMLNode {
    fileprivate func entry(_ key: String) -> Entry? {
        guard case .mapping(let entries) = content else { return nil }
        return entries[key]
    }

    fileprivate func item(_ index: Int) -> YAMLNode? {
        guard case .sequence(let items) = content, items.indices.contains(index) else { return nil }
        return items[index]
    }
}
