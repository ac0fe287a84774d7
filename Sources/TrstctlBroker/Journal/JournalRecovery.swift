import Glibc
import Synchronization
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
    let descriptor: OwnedDescriptor
    /// Where and how the records of the ends are written; nil when nothing had begun.
    private let continuation: (salt: [UInt8], position: Int64)?
    private let file = Mutex<JournalFile?>(nil)

    /// How many journals are recovered: all are open at once, and each interrupted run leaves one.
    static let maximumJournals = 1_024

    /// The names of the journals in a directory.
    ///
    /// - Parameter directory: its path.
    /// - Returns: their names, sorted, at most `maximumJournals`; none when there is no directory.
    /// - Throws: when it cannot be read, or holds more of them.
    package static func names(in directory: String) throws(RecoveryError) -> [String] {
        do throws(SystemError) {
            let reading = try DirectoryReading(path: directory)
            var names: [String] = []
            while let name = try reading.next() {
                let text = String(decoding: name.array, as: UTF8.self)
                if text.hasSuffix(RunJournal.suffix) { names.append(text) }
                // One more says that there are too many.
                if names.count > maximumJournals { break }
            }
            guard names.count > maximumJournals else { return names.sorted() }
        } catch {
            if error.errno == ENOENT { return [] }
            throw RecoveryError(description: "\(error)")
        }
        throw RecoveryError(
            description: "there are more than \(maximumJournals) journals in \(printable(directory)): look at them, "
                + "then move away what trstctl did not write")
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
            try file.synchronise(upTo: try file.append(JournalRecord.end(deployment.id, end)).upperBound)
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
    init(_ fault: JournalReader.Fault, _ path: String) {
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
