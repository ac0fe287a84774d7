internal import TrstctlSystem
internal import TrstctlWire

/// What a grant is about.
public enum Capability: Sendable, Hashable {
    /// `fs.read`: reading files.
    case readFiles
    /// `fs.write`: replacing and removing files.
    case writeFiles
    /// `net.dial`: reaching network addresses.
    case dial
    /// `process.exec`: running commands.
    case run

    var message: Wire.Capability {
        switch self {
        case .readFiles: .fsRead
        case .writeFiles: .fsWrite
        case .dial: .netDial
        case .run: .processExec
        }
    }
}

/// Why a connector needs a capability at all.
public struct CapabilityNeed: Sendable {
    let capability: Capability
    let reason: String

    /// - Parameters:
    ///   - capability: what it needs.
    ///   - reason: completes "needs it to", for example `reload NGINX`; at most 512 bytes.
    public init(_ capability: Capability, _ reason: String) {
        self.capability = capability
        self.reason = reason
    }

    var message: Wire.CapabilityReason {
        Wire.CapabilityReason(capability: capability.message, reason: reason.cut(to: 512))
    }
}

/// One concrete thing a connector needs for one target.
public struct Grant: Sendable {
    let capability: Capability
    let values: [Bytes]
    var hasHoles = false

    /// Reading one file, or everything below a directory when the path ends with a slash.
    public static func read(_ path: String) -> Grant { Grant(capability: .readFiles, values: [Bytes(path)]) }

    /// Replacing and removing one file, or everything below a directory when the path ends with a slash.
    public static func write(_ path: String) -> Grant { Grant(capability: .writeFiles, values: [Bytes(path)]) }

    /// Reaching one address, `host:port`, or one Unix socket, `unix:/path`.
    ///
    /// Whether a name may lead into a private network or to the machine itself, and whether content may go there without
    /// TLS, is for the operator to say in the manifest.
    public static func dial(_ address: String) -> Grant { Grant(capability: .dial, values: [Bytes(address)]) }

    /// Running exactly this command: the program's absolute path, then its arguments.
    public static func run(_ command: [String]) -> Grant {
        Grant(capability: .run, values: command.map { Bytes($0) })
    }

    /// Running any command of this form: after the program's absolute path, `{fingerprint}`, `{int}`, `{int:1..65535}`
    /// and `{[a-z0-9-]:1..32}` stand for words that are known only later, and `{{` for one brace.
    ///
    /// The operator has to approve the form, so keep it narrow, and prefer `run(_:)` where every word is known.
    public static func run(form command: [String]) -> Grant {
        Grant(capability: .run, values: command.map { Bytes($0) }, hasHoles: true)
    }

    var message: Wire.Grant { Wire.Grant(capability: capability.message, values: values, hasHoles: hasHoles) }
}
