package import TrstctlSystem

/// What the operator allows one connector: which builds of it run, how they are proven and confined, and what they may
/// do.
package struct Plugin: Hashable, Sendable {
    /// The connector.
    package var name: ConnectorName
    /// The digests of the builds that may run; none means that none may.
    package var pins: [SHA256Digest]
    /// What stands among the digests and is none: while there is one, the connector does not run.
    package var invalidPins: [InvalidPin] = []
    /// What the operator approves.
    package var grants: GrantSet
    /// Whose signature is asked for besides the pin; nil asks for none.
    package var signature: SignatureRule?
    /// How much of the confinement may be missing.
    package var confinement: ConfinementRule
    /// What a script runs under; nil lets no script run.
    package var script: ScriptRule?
    /// Directories of shared libraries and modules that it loads besides the system's, to be read beneath.
    package var libraries: [AbsolutePath] = []
    /// The risks that the operator accepted, by name.
    package var acknowledged: [Acknowledgement]
    /// Whether the operator lets the connector have private keys themselves.
    package var needsKey = false
    /// Whether `sha256` or `grants` stand in the entry, if only as an empty list.
    package var isDecided: Bool

    package init(
        name: ConnectorName, pins: [SHA256Digest], grants: GrantSet, signature: SignatureRule? = nil,
        confinement: ConfinementRule = .strict, script: ScriptRule? = nil, acknowledged: [Acknowledgement] = []
    ) {
        self.name = name
        self.pins = pins
        self.grants = grants
        self.signature = signature
        self.confinement = confinement
        self.script = script
        self.acknowledged = acknowledged
        isDecided = !pins.isEmpty || !grants.isEmpty
    }

    /// The most directories in `libraries`.
    package static let maximumLibraries = 16

    /// True when nobody decided about the connector yet: the first `plugin pin` then approves what it declares.
    ///
    /// A list that was emptied is a decision.
    package var isBlank: Bool { !isDecided && pins.isEmpty && grants.isEmpty }
}

/// An item of a plugin's `sha256` that no build can match.
package struct InvalidPin: Hashable, Sendable {
    /// Its place in the list, from 0.
    package var index: Int
    /// What is wrong with it, one sentence: what people usually get wrong.
    package var cause: String

    package init(index: Int, cause: String) {
        self.index = index
        self.cause = cause
    }
}

/// What a plugin's entry says about layers of confinement that the kernel does not have.
package enum ConfinementRule: String, CaseIterable, Hashable, Sendable, CustomStringConvertible {
    /// A layer that cannot be applied is a refusal.
    case strict
    /// The connector runs with the layers that there are, and every run lists the missing ones.
    case bestEffort = "best-effort"
    /// The connector runs without any; it needs `Acknowledgement.unconfined`.
    case off

    package var description: String { rawValue }
}

/// The program that runs a connector which is a script: its path and the digests that are accepted.
package struct ScriptRule: Hashable, Sendable {
    /// The most digests: one per build or platform.
    package static let maximumPins = 16

    /// What the script's first line has to name.
    package var interpreter: AbsolutePath
    /// The digests of the interpreter's file.
    package var pins: [SHA256Digest]

    package init(interpreter: AbsolutePath, pins: [SHA256Digest]) {
        self.interpreter = interpreter
        self.pins = pins
    }
}

/// A risk that the operator accepts by name: a code of the linter with the object it is about, `replaces:/usr/sbin/x`,
/// or the words that allow a run without confinement.
package struct Acknowledgement: Hashable, Sendable, CustomStringConvertible {
    /// The most in one plugin's entry.
    package static let maximumCount = 64
    /// The longest, in bytes.
    package static let maximumBytes = 4_200
    /// Allows `confinement: off`.
    package static let unconfined = Acknowledgement("i-accept-the-risk")

    /// As it stands in the manifest.
    package let text: Bytes

    package init(_ text: String) {
        self.text = Bytes(text)
    }

    package var description: String { printable(text, limit: Acknowledgement.maximumBytes) }
}
