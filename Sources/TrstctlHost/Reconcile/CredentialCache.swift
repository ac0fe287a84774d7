import Glibc
import Synchronization
import TrstctlLaunch
import TrstctlPolicy
import TrstctlSystem

/// The credentials of one run, each read and checked once, and forgotten when no target needs it any more.
final class CredentialCache: Sendable {
    private let loads = Mutex<[EntryName: Task<Result<Credential, CredentialError>, Never>]>([:])
    private let uses: Mutex<[EntryName: Int]>

    /// A cache for a run over these targets.
    init(_ targets: [Target] = []) {
        uses = Mutex(targets.reduce(into: [:]) { $0[$1.credential, default: 0] += 1 })
    }

    /// One target has no use for its credential any more; after the last one the key is wiped.
    func release(_ name: EntryName) {
        let isLast = uses.withLock { uses in
            uses[name, default: 0] -= 1
            return uses[name, default: 0] <= 0
        }
        if isLast { loads.withLock { _ = $0.removeValue(forKey: name) } }
    }

    /// The credential, loaded on a worker thread.
    func credential(_ source: CredentialSource) async throws(CredentialError) -> Credential {
        let load = loads.withLock { loads in
            if let load = loads[source.name] { return load }
            let load = Task {
                await ScopeRegistry.workers.run { CredentialCache.load(source) }
            }
            loads[source.name] = load
            return load
        }
        return try await load.value.get()
    }

    private static func load(_ source: CredentialSource) -> Result<Credential, CredentialError> {
        do throws(CredentialError) {
            return .success(
                try CredentialLoader.load(
                    certificatePath: String(decoding: source.certificate.array, as: UTF8.self),
                    keyPath: String(decoding: source.key.array, as: UTF8.self),
                    chainPath: source.chain.map { String(decoding: $0.array, as: UTF8.self) },
                    now: Int64(time(nil))))
        } catch {
            return .failure(error)
        }
    }
}
