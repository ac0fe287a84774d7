import TrstctlBroker
import TrstctlLaunch
import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

/// What a connector declares for one target.
struct Declaration: Sendable {
    /// The most rollback commands that are taken.
    static let maximumRollback = 8

    var grants: GrantSet
    /// What to run after the target's files were put back.
    var rollback: [[Bytes]]
    /// The values of the target's secret fields.
    var secrets: [(name: String, bytes: Bytes)] = []
    /// What the connector's requests go through, with its password.
    var proxy: RequestProxy?
    /// Whether the connector asks for the private key itself; it is approved by then.
    var needsKey = false
}

/// Configure: the target's configuration goes in, the grants it needs come out.
enum ConnectorDeclaration {
    /// Configures a target in a session.
    ///
    /// - Parameters:
    ///   - target: as the manifest has it.
    ///   - connector: its connector.
    ///   - directory: what relative paths are relative to.
    ///   - input: see `ConfigResolution.resolve`.
    ///   - timeouts: of this call, and of the calls for all targets.
    /// - Returns: the grants that the connector declares for it, its rollback commands, and its secrets.
    /// - Throws: `ConfigError` or `SessionError`.
    static func declare(
        _ target: Target, _ connector: RunningConnector, directory: AbsolutePath, input: ConfigInput? = nil,
        timeouts: CallTimeouts
    ) async throws -> Declaration {
        let description = connector.session.hello.description ?? Wire.Description()
        let resolve = { @Sendable in
            Result { () throws(ConfigError) in
                (
                    try ConfigResolution.resolve(
                        target, schema: description.config, directory: directory, input: input),
                    try ConfigResolution.proxy(target, input: input)
                )
            }
        }
        let mayWait = ConfigResolution.mayWait(target, input) || target.proxy?.user != nil
        let (config, proxy) = try await (mayWait ? ScopeRegistry.workers.run(resolve) : resolve()).get()
        let probe = target.probe.map {
            Wire.ProbeAddress(
                address: $0.address.text, serverName: $0.serverName?.text ?? "", startTls: $0.startTLS?.message ?? .none
            )
        }
        let request = Wire.ConfigureRequest(
            target: target.name.text, config: config.entries, secretNames: config.secretNames, probe: probe)
        let turn = try await connector.takeTurn()
        defer { turn.end() }
        let left = connector.configuring.left(of: timeouts.configureAll)
        guard left > 0 else {
            throw SessionError(
                .timeout, connector: connector.session.name,
                message: "has had \(timeouts.configureAll / 1_000) s for the Configure calls of all its targets, so "
                    + "this one was not made")
        }
        let reply = try await connector.call(.configure(request), turn, timeout: min(timeouts.configure, left))
        guard case .configure(let response) = reply.result, reply.status?.code == .ok else {
            throw ConfigError(description: ReplyStatus(reply).text)
        }
        guard response.rollback.count <= Declaration.maximumRollback else {
            throw ConfigError(
                description: "the connector declares \(response.rollback.count) rollback commands; at most "
                    + "\(Declaration.maximumRollback)")
        }
        return Declaration(
            grants: try DeclaredGrants.parse(response.grants, described: description.capabilities),
            rollback: response.rollback.map(\.arguments), secrets: config.secrets,
            proxy: proxy, needsKey: description.needsKey)
    }
}
