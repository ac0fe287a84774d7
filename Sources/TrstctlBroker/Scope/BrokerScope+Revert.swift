import Synchronization
import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

/// Putting back what was changed.
extension BrokerScope {
    /// Puts back every file that this scope changed, in reverse order; what fails stays to be tried again.
    package func revertAll() -> RevertReport {
        files.withLock { putBack(nil, in: &$0) }
    }

    func revert(_ request: Wire.RevertRequest) throws(EffectError) -> Effect {
        guard rights != .readOnly else {
            throw EffectError(
                .notGranted, object: "", "reverting refused: this call only reads, so there is nothing to put back")
        }
        guard request.paths.count <= 256 else {
            throw EffectError(
                .invalid, object: "paths", "paths has \(request.paths.count) entries, at most 256 are allowed")
        }
        var paths: Set<AbsolutePath> = []
        for bytes in request.paths {
            do throws(GrammarError) {
                paths.insert(try AbsolutePath(bytes))
            } catch {
                throw EffectError(.invalidPath, object: error.found, "path \(error)")
            }
        }
        let report = try files.withLock { journal throws(EffectError) in
            guard !ledger.withLock({ $0.isClosed }) else { throw .scopeOver }
            let report = putBack(paths.isEmpty ? nil : paths, in: &journal)
            journal.reverted.foreign += report.foreign
            journal.reverted.overwritten += report.overwritten
            return report
        }
        if let failure = report.failures.first {
            throw EffectError(
                failure.code, object: failure.object,
                "\(report.failures.count) of the changed files could not be put back: \(failure.object): \(failure.message)",
                fix: failure.fix)
        }
        if let left = report.foreign.first {
            throw EffectError(
                .changedMeanwhile, object: left,
                "\(report.foreign.count) of the changed files stay as they are, because somebody else changed them: \(left)"
            )
        }
        let count = UInt32(clamping: report.restored.count)
        return Effect(
            result: .revert(Wire.RevertResponse(reverted: count, planned: rights == .recording)),
            isPlanned: rights == .recording, note: "\(count) files")
    }

    func putBack(_ paths: Set<AbsolutePath>?, in journal: inout FileJournal) -> RevertReport {
        var report = RevertReport()
        var entries = journal.newestFirst(paths)
        let isWhole = journal.newestFirst(nil).allSatisfy { entry in
            !entry.isVersioned || paths?.contains(entry.ticket.path) ?? true
        }
        if isWhole {
            putBackVersions(entries.filter(\.isVersioned), &report, in: &journal)
            entries.removeAll(where: \.isVersioned)
        }
        for entry in entries {
            let path = entry.ticket.path
            do throws(EffectError) {
                switch try putBack(entry, &report, in: &journal) {
                case .asItWas: break
                case .putBack: report.restored.append(path)
                case .left(let present): report.foreign.append("\(path): \(present?.text ?? "removed")")
                }
                journal.forget(path)
                if entry.isVersioned { journal.noteRevertedInVersion() }
            } catch {
                report.failures.append(error)
                report.onDisk.append("\(path): \(FileState.description(of: entry.ticket))")
            }
        }
        return report
    }

    /// One file; somebody else's change stays, unless a command of this deployment may have made it.
    ///
    /// Files in a version are compared as a whole, see `VersionedFiles`.
    private func putBack(
        _ entry: FileJournal.Entry, _ report: inout RevertReport, in journal: inout FileJournal
    ) throws(EffectError) -> FileState.Restoration {
        guard rights != .recording else { return entry.before == entry.after ? .asItWas : .putBack }
        let hasRun = journal.hasRun
        return try FileState.restore(
            entry.before, entry.ticket, in: try stage(entry, in: &journal), through: entry.temporary,
            into: &journal.unsynced
        ) { found in
            let changed: String
            switch found {
            case .failure(let error):
                // The deployment's own files can be read; what cannot is replaced, unless it is too large to be one.
                guard error.code == .tooLarge else { return true }
                changed = error.message
            case .success(let present):
                guard !entry.isVersioned, let present, present.content != entry.after?.content,
                    present.content != entry.before?.content, !entry.intended.contains(present.content)
                else { return true }
                changed = "\(entry.ticket.path): \(present.text)"
            }
            if hasRun { report.overwritten.append(changed) }
            return hasRun
        }
    }
}
