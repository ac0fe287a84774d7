import TrstctlProcess
import TrstctlSystem

extension Session {
    /// Starts a verified executable under the confinement that its kind allows and the request demands.
    ///
    /// - Returns: the session, and the layers of confinement that the kernel applied, with those that are missing.
    /// - Throws: `SessionError`.
    package static func start(
        _ executable: VerifiedExecutable, _ request: SessionRequest
    ) async throws(SessionError) -> (Session, ActiveLayers) {
        let profile: SandboxProfile
        do {
            profile = try SandboxProfile(for: executable, libraries: request.libraries)
        } catch {
            throw SessionError(
                .spawn, connector: request.name, message: "cannot be confined: \(error)", cause: error.code.word)
        }
        let applied = OneShot<ActiveLayers>()
        let session = try await start(request) { directory, environment, output, error in
            var confinement = try Confinement(
                profile, mode: request.confinement, limits: request.confinementLimits, runDirectory: directory)
            let child = try executable.start(
                under: &confinement, environment: environment, standardOutput: output, standardError: error)
            applied.set(confinement.layers)
            return child
        }
        return (session, applied.value ?? ActiveLayers(layers: []))
    }
}
