import Glibc
import Synchronization
import TrstctlCrypto
import TrstctlPolicy
import TrstctlSystem

/// Why a journal of an earlier run cannot be used.
package struct RecoveryError: Error, Sendable, CustomStringConvertible {
    package var description: String
}

/// The journal of a run that did not come to its end.
package final class JournalRecovery: Sendable {
    /// The name of the run: the file's name without its ending.
    package let run: String
    /// The file.
    package let path: String
    /// What has to be undone, the latest first.
    package let deployments: [InterruptedDeployment]
    private let directory: Int32
    private let descriptor: OwnedDescriptor
    /// Where and how the records of the ends are written; nil when nothing had begun.
    private let continuation: (salt: [UInt8], position: Int64)?
    private let file = Mutex<JournalFile?>(nil)

    /// The names of the journals in a directory.
    ///
    /// - Parameter directory: its path.
    /// - Returns: their names, sorted; none when there is no directory.
    /// - Throws: when it cannot be read.
    package static func names(in directory: String) throws(RecoveryError) -> [String] {
        do throws(SystemError) {
            let reading = try DirectoryReading(path: directory)
            var names: [String] = []
            while let name = try reading.next() {
                let text = String(decoding: name.array, as: UTF8.self)
                if text.hasSuffix(RunJournal.suffix) { names.append(text) }
            }
            return names.sorted()
        } catch {
            if error.errno == ENOENT { return [] }
            throw RecoveryError(description: "\(error)")
        }
    }

    /// Reads a journal, and changes nothing.
    ///
    /// - Parameters:
    ///   - name: of the file.
    ///   - directory: open for as long as this value lives.
    ///   - path: the directory's path.
    /// - Throws: when it is not ours, or cannot be understood; then a person has to look at it.
    package init(_ name: String, in directory: Int32, path: String) throws(RecoveryError) {
        self.directory = directory
        self.path = path + "/" + name
        run = String(name.dropLast(RunJournal.suffix.count))
        let raw = openat(directory, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
        guard raw >= 0 else { throw RecoveryError(description: "\(SystemError.last("open", self.path))") }
        descriptor = OwnedDescriptor(raw)
        var status = stat()
        guard fstat(raw, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_uid == geteuid(),
            status.st_mode & 0o077 == 0, status.st_nlink == 1
        else {
            throw RecoveryError(
                description: "\(self.path) is not a journal of yours (a regular file, mode 0600, one name): "
                    + "look at it, then move it away")
        }
        do throws(JournalReader.Fault) {
            (deployments, continuation) = try JournalRecovery.read(descriptor, self.path)
        } catch {
            throw RecoveryError(error, self.path)
        }
    }

    private static func read(
        _ descriptor: borrowing OwnedDescriptor, _ path: String
    ) throws(JournalReader.Fault) -> ([InterruptedDeployment], (salt: [UInt8], position: Int64)?) {
        var reader: JournalReader
        do throws(JournalReader.Fault) {
            reader = try JournalReader(descriptor.raw, path: path)
        } catch {
            if case .neverBegun = error { return ([], nil) }
            throw error
        }
        var order: [UInt32] = []
        var open: [UInt32: InterruptedDeployment] = [:]
        while let (id, record) = try reader.next() {
            switch record {
            case .begin(let header):
                order.append(id)
                open[id] = InterruptedDeployment(id: id, header: header)
            case .change(let change): open[id]?.note(change)
            case .run: open[id]?.hasRun = true
            case .stage(let version): open[id]?.versions.append(version)
            case .end: open[id] = nil
            }
        }
        return (order.reversed().compactMap { open[$0] }, (reader.salt, reader.position))
    }

    /// Puts the files of a deployment back, the latest changed first, durably, and removes temporary files.
    ///
    /// What is neither as it was nor as the deployment made it belongs to somebody else by now and stays. It may be
    /// done again, also after a power loss in the middle.
    package func putBack(_ deployment: InterruptedDeployment) -> RecoveredFiles {
        var result = RecoveredFiles()
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
        _ file: InterruptedDeployment.File, _ result: inout RecoveredFiles, _ unsynced: inout UnsyncedDirectories
    ) throws(EffectError) {
        let ticket = try ticket(file)
        let limits = ScopeLimits()
        let directory = try GrantedDirectory(ticket, for: .change)
        for name in file.temporaries {
            guard directory.discard(name) else {
                throw .file("cannot remove what was left beside", file.path, errno: errno)
            }
        }
        // The directory too was changed by whoever was interrupted: what they did must be durable before it counts.
        try unsynced.add(directory)
        let before = try before(file)
        let present = try FileState.present(ticket, limit: limits.restorableFile)
        guard present != before else { return }
        let isOurs = try file.after.contains(digest(present, file.path))
        guard isOurs || present?.content == before?.content else {
            result.foreign.append("\(file.path): \(present?.text ?? "removed")")
            result.onDisk.append("\(file.path): \(present?.text ?? "not there")")
            return
        }
        let temporary = file.temporaries.min { $0.array.lexicographicallyPrecedes($1.array) }
        _ = try FileState.restore(
            before, ticket, limit: limits.restorableFile, through: temporary ?? Bytes(), into: &unsynced)
        result.restored.append(file.path)
    }

    /// Points the link of a versioned directory back to the version of before, and removes the deployment's versions.
    private func putBackVersions(
        _ deployment: InterruptedDeployment, _ result: inout RecoveredFiles
    ) throws(EffectError) {
        guard let first = deployment.versions.first else { return }
        let opened = try OpenedLayout(first.layout)
        let made = Set(deployment.versions.map(\.name))
        let edited = try edited(deployment, opened, made, first.origin)
        switch try opened.putBack(to: first.origin, from: made) {
        case .unchanged: break
        case .putBack(let live):
            if !edited.isEmpty {
                let kept = try opened.setAside(live)
                result.setAside += edited.map { first.layout.setAside($0, kept) }
            }
            result.restored += deployment.files.reversed().filter(\.isInVersion).map(\.path)
        case .foreign:
            result.foreign.append("\(first.layout.link): no longer a link that the deployment made")
            result.onDisk.append("\(first.layout.link): no longer a link that the deployment made")
        }
        try opened.discard(made, first.origin)
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
                let known = deployment.files.first { $0.path == path }?.after ?? []
                if known.contains(present) { continue }
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

    /// Makes durable how a deployment ended.
    package func close(_ deployment: InterruptedDeployment, _ end: DeploymentEnd) throws(RecoveryError) {
        do throws(SystemError) {
            guard let continuation else { return }
            let file = try file.withLock { file throws(SystemError) in
                if let file { return file }
                let opened = try JournalFile(
                    continuing: descriptor.duplicate(), salt: continuation.salt, at: continuation.position, path: path)
                file = opened
                return opened
            }
            try file.synchronise(upTo: try file.append(JournalRecord.end(deployment.id, end)))
        } catch {
            throw RecoveryError(description: "\(error)")
        }
    }

    /// Removes the file, when nothing in it is needed any more.
    package func remove() throws(RecoveryError) {
        do throws(SystemError) {
            try JournalFile.remove(run + RunJournal.suffix, in: directory, path: path)
        } catch {
            throw RecoveryError(description: "\(error)")
        }
    }
}

extension RecoveryError {
    fileprivate init(_ fault: JournalReader.Fault, _ path: String) {
        let text =
            switch fault {
            case .system(let error): "\(error)"
            case .neverBegun: "it is empty"
            case .notAJournal: "it does not begin as a journal does"
            case .version(let version):
                "it is of version \(version): recover with the trstctl that wrote it, or a later one"
            case .damaged(let position): "the record at byte \(position) makes no sense"
            }
        self.init(
            description: "the journal of an interrupted run cannot be read: \(path): \(text). It may hold what files "
                + "were before; look at spec/transactions.md, then move it away")
    }
}
