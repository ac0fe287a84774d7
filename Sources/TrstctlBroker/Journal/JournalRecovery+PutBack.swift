import Glibc
import TrstctlCrypto
import TrstctlPolicy
import TrstctlSystem

/// Undoing what a journal says.
extension JournalRecovery {
    /// Puts the files of a deployment back, the latest changed first, durably, and removes temporary files.
    ///
    /// What is neither as it was nor as the deployment made it belongs to somebody else by now and stays. It may be
    /// done again, also after a power loss in the middle.
    package func putBack(_ deployment: InterruptedDeployment) -> RevertReport {
        var result = RevertReport()
        var unsynced = UnsyncedDirectories()
        do throws(EffectError) {
            try putBackVersions(deployment, &result)
        } catch {
            result.failures.append(error)
            result.onDisk += deployment.versions.prefix(1).map { "\($0.layout.link): \(error.message)" }
        }
        for file in deployment.files.reversed() where !file.isInVersion {
            do throws(EffectError) {
                try putBack(file, &result, &unsynced)
            } catch {
                result.failures.append(error)
                let found = (try? ticket(file)).map { FileState.description(of: $0) } ?? "not looked at"
                result.onDisk.append("\(file.path): \(found)")
            }
        }
        do throws(EffectError) {
            try unsynced.synchronise()
        } catch {
            result.failures.append(error)
        }
        return result
    }

    private func putBack(
        _ file: InterruptedDeployment.File, _ result: inout RevertReport, _ unsynced: inout UnsyncedDirectories
    ) throws(EffectError) {
        let ticket = try ticket(file)
        let directory = try GrantedDirectory(ticket, for: .change)
        for name in file.temporaries {
            guard directory.discard(name) else {
                throw .file("cannot remove what was left beside", file.path, errno: errno)
            }
        }
        // The directory too was changed by whoever was interrupted: what they did must be durable before it counts.
        try unsynced.add(directory)
        let before = try before(file)
        let temporary = file.temporaries.min { $0.array.lexicographicallyPrecedes($1.array) }
        let restoration = try FileState.restore(before, ticket, through: temporary ?? Bytes(), into: &unsynced) {
            found throws(EffectError) in
            guard case .success(let present) = found else { return false }
            let isOurs = try file.after.contains(digest(present, file.path))
            return isOurs || present?.content == before?.content
        }
        switch restoration {
        case .asItWas: break
        case .putBack: result.restored.append(file.path)
        case .left(let present):
            result.foreign.append("\(file.path): \(present?.text ?? "removed")")
            result.onDisk.append("\(file.path): \(present?.text ?? "not there")")
        }
    }

    /// Points the link of a versioned directory back to the version of before, and removes the deployment's versions.
    private func putBackVersions(
        _ deployment: InterruptedDeployment, _ result: inout RevertReport
    ) throws(EffectError) {
        // The latest says what the path was: before a connector that had put everything back began again, the directory
        // got another name among the versions.
        guard let last = deployment.versions.last else { return }
        let opened = try OpenedLayout(last.layout)
        let made = Set(deployment.versions.map(\.name))
        let edited = try edited(deployment, opened, made, last.origin)
        let found = try opened.putBack(to: last.origin, from: made)
        switch found {
        case .unchanged: break
        case .putBack(let live):
            if !edited.isEmpty {
                let kept = try opened.setAside(live)
                result.setAside += edited.map { last.layout.setAside($0, kept) }
            }
            result.restored += deployment.files.reversed().filter(\.isInVersion).map(\.path)
        case .foreign:
            result.foreign.append("\(last.layout.link): no longer a link that the deployment made")
            result.onDisk.append("\(last.layout.link): no longer a link that the deployment made")
        }
        try opened.discard(made, last.origin)
        if found == .foreign, let left = opened.left(made, last.origin) { result.onDisk.append(left) }
    }

    /// The files of the deployment's visible version that are neither as it made them nor as they were before.
    private func edited(
        _ deployment: InterruptedDeployment, _ opened: OpenedLayout, _ made: Set<VersionName>, _ origin: VersionOrigin
    ) throws(EffectError) -> [String] {
        guard case .version(let live)? = try? opened.present(), made.contains(live) else { return [] }
        let version = try opened.open(.version(live))
        let before = try opened.open(.version(origin.name))
        var edited: [String] = []
        for name in try DirectoryNames.read(version, limit: 4_096, opened.layout.link) {
            let path = try opened.layout.path(name)
            do throws(EffectError) {
                guard let present = try digest(version, name, path) else { continue }
                if deployment.files.contains(where: { $0.path == path && $0.after.contains(present) }) { continue }
                if try digest(before, name, path) == present { continue }
                edited.append("\(path)")
            } catch {
                // What cannot be read is no proof of a change; what no deployment makes is.
                guard error.isDenial || error.code == .tooLarge else { throw error }
                edited.append("\(path) (\(error.message))")
            }
        }
        return edited
    }

    private func digest(
        _ version: SharedDescriptor, _ name: Bytes, _ path: AbsolutePath
    ) throws(EffectError) -> [UInt8]? {
        let file = try GrantedDirectory(version: version, leaf: name, path: path)
        guard let (content, _) = try FileReading.content(in: file, limit: ScopeLimits().restorableFile) else {
            return nil
        }
        return try digest(FileState(content: content, mode: 0, uid: 0, gid: 0), path)
    }

    private func before(_ file: InterruptedDeployment.File) throws(EffectError) -> FileState? {
        guard case .file(let stored) = file.before else { return nil }
        do throws(JournalReader.Fault) {
            let reader = try JournalReader(descriptor.raw, path: path)
            return FileState(
                content: try reader.content(stored), mode: stored.mode, uid: stored.uid, gid: stored.gid)
        } catch {
            throw EffectError(.system, object: "\(file.path)", "\(RecoveryError(error, path))")
        }
    }

    private func digest(_ state: FileState?, _ path: AbsolutePath) throws(EffectError) -> [UInt8]? {
        guard let state else { return nil }
        guard let digest = state.content.withUnsafeBytes({ SHA256.digest($0) }) else {
            throw EffectError(.system, object: "\(path)", "OpenSSL could not hash the content of \(path)")
        }
        return digest
    }

    /// The same ticket as the deployment's own: beneath the directory that the operator's rule named then.
    private func ticket(_ file: InterruptedDeployment.File) throws(EffectError) -> FileTicket {
        do throws(GrammarError) {
            let isRoot = file.root == .root
            let rule = try PathGrant(isRoot ? file.path.bytes : Bytes(file.root.bytes.array + [UInt8(ascii: "/")]))
            let decision = authorize(
                .writeFile(file.path), effective: GrantSet(write: [rule]), scope: .mutating)
            if case .allowed(.file(let ticket)) = decision { return ticket }
        } catch {}
        throw EffectError(.system, object: "\(file.path)", "the journal \(path) names no proper place for \(file.path)")
    }
}
