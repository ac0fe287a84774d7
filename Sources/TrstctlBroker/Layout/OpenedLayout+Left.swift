import TrstctlPolicy
import TrstctlSystem

/// Saying what lies among the versions and stays there.
extension OpenedLayout {
    /// What a deployment leaves among the versions, for people, because what its path leads to is somebody else's by now.
    ///
    /// - Parameters:
    ///   - versions: those that the deployment made.
    ///   - origin: what the path was.
    /// - Returns: a line; nil when nothing is there.
    func left(_ versions: Set<VersionName>, _ origin: VersionOrigin) -> String? {
        var parts: [String] = []
        do throws(EffectError) {
            let store = try store()
            var made: [String] = []
            for version in versions where isThere(version, in: store) { made.append(version.description) }
            if !made.isEmpty {
                parts.append("\(made.sorted().joined(separator: ", ")) of this deployment, with its key")
            }
            if isThere(origin.name, in: store) { parts.append("\(origin.name), the files of before") }
        } catch {
            return error.code == .notFound ? nil : "\(layout.store): \(error.message)"
        }
        return parts.isEmpty ? nil : "\(layout.store) keeps \(parts.joined(separator: "; and "))"
    }

    private func isThere(_ version: VersionName, in store: borrowing OwnedDescriptor) -> Bool {
        (try? openDirectory(version.bytes, in: store)) != nil
    }
}
