import CTrstctlSystem
import Glibc
import TrstctlPolicy
package import TrstctlSystem

/// The journal of one run, shared by all its deployments: one file, made when the first of them changes something.
package final class RunJournal: Sendable {
    private struct State {
        var file: JournalFile?
        var name = ""
        var lastID: UInt32 = 0
        /// Deployments that have records and no end.
        var open: Set<UInt32> = []
        /// Which deployment changes a file, by the directory's identity and the file's name.
        var claims: [Claim: (id: UInt32, target: String)] = [:]
    }

    private struct Claim: Hashable {
        let directory: DirectoryIdentity
        let name: Bytes
    }

    /// What the names of journals end with.
    static let suffix = ".journal"

    /// For people: the directory of journals.
    let path: String
    private let directory: OwnedDescriptor
    /// For the directories that the run's deployments change.
    let directories = SharedSynchronisation()
    private let state = Locked(State())

    /// - Parameters:
    ///   - directory: open, mode 0700, the caller's own.
    ///   - path: its path, for errors.
    package init(in directory: consuming OwnedDescriptor, path: String) {
        self.directory = directory
        self.path = path
    }

    /// A number for a deployment.
    func register() -> UInt32 {
        state.withLock { state in
            state.lastID += 1
            return state.lastID
        }
    }

    /// The file, made durably when there is none yet; from now on the deployment needs it.
    func file(for id: UInt32) throws(SystemError) -> JournalFile {
        try state.withLock { state throws(SystemError) in
            let file: JournalFile
            if let present = state.file {
                file = present
            } else {
                var random: UInt64 = 0
                guard trstctl_random(&random, 8) == 0 else { throw .last("getrandom") }
                let digits = String(random, radix: 16)
                state.name = String(repeating: "0", count: 16 - digits.utf8.count) + digits + RunJournal.suffix
                file = try JournalFile(in: directory.raw, path: path, name: state.name)
                state.file = file
            }
            state.open.insert(id)
            return file
        }
    }

    /// Notes that a deployment is over, durably said in the file or not.
    func close(_ id: UInt32) {
        state.withLock { state in
            state.open.remove(id)
            state.claims = state.claims.filter { $0.value.id != id }
        }
    }

    /// In a claim, all files of the directory; never a file's name.
    static let everything = Bytes()

    /// Takes a file for a deployment, or with `everything` all files of the directory, until it is over.
    ///
    /// - Returns: the target that has it already; nil when it is this deployment's now.
    func claim(_ name: Bytes, in directory: DirectoryIdentity, for id: UInt32, target: String) -> String? {
        state.withLock { state in
            let claim = Claim(directory: directory, name: name)
            for owner in [state.claims[claim], state.claims[Claim(directory: directory, name: RunJournal.everything)]] {
                if let owner, owner.id != id { return owner.target }
            }
            if name == RunJournal.everything {
                let other = state.claims.first { $0.key.directory == directory && $0.value.id != id }
                if let other { return other.value.target }
            }
            state.claims[claim] = (id, target)
            return nil
        }
    }

    /// Gives back what a deployment has of directories as a whole.
    func release(_ directories: Set<DirectoryIdentity>, of id: UInt32) {
        state.withLock { state in
            for directory in directories {
                let claim = Claim(directory: directory, name: RunJournal.everything)
                if state.claims[claim]?.id == id { state.claims[claim] = nil }
            }
        }
    }

    /// How a run's journal ended.
    package struct Ending: Sendable {
        /// Whether every end that was noted is durable; otherwise a power loss can let the next start undo deployments
        /// that were committed.
        package var isSettled = true
        /// Why the file, which holds old keys, could not be removed, or not durably; nil when all is well.
        package var failure: SystemError?
    }

    /// Ends the run: the file is removed, unless a deployment still has to be undone.
    ///
    /// The removal makes every end durable, with one fsync(2).
    package func finish() -> Ending {
        state.withLock { state in
            guard let file = state.file else { return Ending() }
            var ending = Ending()
            do throws(SystemError) {
                if state.open.isEmpty {
                    try JournalFile.remove(state.name, in: directory.raw, path: file.path)
                    state.file = nil
                    return ending
                }
            } catch {
                ending.failure = error
            }
            do throws(SystemError) {
                try file.synchronise()
            } catch {
                ending = Ending(isSettled: false, failure: error)
            }
            return ending
        }
    }
}
