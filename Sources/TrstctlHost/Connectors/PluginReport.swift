/// What `plugin list` and `plugin verify` say about one connector.
package struct PluginReport: Codable, Sendable {
    /// How the file stands to the manifest.
    package enum PinState: String, Codable, Sendable {
        case pinned, unpinned, mismatch, missing, refused
    }

    package var name: String
    package var path: String
    package var directory: String
    /// Why that directory is searched: `--plugin-dir`, `TRSTCTL_PLUGIN_DIR`, `standard`.
    package var origin: String
    /// What it calls itself; only known when it was run.
    package var version: String
    /// How it is linked, for example `static` or `dynamic`.
    package var link: String
    package var sha256: String
    package var pin: PinState
    /// Why, when a start would be refused, in one word (`spec/reasons.md`); empty otherwise.
    package var code: String
    /// Why it is not pinned, or would not start, or did not when it was run.
    package var reason: String
    /// What has to be said although it may run.
    package var note: String
    /// Who signed it: `none` is asked for, `valid (key)`, `absent`, `refused`, `not checked`.
    package var signature: String
    /// `strict`, `best-effort`, `off`, as the manifest has it.
    package var confinement: String
    /// What a start would warn of.
    package var warnings: [String]
    /// Copies in later directories that are not used.
    package var shadowed: [String]
    package var rejected: [String]

    /// True when a start would not be refused.
    package var mayRun: Bool { pin == .pinned || (pin == .unpinned && !note.isEmpty) }

    init(name: String) {
        self.name = name
        path = ""
        directory = ""
        origin = ""
        version = ""
        link = ""
        sha256 = ""
        pin = .missing
        code = ""
        reason = ""
        note = ""
        signature = ""
        confinement = ""
        warnings = []
        shadowed = []
        rejected = []
    }
}

/// What `plugin inspect` says: who the connector is, and what it asks for.
package struct InspectReport: Codable, Sendable {
    /// A configuration field.
    package struct Field: Codable, Sendable {
        package var name: String
        package var type: String
        package var required: Bool
        package var secret: Bool
        package var defaultValue: String
        package var help: String
    }

    /// A capability, and why.
    package struct Need: Codable, Sendable {
        package var capability: String
        package var reason: String
    }

    /// What it asks for one target of the manifest.
    package struct TargetGrants: Codable, Sendable {
        package var target: String
        /// As the manifest would have them.
        package var declared: [String]
        /// Those that the manifest does not approve.
        package var missing: [String]
        /// Why the target could not be configured; empty when it could.
        package var error: String
    }

    package var connector: ConnectorReport
    package var summary: String
    package var protocolVersions: [UInt32]
    package var optionalMethods: [String]
    package var fields: [Field]
    package var needs: [Need]
    /// Whether it asks for private keys themselves, and whether the manifest approves it.
    package var needsKey: Bool
    package var needsKeyApproved: Bool
    package var targets: [TargetGrants]
    /// What the manifest approves and no target of it needs.
    package var unused: [String]
    /// What the linter finds in the manifest's entry.
    package var findings: [FindingReport]
    /// `strict`, `best-effort`, `off`, as the manifest has it.
    package var confinementMode: String
    /// Whether the bytes that answered are pinned.
    package var pin: PluginReport.PinState
    /// The command that pins it, or approves what is missing; empty when there is nothing to do.
    package var next: String
}

/// What `plugin pin` wrote.
package struct PinReport: Codable, Sendable {
    package var name: String
    package var path: String
    package var sha256: String
    package var previous: [String]
    /// Grants that were added, as the manifest has them.
    package var addedGrants: [String]
    /// Grants that stood there and that the connector does not ask for.
    package var unusedGrants: [String]
    package var warnings: [String]
    package var changed: Bool
}
