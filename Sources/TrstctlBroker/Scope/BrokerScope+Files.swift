import Glibc
import Synchronization
import TrstctlCrypto
import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

/// The calls on files: really, or in the plan.
extension BrokerScope {
    func readFile(_ ticket: FileTicket, limit: Int) throws(EffectError) -> Effect {
        if let recorded = recorded(ticket.path) {
            let state = try recorded.state(ticket.path)
            guard state.content.count <= limit else {
                throw EffectError(
                    .tooLarge, object: ticket.path.description, "\(ticket.path) is longer than \(limit) bytes")
            }
            try refuseWritten(recorded, ticket.path)
            try secrets.refuseKey(in: state.content, "\(ticket.path)")
            return Effect(
                result: .readFile(Wire.ReadFileResponse(content: state.content, info: state.info)),
                bytes: state.content.count)
        }
        if let entry = files.withLock({ $0[ticket.path] }) { try refuseWritten(entry, ticket.path) }
        let (content, attributes) = try FileReading.read(ticket, in: try version(of: ticket), limit: limit)
        try secrets.refuseKey(in: content, "\(ticket.path)")
        return Effect(
            result: .readFile(Wire.ReadFileResponse(content: content, info: attributes.info)), bytes: content.count)
    }

    /// Refuses to read back a file into which the connector had a secret written, in whatever form.
    private func refuseWritten(_ entry: FileJournal.Entry, _ path: AbsolutePath) throws(EffectError) {
        guard entry.after?.holdsNamedSecret == true else { return }
        throw EffectError(
            .holdsKey, object: "\(path)", "\(path) holds a secret that this deployment wrote into it",
            fix: "compare it with Stat and compare_to instead of reading it")
    }

    func stat(
        _ ticket: FileTicket, compareTo segments: [Wire.Segment], _ patience: Patience
    ) throws(EffectError) -> Effect {
        let expected =
            try segments.isEmpty
            ? nil
            : secrets.assemble(
                segments, limit: BrokeredRequest.contentLimit, field: "compare_to", patience: patience)
        if let recorded = recorded(ticket.path) {
            let state = try recorded.state(ticket.path)
            let isEqual = expected.map { isEqualInConstantTime(state.content, $0) } ?? false
            return Effect(result: .stat(Wire.StatResponse(info: state.info, contentEqual: isEqual)))
        }
        let (attributes, isEqual) = try FileReading.stat(
            ticket, in: try version(of: ticket), expected: expected)
        return Effect(result: .stat(Wire.StatResponse(info: attributes.info, contentEqual: isEqual)))
    }

    func writeFile(
        _ ticket: FileTicket, _ request: Wire.WriteFileRequest, _ patience: Patience
    ) throws(EffectError) -> Effect {
        let content = try secrets.assemble(
            request.content, limit: BrokeredRequest.contentLimit, field: "content", patience: patience)
        try ledger.withLock { ledger throws(EffectError) in try ledger.charge(content.count, ticket.path) }
        let replacement = FileReplacement(
            content: content, mode: request.mode == 0 ? nil : request.mode, owner: request.owner)
        let replaced = try files.withLock { journal throws(EffectError) in
            try rights == .recording
                ? plan(ticket, replacement, in: &journal) : write(ticket, replacement, in: &journal)
        }
        return Effect(
            result: .writeFile(Wire.WriteFileResponse(replaced: replaced, planned: rights == .recording)),
            bytes: content.count, isPlanned: rights == .recording)
    }

    private func write(
        _ ticket: FileTicket, _ replacement: FileReplacement, in journal: inout FileJournal
    ) throws(EffectError) -> Bool {
        try checkOpen()
        let place = try place(of: ticket, in: &journal)
        let entry = try journal.keep(ticket, in: place)
        let mode = replacement.mode ?? entry.after?.mode ?? 0o600
        try SecretSource.checkMode(replacement.content, mode, ticket.path)
        try FileWriting.checkOwner(replacement, over: entry.after, before: entry.before, in: place)
        let durable = try announce(entry, to: replacement.content, in: place, &journal)
        journal.note(intended: replacement.content, for: ticket.path)
        let target = try changed(place, of: entry, in: &journal)
        let (before, after) = try FileWriting.write(
            in: target, replacement, through: entry.temporary, into: &journal.unsynced, once: durable)
        journal.note(
            ticket.path,
            FileState(
                content: replacement.content, mode: after.mode, uid: after.uid, gid: after.gid,
                holdsNamedSecret: replacement.content.isSecret))
        return before != nil
    }

    /// Under the lock on the files: once a scope is sealed and the lock was free, nothing is written any more.
    private func checkOpen() throws(EffectError) {
        guard !ledger.withLock({ $0.isClosed }) else { throw .scopeOver }
    }

    private func plan(
        _ ticket: FileTicket, _ replacement: FileReplacement, in journal: inout FileJournal
    ) throws(EffectError) -> Bool {
        try checkOpen()
        try rehearse(ticket, in: &journal)
        let place = try place(of: ticket, in: &journal)
        let entry = try journal.keep(ticket, in: place)
        let present = entry.after
        try SecretSource.checkMode(replacement.content, replacement.mode ?? present?.mode ?? 0o600, ticket.path)
        try FileWriting.checkOwner(replacement, over: present, before: entry.before, in: place)
        journal.note(
            ticket.path,
            FileState(
                content: replacement.content, mode: replacement.mode ?? present?.mode ?? 0o600,
                uid: replacement.owner?.uid ?? present?.uid ?? geteuid(),
                gid: replacement.owner?.gid ?? present?.gid ?? getegid(),
                holdsNamedSecret: replacement.content.isSecret))
        return present != nil
    }

    func removeFile(_ ticket: FileTicket) throws(EffectError) -> Effect {
        do throws(EffectError) {
            try files.withLock { journal throws(EffectError) in try remove(ticket, in: &journal) }
        } catch {
            throw error.code == .noParent ? .file("", ticket.path, errno: ENOENT) : error
        }
        return Effect(
            result: .removeFile(Wire.RemoveFileResponse(planned: rights == .recording)),
            isPlanned: rights == .recording)
    }

    private func remove(_ ticket: FileTicket, in journal: inout FileJournal) throws(EffectError) {
        try checkOpen()
        if rights == .recording { try rehearse(ticket, in: &journal) }
        let place = try place(of: ticket, in: &journal)
        let entry = try journal.keep(ticket, in: place)
        do throws(EffectError) {
            if rights == .recording || entry.isVersioned {
                guard entry.after != nil else { throw .file("", ticket.path, errno: ENOENT) }
            }
            if rights != .recording {
                // What is not there needs no place in the durable journal.
                if entry.after != nil { try announce(entry, to: nil, in: place, &journal)() }
                try FileWriting.remove(in: try changed(place, of: entry, in: &journal), into: &journal.unsynced)
            }
        } catch {
            // A file that never was takes no place among those that were changed.
            if entry.before == nil, entry.after == nil { journal.forgetAbsent(ticket.path) }
            throw error
        }
        journal.note(ticket.path, nil)
    }

    /// The directory in which a file is found, opened once for all that is done to it there.
    private func place(of ticket: FileTicket, in journal: inout FileJournal) throws(EffectError) -> GrantedDirectory {
        try FileWriting.directory(ticket, try journal.version(of: ticket.path))
    }

    /// The directory in which a file is changed: the one in which it is found, or a copy of that which nobody sees yet.
    private func changed(
        _ place: consuming GrantedDirectory, of entry: FileJournal.Entry, in journal: inout FileJournal
    ) throws(EffectError) -> GrantedDirectory {
        guard let version = try stage(entry, in: &journal) else { return place }
        return try FileWriting.directory(entry.ticket, version)
    }

    /// Notes what a file was in the durable journal.
    ///
    /// - Returns: waits until that is on the disk; before, the file must not change.
    private func announce(
        _ entry: FileJournal.Entry, to content: Bytes?, in place: borrowing GrantedDirectory,
        _ journal: inout FileJournal
    ) throws(EffectError) -> () throws(EffectError) -> Void {
        guard let deployment else { return { () throws(EffectError) in } }
        var change = FileChange(ticket: entry.ticket, temporary: entry.temporary)
        if !entry.isJournaled {
            change.before = entry.isVersioned ? .inVersion : entry.before.map { .file($0) } ?? .absent
        }
        if let content {
            guard let digest = content.withUnsafeBytes({ SHA256.digest($0) }) else {
                throw EffectError(.system, object: "\(entry.ticket.path)", "OpenSSL could not hash the content")
            }
            change.after = digest
        }
        let durable: () throws(EffectError) -> Void
        if entry.isVersioned {
            try deployment.willChangeVersion(change)
            durable = { () throws(EffectError) in }
        } else {
            let announced = try deployment.announce(change, in: place)
            durable = { () throws(EffectError) in try deployment.settle(announced) }
        }
        // What is journaled later is not durable before this.
        journal.noteJournaled(entry.ticket.path)
        return durable
    }

    /// The file's place in the plan; nil when the disk says what it is.
    private func recorded(_ path: AbsolutePath) -> FileJournal.Entry? {
        rights == .recording ? files.withLock { $0[path] } : nil
    }
}

extension FileJournal.Entry {
    fileprivate func state(_ path: AbsolutePath) throws(EffectError) -> FileState {
        guard let after else { throw .file("", path, errno: ENOENT) }
        return after
    }
}
