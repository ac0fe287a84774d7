/// A layer that a connector is under, with what is worth knowing about it.
package struct AppliedLayer: Hashable, Sendable, CustomStringConvertible {
    package let layer: Layer
    /// For example the version of the kernel's Landlock, or the uid; empty when there is nothing to add.
    package let detail: String

    package var description: String { detail.isEmpty ? layer.rawValue : "\(layer.rawValue)-\(detail)" }
}

/// A layer that a connector runs without, and why.
package struct MissingLayer: Hashable, Sendable, CustomStringConvertible {
    package let layer: Layer
    package let reason: String

    package var description: String { "\(layer): \(reason)" }
}

/// The layers that a running connector is under, in the order in which they were applied.
///
/// Each one is applied by the child itself before the program starts; one that fails ends the start. So what stands
/// here for a connector that runs is a fact, not an intention.
package struct ActiveLayers: Equatable, Sendable, CustomStringConvertible {
    package let layers: [AppliedLayer]
    /// What every report of the run must name: the layers that could not be applied, or were switched off.
    package let missing: [MissingLayer]

    package init(layers: [AppliedLayer], missing: [MissingLayer] = []) {
        self.layers = layers
        self.missing = missing
    }

    package var description: String {
        layers.isEmpty ? "none" : layers.map(\.description).joined(separator: " ")
    }
}
