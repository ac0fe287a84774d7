import Synchronization
package import TrstctlPolicy
package import TrstctlSystem
package import TrstctlWire

/// The brokered calls of one host-to-connector call: decides each one, performs it, and remembers how to undo it.
///
/// Every call passes `authorize` exactly once, and every effect takes the ticket that comes from there. Calls block;
/// they may come from several threads. Mutations of files happen one after another, and so do commands.
package final class BrokerScope: Sendable {
    let rights: ScopeRights
    let secrets: SecretSource
    let planned: PlannedServing?
    let limits: ScopeLimits
    /// What makes changes undoable when this process is gone; nil where nothing is changed, and in tests.
    let deployment: DeploymentJournal?
    private let grants: GrantSet
    private let declared: GrantSet?
    private let plugin: String?
    private let observer: @Sendable (EffectRecord) -> Void
    let ledger: Mutex<ScopeLedger>
    let files: Mutex<FileJournal>
    /// Holds the number of commands so far, and is held while one runs.
    let commands = Mutex(0)
    /// The same for requests that may change something, and for bytes that are sent.
    let exchanges = Mutex(0)
    /// The tokens that the host fetched for this scope.
    let tokens = Mutex<[Wire.HttpAuthentication: HeldToken]>([:])
    let network: NetworkSettings
    /// What requests to public peers go through.
    let proxy: RequestProxy?
    /// What ends the calls that were accepted and not answered yet, and whether they may change something.
    private let running = Mutex<[Interruption: Bool]>([:])

    /// Opens a scope.
    ///
    /// - Parameters:
    ///   - rights: what the host-to-connector call may do.
    ///   - grants: the effective grants for the target.
    ///   - declared: what the connector declares, to tell in a denial whether the manifest can help.
    ///   - plugin: the name under which the manifest has the grants, for a denial.
    ///   - secrets: what references in content mean.
    ///   - planned: what a probe answers in a recording scope after a recorded change; nil probes always really.
    ///   - limits: bounds on everything together.
    ///   - deployment: the durable journal of the changes.
    ///   - proxy: what requests to public peers go through.
    ///   - layout: how the target's files lie, when they become visible together.
    ///   - network: the same for all scopes of a connector.
    ///   - observer: told of every record as it is made, for the audit; not of those above `ScopeLimits.records`.
    package init(
        rights: ScopeRights, grants: GrantSet, declared: GrantSet? = nil, plugin: String? = nil,
        secrets: SecretSource = .none, planned: PlannedServing? = nil, limits: ScopeLimits = ScopeLimits(),
        deployment: DeploymentJournal? = nil, proxy: RequestProxy? = nil, layout: VersionedLayout? = nil,
        network: NetworkSettings = NetworkSettings(),
        observer: @escaping @Sendable (EffectRecord) -> Void = { _ in }
    ) {
        self.network = network
        self.proxy = proxy
        self.rights = rights
        self.grants = grants
        self.declared = declared
        self.plugin = plugin
        self.secrets = secrets
        self.planned = planned
        self.limits = limits
        self.deployment = deployment
        self.observer = observer
        ledger = Mutex(ScopeLedger(limits: limits))
        files = Mutex(FileJournal(limits: limits, layout: layout, directories: deployment?.directories))
    }

    /// Counts a call that will be performed as soon as there is a thread for it: a connector that answers before that has
    /// not waited for it either.
    ///
    /// - Parameters:
    ///   - method: the call.
    ///   - interruption: the one that `perform` will get.
    package func accept(_ method: Wire.Call.Method, _ interruption: Interruption) {
        running.withLock { $0[interruption] = BrokerScope.mayChange(method) }
    }

    private static func mayChange(_ method: Wire.Call.Method?) -> Bool {
        switch method {
        case .writeFile, .removeFile, .exec, .send, .revert: true
        case .request(let request): !((try? HTTPMethod(request.method))?.isSafe ?? true)
        default: false
        }
    }

    /// Performs a brokered call and answers it; blocks until it is done, so call it where waiting is allowed.
    ///
    /// Log and Progress need no scope and are the session's; here they are UNIMPLEMENTED like an unknown method.
    ///
    /// - Parameters:
    ///   - method: the call; nil for one that this version does not know.
    ///   - deadline: when the caller stops waiting; it shortens the deadlines of commands and probes.
    ///   - interruption: ends a command or a probe early.
    /// - Returns: the reply, always with a status, and with the method's result when that is OK.
    package func perform(
        _ method: Wire.Call.Method?, until deadline: Deadline = .never, interruption: Interruption = Interruption()
    ) -> Wire.Reply {
        running.withLock { $0[interruption] = BrokerScope.mayChange(method) }
        defer { running.withLock { _ = $0.removeValue(forKey: interruption) } }
        let start = Deadline.now
        var record = EffectRecord(method)
        let reply: Wire.Reply
        do throws(EffectError) {
            let effect = try decideAndPerform(method, Patience(deadline, interruption), &record)
            record.outcome = effect.isPlanned ? .planned : .allowed
            record.bytes = effect.bytes
            record.reason = effect.note
            reply = Wire.Reply(status: Wire.Status(), result: effect.result)
        } catch {
            let refusal = error
            record.outcome = refusal.isDenial ? .denied : .failed
            if record.object.isEmpty { record.object = cut(refusal.object, toUTF8: EffectRecord.textLimit) }
            record.code = refusal.code.rawValue
            record.reason = cut("\(refusal.code.rawValue): \(refusal.message)", toUTF8: EffectRecord.textLimit)
            reply = Wire.Reply(status: refusal.status)
        }
        record.milliseconds = (Deadline.now.nanoseconds - start.nanoseconds) / 1_000_000
        if ledger.withLock({ $0.add(record) }) { observer(record) }
        return reply
    }

    private func decideAndPerform(
        _ method: Wire.Call.Method?, _ patience: Patience, _ record: inout EffectRecord
    ) throws(EffectError) -> Effect {
        if case .revert(let request) = method {
            try checkOpen(patience, record)
            try ledger.withLock { ledger throws(EffectError) in try ledger.begin(&record) }
            return try revert(request)
        }
        let request = try BrokeredRequest(method)
        record.object = EffectRecord.shown(request.object)
        // Only now: what comes too late is on record with its object.
        try checkOpen(patience, record)
        let ticket = try decide(request.operation, &record)
        if request.isMutation { try ledger.withLock { ledger throws(EffectError) in try ledger.begin(&record) } }
        return try perform(request, ticket, patience)
    }

    private func checkOpen(_ patience: Patience, _ record: EffectRecord) throws(EffectError) {
        guard !ledger.withLock({ $0.isClosed }) else { throw .scopeOver }
        guard !patience.interruption.isRaised else { throw .interrupted(record.object) }
    }

    /// Records a call that has not come to its end when the run does: nobody will hear of it otherwise.
    ///
    /// - Parameter method: the call; when it ends after all, and the process is still there, it is recorded once more.
    package func giveUp(_ method: Wire.Call.Method) {
        var record = EffectRecord(method)
        if let request = try? BrokeredRequest(method) { record.object = EffectRecord.shown(request.object) }
        record.code = EffectError.Code.scopeOver.rawValue
        record.reason = "\(EffectError.Code.scopeOver.rawValue): it was still being worked on when the run ended"
        if ledger.withLock({ $0.add(record) }) { observer(record) }
    }

    /// Decides an operation, and notes the rule.
    func decide(_ operation: Operation, _ record: inout EffectRecord) throws(EffectError) -> Ticket {
        switch authorize(operation, effective: grants, scope: rights, declared: declared, plugin: plugin) {
        case .denied(let denial): throw EffectError(denial)
        case .allowed(let ticket):
            record.grant = cut(ticket.rule, toUTF8: EffectRecord.textLimit)
            return ticket
        }
    }

    /// Adds a record of its own for something that the host does for a brokered call.
    func recorded<Result>(
        _ name: String, _ object: String, as outcome: EffectRecord.Outcome = .allowed,
        _ body: (inout EffectRecord) throws(EffectError) -> Result
    ) throws(EffectError) -> Result {
        let start = Deadline.now
        var record = EffectRecord(
            operation: name, object: cut(object, toUTF8: EffectRecord.textLimit), outcome: .failed, bytes: 0,
            milliseconds: 0)
        defer {
            record.milliseconds = (Deadline.now.nanoseconds - start.nanoseconds) / 1_000_000
            if ledger.withLock({ $0.add(record) }) { observer(record) }
        }
        do throws(EffectError) {
            let result = try body(&record)
            record.outcome = outcome
            return result
        } catch {
            record.outcome = error.isDenial ? .denied : .failed
            record.reason = cut("\(error.code.rawValue): \(error.message)", toUTF8: EffectRecord.textLimit)
            throw error
        }
    }

    private func perform(
        _ request: BrokeredRequest, _ ticket: Ticket, _ patience: Patience
    ) throws(EffectError) -> Effect {
        switch (request, ticket) {
        case (.readFile(_, let limit), .file(let ticket)): return try readFile(ticket, limit: limit)
        case (.stat(_, let segments), .file(let ticket)): return try stat(ticket, compareTo: segments, patience)
        case (.writeFile(_, let request), .file(let ticket)): return try writeFile(ticket, request, patience)
        case (.removeFile, .file(let ticket)): return try removeFile(ticket)
        default: try publish()
        }
        switch (request, ticket) {
        case (.exec(let request, let milliseconds, let limit), .exec(let ticket)):
            return try exec(ticket, request, outputLimit: limit, patience.atMost(milliseconds: milliseconds))
        case (.probeTLS(_, let name, let startTLS, let milliseconds), .dial(let ticket)):
            return try probeTLS(
                ticket, serverName: name, startTLS: startTLS, patience.atMost(milliseconds: milliseconds))
        case (.request(let call), .dial(let ticket)): return try self.request(call, ticket, patience)
        case (.send(let call), _): return try self.send(call, ticket, patience)
        default: throw EffectError(.system, object: request.operation.object, "the ticket is for another operation")
        }
    }

    /// What was asked for so far, at most `ScopeLimits.records` of it.
    package var records: [EffectRecord] { ledger.withLock { $0.records } }

    /// How many calls are not among the records because there were too many.
    package var recordsDropped: Int { ledger.withLock { $0.recordsDropped } }

    /// How many calls were refused.
    package var denials: Int { ledger.withLock { $0.denials } }

    /// What was changed, or would be in a recording scope: digests and modes, never content, and no digest of a key.
    package var changes: [Wire.Change] { files.withLock { $0.changes } }

    /// The commands that were started, or would have been, as their records name them.
    package var commandsStarted: Set<String> { shown(.run) }

    /// The requests that may have changed something, and the peers that something was sent to, likewise.
    package var callsMade: Set<String> { shown(.call) }

    private func shown(_ kind: Wire.Change.Kind) -> Set<String> {
        Set(changes.filter { $0.kind == kind }.map { EffectRecord.shown($0.object) })
    }

    /// Ends the scope for the connector, ends the calls that were accepted and not answered yet, and waits for them; `close`
    /// still decides what becomes of the changes.
    ///
    /// - Returns: whether none of them was to change something; what was cut short may be half done.
    package func seal() -> Bool {
        // In this order: a call counts itself before it looks whether the scope is over.
        ledger.withLock { $0.isClosed = true }
        let (isIdle, isAtRest) = running.withLock { ($0.isEmpty, !$0.values.contains(true)) }
        if !isIdle { interrupt() }
        return isAtRest
    }

    /// Ends the calls that are being worked on, and waits for those that change something: a command, too, must not see
    /// files half put back.
    private func interrupt() {
        running.withLock { running in for interruption in running.keys { interruption.raise() } }
        commands.withLock { _ in }
        exchanges.withLock { _ in }
        files.withLock { _ in }
    }

    /// Ends the scope for the connector.
    ///
    /// - Returns: whether every call that was accepted is answered: then `seal` has nothing to wait for.
    package func sealIfIdle() -> Bool {
        ledger.withLock { $0.isClosed = true }
        return running.withLock(\.isEmpty)
    }

    /// Ends the scope where it is, when that needs neither to wait nor to change anything on disk.
    ///
    /// - Parameter commit: whether the changes stay.
    /// - Returns: what `close` does; nil when that has to be asked, where blocking is allowed.
    package func closeAtOnce(commit: Bool) -> RevertReport? {
        guard sealIfIdle() else { return nil }
        let hasNothingToDo = files.withLock { journal in
            (journal.isEmpty || commit || rights == .recording) && journal.unsynced.isEmpty
                && journal.versions?.isUntouched ?? true
        }
        return hasNothingToDo ? close(commit: commit) : nil
    }

    /// Makes the changes final: durable, and for a recovery no longer to be undone.
    ///
    /// `close` ends the scope.
    ///
    /// - Throws: then they can still be undone, and have to be.
    package func commit() throws(EffectError) {
        try publish()
        try files.withLock { journal throws(EffectError) in
            // A version that is as the one before is nothing that anybody has to see.
            if !journal.isPublished { try journal.versions?.restore(deployment) }
            try journal.unsynced.synchronise()
        }
        try deployment?.end(.committed)
    }

    /// Ends the scope: kills a command that still runs, puts back what was not committed, and answers
    /// FAILED_PRECONDITION from now on.
    ///
    /// - Parameter commit: whether the changes stay.
    /// - Returns: what was put back; empty when committed.
    package func close(commit: Bool) -> RevertReport {
        ledger.withLock { $0.isClosed = true }
        interrupt()
        tokens.withLock { $0 = [:] }
        return files.withLock { journal in
            var report = commit ? RevertReport() : putBack(nil, in: &journal)
            report.foreign += journal.reverted.foreign
            report.overwritten += journal.reverted.overwritten
            if commit { prune(&report, in: journal) }
            do throws(EffectError) {
                try journal.unsynced.synchronise()
            } catch {
                report.failures.append(error)
            }
            journal.close()
            return report
        }
    }
}

/// How long a call may take, and what ends it early.
struct Patience: Sendable {
    let deadline: Deadline
    let interruption: Interruption

    init(_ deadline: Deadline, _ interruption: Interruption) {
        self.deadline = deadline
        self.interruption = interruption
    }

    func atMost(milliseconds: Int64) -> Patience {
        Patience(min(deadline, .after(milliseconds: milliseconds)), interruption)
    }
}
