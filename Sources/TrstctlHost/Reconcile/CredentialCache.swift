import Glibc
import Synchronization
import TrstctlLaunch
import TrstctlPolicy
import TrstctlSystem

/// The credentials of one run, each read and checked once.
final class CredentialCache: Sendable {
    private let loads = Mutex<[EntryName: Task<Result<Credential, CredentialError>, Never>]>([:])

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
