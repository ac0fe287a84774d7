import TrstctlPolicy
import TrstctlProcess
import TrstctlSystem

/// A program that met the terms of a rule.
enum RunnableProgram: ~Copyable {
    /// By its path, which nobody but root and the host's user can make lead elsewhere.
    case path
    /// A sealed copy with one of the digests that the manifest names.
    case copy(OwnedDescriptor)

    /// Looks at a program; a plan looks at it in the same way.
    ///
    /// - Throws: `privileged` and `programChanged` for what does not meet the terms, and what `ProgramFile` and
    ///   `SealedProgram` throw.
    init(_ ticket: ExecTicket, until deadline: Deadline) throws(EffectError) {
        let file = try ProgramFile(ticket.program)
        let object = ticket.program.description
        var terms = ticket.terms
        if file.changesRights {
            terms = terms.filter(\.allowsSetuid)
            guard !terms.isEmpty else {
                throw EffectError(
                    .privileged, object: object,
                    "\(object) has a set-user-id or set-group-id bit, and is not run",
                    fix: "run trstctl as the user that the program needs, or accept it \(ticket.place): "
                        + "process.exec: [{ argv: …, setuid: true }]")
            }
        }
        guard !terms.contains(where: \.pins.isEmpty) else {
            self = .path
            return
        }
        let copy = try SealedProgram(file, ticket.place, until: deadline)
        guard terms.contains(where: { $0.pins.contains { $0.matches(copy.digest) } }) else {
            throw EffectError(
                .programChanged, object: object,
                "\(object) is not the program that the manifest names: its SHA-256 is \(copy.digest)",
                fix: "if it was updated, write this in its command \(ticket.place): "
                    + "process.exec: [{ argv: …, sha256: [\"\(copy.digest)\"] }]")
        }
        self = .copy(copy.descriptor)
    }

    /// What a start needs; the copy stays open as long as this value lives.
    func program(_ path: AbsolutePath) -> SpawnRequest.Program {
        switch self {
        case .path: .path(path.bytes)
        case .copy(let descriptor): .descriptor(descriptor.raw)
        }
    }
}
