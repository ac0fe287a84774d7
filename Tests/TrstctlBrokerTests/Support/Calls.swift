import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

@testable import TrstctlBroker

/// The brokered calls, as a connector would make them.
extension BrokerScope {
    func read(_ path: String, maxBytes: UInt32 = 0) -> Wire.Reply {
        perform(.readFile(Wire.ReadFileRequest(path: Bytes(path), maxBytes: maxBytes)))
    }

    func stat(_ path: String, compareTo segments: [Wire.Segment] = []) -> Wire.Reply {
        perform(.stat(Wire.StatRequest(path: Bytes(path), compareTo: segments)))
    }

    func write(
        _ path: String, _ segments: [Wire.Segment], mode: UInt32 = 0, owner: Wire.FileOwner? = nil
    ) -> Wire.Reply {
        perform(.writeFile(Wire.WriteFileRequest(path: Bytes(path), content: segments, mode: mode, owner: owner)))
    }

    func write(_ path: String, _ text: String, mode: UInt32 = 0, owner: Wire.FileOwner? = nil) -> Wire.Reply {
        write(path, [.text(text)], mode: mode, owner: owner)
    }

    func remove(_ path: String) -> Wire.Reply {
        perform(.removeFile(Wire.RemoveFileRequest(path: Bytes(path))))
    }

    func revert(_ paths: [String] = []) -> Wire.Reply {
        perform(.revert(Wire.RevertRequest(paths: paths.map { Bytes($0) })))
    }

    func exec(
        _ argv: [String], stdin: [Wire.Segment] = [], milliseconds: UInt32 = 0, maxOutput: UInt32 = 0
    ) -> Wire.Reply {
        perform(
            .exec(
                Wire.ExecRequest(
                    arguments: argv.map { Bytes($0) }, stdin: stdin, timeoutMilliseconds: milliseconds,
                    maxOutputBytes: maxOutput)))
    }
}

extension Wire.Segment {
    static func text(_ text: String) -> Wire.Segment { Wire.Segment(kind: .literal(Bytes(text))) }

    static func secret(
        _ name: String, _ encoding: Wire.SecretReference.Encoding = .raw
    ) -> Wire.Segment {
        Wire.Segment(kind: .secret(Wire.SecretReference(name: name, encoding: encoding)))
    }
}

extension Wire.Reply {
    var code: Wire.Status.Code? { status?.code }
    var message: String { status?.message ?? "" }

    var content: String? {
        if case .readFile(let response) = result { return response.content.text }
        return nil
    }

    var statResponse: Wire.StatResponse? {
        if case .stat(let response) = result { return response }
        return nil
    }

    var execResponse: Wire.ExecResponse? {
        if case .exec(let response) = result { return response }
        return nil
    }

    var writeResponse: Wire.WriteFileResponse? {
        if case .writeFile(let response) = result { return response }
        return nil
    }

    var reverted: UInt32? {
        if case .revert(let response) = result { return response.reverted }
        return nil
    }
}

/// A scope that may do everything below some directories, and run these commands.
func scope(
    _ rights: ScopeRights = .mutating, below directories: [String], exec: [[String]] = [],
    secrets: SecretSource = .none, planned: PlannedServing? = nil, limits: ScopeLimits = ScopeLimits()
) throws -> BrokerScope {
    let paths = directories.map { $0 + "/" }
    let grants = try GrantSet.parse(read: paths, write: paths, dial: ["127.0.0.1:1"], exec: exec)
    return BrokerScope(rights: rights, grants: grants, secrets: secrets, planned: planned, limits: limits)
}

/// The ticket for an operation that the grants cover.
func ticket(_ operation: TrstctlPolicy.Operation, below directory: String) throws -> FileTicket {
    let grants = try GrantSet.parse(read: [directory + "/"], write: [directory + "/"])
    switch authorize(operation, effective: grants, scope: .mutating) {
    case .allowed(.file(let ticket)): return ticket
    case .allowed, .denied: throw EffectError(.notGranted, object: operation.object, "not granted")
    }
}

extension FileWriting {
    /// One write, made durable.
    static func write(
        _ ticket: FileTicket, _ content: Bytes, through name: Bytes? = nil,
        observer: WriteObserver = { _, _ throws(EffectError) in },
        once durable: () throws(EffectError) -> Void = { () throws(EffectError) in }
    ) throws(EffectError) {
        var unsynced = UnsyncedDirectories()
        let temporary: Bytes
        if let name { temporary = name } else { temporary = try TemporaryFile.name(for: ticket.path) }
        try write(
            ticket, FileReplacement(content: content), through: temporary, into: &unsynced, once: durable,
            observer: observer)
        try unsynced.synchronise()
    }

    /// One removal, made durable.
    static func remove(_ ticket: FileTicket) throws(EffectError) {
        var unsynced = UnsyncedDirectories()
        try remove(ticket, into: &unsynced)
        try unsynced.synchronise()
    }
}
