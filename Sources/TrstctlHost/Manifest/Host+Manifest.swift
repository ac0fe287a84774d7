import Glibc
import TrstctlLaunch
import TrstctlPolicy
import TrstctlSystem

extension Host {
    /// Reads and checks the manifest.
    ///
    /// - Returns: the manifest with what the linter warns of.
    /// - Throws: `ManifestError`, also for grants that the linter refuses.
    package func loadManifest() throws(ManifestError) -> LoadedManifest {
        let loaded = try lintedManifest()
        try loaded.checkFindings()
        return loaded
    }

    /// Reads and checks the manifest; what the linter refuses stands among the findings.
    ///
    /// - Throws: `ManifestError`.
    package func lintedManifest() throws(ManifestError) -> LoadedManifest {
        let file = try ManifestFile.open(options.manifest)
        return try LoadedManifest(file.contents, of: file, machinePlaces)
    }

    /// Reads and checks the manifest, and counts what is in it.
    ///
    /// - Returns: the counts and the linter's findings, refusals first.
    /// - Throws: `ManifestError`.
    package func validateManifest() throws(ManifestError) -> ManifestSummary {
        let loaded = try lintedManifest()
        let manifest = loaded.manifest
        let used = Set(manifest.targets.map(\.connector.text))
        let pinned = manifest.plugins.filter { !$0.pins.isEmpty || !$0.invalidPins.isEmpty }.map(\.name.text)
        return ManifestSummary(
            connectors: manifest.plugins.count, credentials: manifest.credentials.count,
            targets: manifest.targets.count,
            findings: loaded.findings.filter(\.isRefusal) + loaded.findings.filter { !$0.isRefusal },
            unpinned: used.subtracting(pinned).sorted())
    }

    /// Where connectors and state are.
    var machinePlaces: MachinePlaces {
        let state = StateDirectory(options.stateDirectory)
        let credentials = getenv("CREDENTIALS_DIRECTORY").map { Bytes(String(cString: $0)) }
        return MachinePlaces(
            pluginDirectories: searchPath.directories.flatMap { Host.paths($0.path) },
            stateDirectory: Host.paths(Bytes(state.path)).last,
            journalDirectory: Host.paths(Bytes(state.journals)).last,
            program: Host.resolved(Bytes("/proc/self/exe")),
            credentialsDirectory: credentials.flatMap { Host.paths($0).last })
    }

    /// A path as it is written, when it is canonical, and as the kernel resolves it, when it exists.
    private static func paths(_ path: Bytes) -> [AbsolutePath] {
        var paths = [try? AbsolutePath(path)].compactMap(\.self)
        if let real = resolved(path), !paths.contains(real) { paths.append(real) }
        return paths.filter { $0 != .root }
    }

    /// Where a path leads when every link is followed, realpath(3); nil when it leads nowhere.
    static func resolved(_ path: Bytes) -> AbsolutePath? {
        guard let resolved = path.withCString({ realpath($0, nil) }) else { return nil }
        defer { free(resolved) }
        return try? AbsolutePath(Bytes(copying: UnsafeRawBufferPointer(start: resolved, count: strlen(resolved))))
    }

    /// The connectors of the development override, and a warning for each, on every run.
    ///
    /// - Throws: `UsageError` for what is no name.
    func overrides() throws(UsageError) -> Set<ConnectorName> {
        var names: Set<ConnectorName> = []
        for text in options.allowUnpinned {
            let name = try connectorName(text)
            guard names.insert(name).inserted else { continue }
            options.log(
                "trstctl", "warning",
                "--allow-unpinned \(name): without a pin in the manifest, whatever lies there as \(name.executableFileName) "
                    + "runs; pin it with: \(NextCommand.trstctl("plugin", "pin", name.text))")
        }
        return names
    }
}

/// How much is in a manifest, and what the linter says about it.
package struct ManifestSummary: Codable, Sendable {
    package var connectors: Int
    package var credentials: Int
    package var targets: Int
    package var findings: [FindingReport]
    /// The connectors that targets name and for which nothing is pinned: a start would be refused.
    package var unpinned: [String]

    /// True when a connector is not started before a finding is acknowledged or corrected.
    package var isRefused: Bool { findings.contains(where: \.isRefusal) }
}
