import TrstctlBroker
import TrstctlLaunch
import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

/// What a target needs before anything of it is looked at: its credential, a connector that runs, a configuration, grants.
extension TargetReconciler {
    func prepare(
        _ target: Target, _ goal: Goal, _ report: inout TargetReport
    ) async throws(Failure) -> TargetWork {
        if goal == .apply, let recovery = unrecovered[target.name.text] {
            throw Failure(
                stage: .recovery, code: ReasonCode(.notRecovered),
                summary: "its interrupted deployment could not be undone", detail: recovery.detail,
                rollback: .failed)
        }
        let credential = try await loadCredential(target)
        report.fingerprint = credential.fingerprint
        report.warnings = credential.warnings.map { "\($0)" }
        let connector = try await startConnector(target)
        let (grants, declaration) = try await configure(target, connector)
        return TargetWork(
            target: target, credential: credential, connector: connector, grants: grants,
            declaration: declaration, timeouts: timeouts, audit: audit, journal: journal,
            secrets: SecretSource(credential, declaration),
            layout: target.layout == .versioned ? try versionedLayout(grants) : nil)
    }

    private func versionedLayout(_ grants: GrantSet) throws(Failure) -> VersionedLayout {
        do throws(EffectError) {
            return try VersionedLayout(grants.write)
        } catch {
            throw Failure(
                stage: .configuration, code: ReasonCode(error), summary: "the files cannot be versioned",
                detail: "\(error)")
        }
    }

    private func loadCredential(_ target: Target) async throws(Failure) -> Credential {
        guard let source = manifest.credential(target.credential) else {
            throw Failure(
                stage: .credential, code: ReasonCode(ManifestError.Code.unknownReference),
                summary: "the manifest has no credential \(target.credential.text)")
        }
        do {
            return try await credentials.credential(source)
        } catch {
            throw Failure(
                stage: .credential, code: ReasonCode(error),
                summary: "the credential \(source.name.text) cannot be deployed",
                detail: "\(error)")
        }
    }

    private func startConnector(_ target: Target) async throws(Failure) -> RunningConnector {
        do {
            return try await pool.connector(target.connector)
        } catch {
            throw Failure(
                stage: .connector, code: ReasonCode(error),
                summary: "the connector \(target.connector.text) was refused",
                detail: error.description, isRefusal: true)
        }
    }

    /// Tells the connector about the target, and computes what it may do for it.
    private func configure(_ target: Target, _ connector: RunningConnector) async throws(Failure) -> (
        effective: GrantSet, declared: Declaration
    ) {
        let declaration = try await declare(target, connector)
        let declared = declaration.grants
        try checkKeyAccess(target, connector)
        let approved = manifest.plugin(target.connector)?.grants ?? GrantSet()
        let missing = declared.difference(from: approved).normalised
        guard missing.isEmpty else {
            let lines = missing.onTerms(of: approved)
            throw Failure(
                stage: .grants, code: ReasonCode(.notApproved),
                summary: "the connector \(target.connector.text) asks for more than the manifest approves",
                detail: ([
                    "It asks for these grants, which are not approved under plugins: \(target.connector.text): grants:"
                ]
                    + lines.rules.yamlBlock.map { "    \($0)" }
                    + lines.undecided.yamlLines.map { "    \($0)  # on the terms (sha256, setuid) that you want" } + [
                        "Nothing was touched. To approve them, add these rules there, or type: "
                            + NextCommand.trstctl("plugin", "pin", "--approve", target.connector.text)
                    ]).joined(separator: "\n"),
                isRefusal: true)
        }
        return (GrantSet.intersection(declared: declared, approved: approved), declaration)
    }

    /// A connector that asks for private keys themselves runs only where the operator lets it have them.
    private func checkKeyAccess(_ target: Target, _ connector: RunningConnector) throws(Failure) {
        guard connector.session.hello.description?.needsKey ?? false,
            !(manifest.plugin(target.connector)?.needsKey ?? false)
        else { return }
        throw Failure(
            stage: .grants, code: ReasonCode(.notApproved),
            summary: "the connector \(target.connector.text) asks for private keys themselves, which is not approved",
            detail: "It asks to receive the key's bytes, not only to have them put in place.\nNothing was touched. To "
                + "approve it, add this line under plugins: \(target.connector.text):\n    needs_key: true\nor type: "
                + NextCommand.trstctl("plugin", "pin", "--approve", target.connector.text),
            isRefusal: true)
    }

    private func declare(_ target: Target, _ connector: RunningConnector) async throws(Failure) -> Declaration {
        do {
            return try await ConnectorDeclaration.declare(
                target, connector, directory: directory, input: input, timeouts: timeouts)
        } catch {
            throw Failure(
                stage: .configuration, code: ReasonCode(error), summary: "the configuration was not accepted",
                detail: "\(error)")
        }
    }
}
