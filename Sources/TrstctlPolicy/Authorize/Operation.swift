package import TrstctlSystem

/// One side effect that a connector asks for.
package enum Operation: Hashable, Sendable {
    case readFile(AbsolutePath)
    case stat(AbsolutePath)
    case writeFile(AbsolutePath)
    case removeFile(AbsolutePath)
    /// The arguments; the first is the program's absolute path.
    case exec(argv: [Bytes])
    case dial(DialAddress)
    /// Connecting to a Unix socket.
    case dialSocket(AbsolutePath)
    /// Telling a peer something after which it may be another: a request whose method is not safe, raw bytes.
    case send(DialAddress)
    /// The same over a Unix socket.
    case sendSocket(AbsolutePath)
    /// A call that this host does not perform, by its name.
    case unsupported(String)

    /// The capability that the operation belongs to first; nil for what this host does not perform.
    package var capability: Capability? {
        switch self {
        case .readFile, .stat: .fsRead
        case .writeFile, .removeFile: .fsWrite
        case .exec: .processExec
        case .dial, .dialSocket, .send, .sendSocket: .netDial
        case .unsupported: nil
        }
    }

    /// True when performing it can change the target.
    var isMutation: Bool {
        switch self {
        case .writeFile, .removeFile, .exec, .send, .sendSocket: true
        case .readFile, .stat, .dial, .dialSocket, .unsupported: false
        }
    }

    /// The object as text for people and logs.
    package var object: String {
        switch self {
        case .readFile(let path), .stat(let path), .writeFile(let path), .removeFile(let path): path.description
        case .exec(let argv): "[" + argv.map { yamlScalar($0) ?? printable($0) }.joined(separator: ", ") + "]"
        case .dial(let address), .send(let address): address.text
        case .dialSocket(let path), .sendSocket(let path): "unix:\(path)"
        case .unsupported(let name): printable(name)
        }
    }

    /// What a sentence calls the operation, for example `reading /etc/x`.
    var phrase: String {
        switch self {
        case .readFile: "reading \(object)"
        case .stat: "looking at \(object)"
        case .writeFile: "writing \(object)"
        case .removeFile: "removing \(object)"
        case .exec: "running \(object)"
        case .dial, .dialSocket: "connecting to \(object)"
        case .send, .sendSocket: "sending to \(object)"
        case .unsupported: "\(object)"
        }
    }
}

/// What the host-to-connector call that an operation belongs to may do.
package enum ScopeRights: Hashable, Sendable {
    /// Granted mutations are performed.
    case mutating
    /// Nothing that can change the target is performed, granted or not.
    case readOnly
    /// Mutations are authorised exactly as in `mutating`, but whoever takes the ticket records them instead: a plan.
    case recording
}
