package import TrstctlSystem

/// What the linter finds; the raw values are stable, for scripts and acknowledgements.
package enum LintCode: String, CaseIterable, Hashable, Sendable, CustomStringConvertible {
    /// A write grant reaches what decides, or is, what runs.
    case replaces
    /// A write grant reaches the configuration of a program that may be run.
    case configures
    /// A shell, an interpreter, or a program that runs others.
    case interpreter
    /// A hole of a command, or its input, lets the connector choose what runs, or what becomes of a service or a process.
    case chooses
    /// A hole of a command lets the connector choose a word.
    case openArgument = "open-argument"
    /// systemctl with a verb that changes what services are.
    case controlsServices = "controls-services"
    /// A Unix socket whose other end obeys like root.
    case controlsHost = "controls-host"
    /// A granted command names a file that may be written.
    case writesArgument = "writes-argument"
    case writesProgram = "writes-program"
    case writesCron = "writes-cron"
    case writesSystemd = "writes-systemd"
    case writesSudoers = "writes-sudoers"
    case writesLoader = "writes-loader"
    case writesKernel = "writes-kernel"
    case writesPAM = "writes-pam"
    case writesAccounts = "writes-accounts"
    case writesLogin = "writes-login"
    case writesHook = "writes-hook"
    case writesState = "writes-state"
    case writesManifestDirectory = "writes-manifest-directory"
    /// Certificate authorities, names and routes that every program believes.
    case writesTrust = "writes-trust"
    case writesCredential = "writes-credential"
    /// The file that `signature:` names.
    case writesSignature = "writes-signature"
    /// A private key of `credentials:` may be read.
    case readsCredentialKey = "reads-credential-key"
    /// A key that the host puts in place by reference may be read back.
    case readsWrittenKey = "reads-written-key"
    case readsSecret = "reads-secret"
    /// `needs_key` is approved.
    case receivesKey = "receives-key"
    /// An acknowledgement that silences nothing.
    case unusedAcknowledgement = "unused-acknowledgement"

    /// True when the manifest is refused until the finding is acknowledged.
    package var isRefusal: Bool { self == .replaces || self == .configures || self == .chooses }

    package var description: String { rawValue }
}

/// One finding of the linter.
package struct LintFinding: Hashable, Sendable {
    /// Where it stands in the plugin's entry.
    package enum Place: Hashable, Sendable {
        /// The rule of this capability at this position.
        case rule(Capability, Int)
        /// The field of this name.
        case field(String)
        /// The acknowledgement at this position.
        case acknowledgement(Int)
    }

    /// What it is.
    package let code: LintCode
    /// The plugin.
    package let plugin: ConnectorName
    /// Where it stands.
    package let place: Place
    /// What it is about, as it stands behind the colon of the acknowledgement.
    package let object: Bytes
    /// One sentence for people: what a connector could do.
    package let sentence: String

    /// True when the manifest is refused until the finding is acknowledged.
    package var isRefusal: Bool { code.isRefusal }

    /// What silences it; nil for what has to be removed instead.
    package var acknowledgement: Acknowledgement? {
        guard code != .unusedAcknowledgement, let object = object.text else { return nil }
        return Acknowledgement("\(code):\(object)")
    }
}

extension Acknowledgement {
    /// True for the words that allow a run without confinement, and for a known code with an object.
    package var isWellFormed: Bool {
        if self == .unconfined { return true }
        let bytes = text.array
        guard bytes.count <= Acknowledgement.maximumBytes, let colon = bytes.firstIndex(of: UInt8(ascii: ":")),
            colon + 1 < bytes.count
        else { return false }
        return LintCode.allCases.contains { $0.rawValue.utf8.elementsEqual(bytes[..<colon]) }
    }
}
