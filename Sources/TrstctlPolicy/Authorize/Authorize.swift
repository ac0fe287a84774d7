package import TrstctlSystem

/// The permission for one effect.
///
/// Only `authorize` makes one, so an effect that takes a ticket cannot be reached without a decision.
package enum Ticket: Hashable, Sendable {
    case file(FileTicket)
    case exec(ExecTicket)
    case dial(DialTicket)
    case socket(SocketTicket)
}

/// The permission to touch one file.
package struct FileTicket: Hashable, Sendable {
    /// What may be done to it.
    package enum Access: String, Hashable, Sendable {
        case read
        case stat
        case write
        case remove
    }

    /// What may be done to it.
    package let access: Access
    /// The directory to open first, the one that the operator's text names.
    package let root: AbsolutePath
    /// The components beneath it, at least one; to be resolved by the kernel without following a link.
    package let relative: [Bytes]
    /// The whole path.
    package let path: AbsolutePath
    /// The rule that allows it, as text for people.
    package let grant: String

    fileprivate init(access: Access, root: AbsolutePath, relative: [Bytes], path: AbsolutePath, grant: String) {
        self.access = access
        self.root = root
        self.relative = relative
        self.path = path
        self.grant = grant
    }
}

/// The permission to run one program with these arguments.
package struct ExecTicket: Hashable, Sendable {
    /// The arguments; the first is the program's absolute path.
    package let argv: [Bytes]
    /// The program.
    package let program: AbsolutePath
    /// The terms of each rule that covers the command; the program has to meet those of one of them.
    package let terms: [ExecTerms]
    /// The first rule that allows it, as text for people.
    package let grant: String
    /// Where the manifest has it.
    package let place: GrantPlace

    fileprivate init(argv: [Bytes], program: AbsolutePath, terms: [ExecTerms], grant: String, place: GrantPlace) {
        self.argv = argv
        self.program = program
        self.terms = terms
        self.grant = grant
        self.place = place
    }
}

/// The permission to connect to one peer.
package struct DialTicket: Hashable, Sendable {
    /// The peer.
    package let address: DialAddress
    /// What the operator permits with it.
    package let options: DialOptions
    /// The rule that allows it, as text for people.
    package let grant: String
    /// Where the manifest has it.
    package let place: GrantPlace

    fileprivate init(address: DialAddress, options: DialOptions, grant: String, place: GrantPlace) {
        self.address = address
        self.options = options
        self.grant = grant
        self.place = place
    }
}

/// The permission to connect to one Unix socket.
package struct SocketTicket: Hashable, Sendable {
    /// The socket.
    package let path: AbsolutePath
    /// The rule that allows it, as text for people.
    package let grant: String

    fileprivate init(path: AbsolutePath, grant: String) {
        self.path = path
        self.grant = grant
    }
}

/// What `authorize` decides.
package enum Decision: Hashable, Sendable {
    case allowed(Ticket)
    case denied(Denial)
}

/// Decides whether a connector's operation is performed: the one choke point of every side effect.
///
/// - Parameters:
///   - operation: what the connector asks for.
///   - effective: what it declared and the operator approved, see `GrantSet.intersection`.
///   - scope: what the call that the operation belongs to may do.
///   - declared: what the connector declared, if known; it only makes a denial say whether the manifest can help.
///   - plugin: the name under which the manifest has the grants, for a denial.
/// - Returns: a ticket, or the denial with what would allow the operation.
package func authorize(
    _ operation: Operation, effective: GrantSet, scope: ScopeRights, declared: GrantSet? = nil, plugin: String? = nil
) -> Decision {
    guard let capability = operation.capability else { return .denied(.unsupported(operation)) }
    let place = GrantPlace(plugin: plugin)
    if operation.isMutation, scope == .readOnly { return .denied(.readOnly(operation, capability)) }
    if let ticket = ticket(operation, in: effective, place) { return .allowed(ticket) }
    if case .exec(let argv) = operation {
        do throws(GrammarError) {
            _ = try ExecGrant(argv: argv)
        } catch {
            return .denied(.malformed(error, capability: capability))
        }
    }
    if let declared, ticket(operation, in: declared, place) == nil {
        return .denied(.notDeclared(operation, capability))
    }
    return .denied(.notGranted(operation, capability, in: effective, place))
}

private func ticket(_ operation: Operation, in grants: GrantSet, _ place: GrantPlace) -> Ticket? {
    switch operation {
    case .readFile(let path): file(path, .read, grants.read)
    case .stat(let path): file(path, .stat, grants.read + grants.write)
    case .writeFile(let path): file(path, .write, grants.write)
    case .removeFile(let path): file(path, .remove, grants.write)
    case .exec(let argv): command(argv, grants.exec, place)
    case .dial(let address), .send(let address): peer(address, grants.dial, place)
    case .dialSocket(let path), .sendSocket(let path):
        grants.dial.first { $0 == .socket(path) }.map {
            .socket(SocketTicket(path: path, grant: $0.description))
        }
    case .unsupported: nil
    }
}

// Of several rules that cover the command none takes anything away from another, or adds to it: more rules never allow
// less. That a rule which is added for a program comes on the program's terms is up to whoever adds it, see `onTerms`.
private func command(_ argv: [Bytes], _ rules: [ExecGrant], _ place: GrantPlace) -> Ticket? {
    let covering = rules.filter { $0.covers(argv) }
    guard let first = covering.first else { return nil }
    return .exec(
        ExecTicket(
            argv: argv, program: first.program, terms: covering.map(\.terms), grant: first.description, place: place))
}

// Several rules may cover the peer, each with options of its own: they count together.
private func peer(_ address: DialAddress, _ rules: [DialGrant], _ place: GrantPlace) -> Ticket? {
    let covering = rules.filter { $0.covers(address) }
    let options = covering.reduce(DialOptions()) { $0.union($1.options) }
    let widest = covering.max { $0.options.rawValue.nonzeroBitCount < $1.options.rawValue.nonzeroBitCount }
    guard let rule = widest else { return nil }
    return .dial(DialTicket(address: address, options: options, grant: rule.description, place: place))
}

// Of several rules that cover the path the one anchored deepest counts: the operator's most exact text.
private func file(_ path: AbsolutePath, _ access: FileTicket.Access, _ rules: [PathGrant]) -> Ticket? {
    let covering = rules.filter { $0.covers(path) }
    let deepest = covering.max(by: PathGrant.isAnchoredHigher)
    guard let rule = deepest, let relative = path.components(below: rule.anchor) else { return nil }
    return .file(
        FileTicket(access: access, root: rule.anchor, relative: relative, path: path, grant: rule.description))
}
