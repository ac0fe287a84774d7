package import TrstctlSystem

/// The operator's manifest as values, in the order of the file.
///
/// The format is `spec/manifest.md`.
package struct Manifest: Hashable, Sendable {
    /// The format's version, 1.
    package var version: Int
    /// What is pinned and approved.
    package var plugins: [Plugin]
    /// Where certificates and keys are.
    package var credentials: [CredentialSource]
    /// What gets which credential.
    package var targets: [Target]
    /// What is revoked, whatever else the manifest says.
    package var trust: Trust

    package init(
        version: Int = 1, plugins: [Plugin] = [], credentials: [CredentialSource] = [], targets: [Target] = [],
        trust: Trust = Trust()
    ) {
        self.version = version
        self.plugins = plugins
        self.credentials = credentials
        self.targets = targets
        self.trust = trust
    }

    /// The entry of a connector; nil means that it is not pinned and must not run.
    package func plugin(_ name: ConnectorName) -> Plugin? { plugins.first { $0.name == name } }

    /// The credential of this name.
    package func credential(_ name: EntryName) -> CredentialSource? { credentials.first { $0.name == name } }

    /// The target of this name.
    package func target(_ name: EntryName) -> Target? { targets.first { $0.name == name } }
}

/// Where one certificate chain and its private key are read from, as absolute paths.
///
/// The paths are opened as the operator wrote them, links included: certbot's `live/` directory is made of links.
package struct CredentialSource: Hashable, Sendable {
    /// The credential.
    package var name: EntryName
    /// The certificate, PEM, leaf first, usually with its chain.
    package var certificate: Bytes
    /// The private key, PEM.
    package var key: Bytes
    /// More certificates of the chain, PEM; nil when the certificate's file has them.
    package var chain: Bytes?

    package init(name: EntryName, certificate: Bytes, key: Bytes, chain: Bytes? = nil) {
        self.name = name
        self.certificate = certificate
        self.key = key
        self.chain = chain
    }
}

/// One place that a credential is deployed to.
package struct Target: Hashable, Sendable {
    /// One field of a target's configuration.
    package struct Field: Hashable, Sendable {
        /// The name of the connector's field.
        package var key: String
        /// Its value.
        package var value: ConfigValue

        package init(key: String, value: ConfigValue) {
            self.key = key
            self.value = value
        }
    }

    /// How a target's files become visible.
    package enum Layout: String, Hashable, Sendable, CaseIterable {
        /// One after the other, each in one step.
        case plain
        /// Together: their directory is a link to a version of it.
        case versioned
    }

    /// The target.
    package var name: EntryName
    /// The connector that deploys to it.
    package var connector: ConnectorName
    /// The credential it gets.
    package var credential: EntryName
    /// What the connector is configured with, in the order of the file.
    package var config: [Field]
    /// The proof that is made after a deployment, if any.
    package var probe: Probe?
    /// What the connector's requests go through, if anything.
    package var proxy: Proxy?
    /// How its files become visible.
    package var layout = Layout.plain

    package init(
        name: EntryName, connector: ConnectorName, credential: EntryName, config: [Field] = [], probe: Probe? = nil
    ) {
        self.name = name
        self.connector = connector
        self.credential = credential
        self.config = config
        self.probe = probe
    }
}

/// A value in a target's configuration.
package enum ConfigValue: Hashable, Sendable {
    case string(String)
    case integer(Int64)
    case boolean(Bool)
    case list([String])
    /// Where the value of a secret field comes from.
    case reference(SecretOrigin)
}

/// The TLS handshake that proves a deployment.
package struct Probe: Hashable, Sendable {
    /// The seconds that are waited when the manifest does not say.
    package static let defaultTimeout = 10
    /// The seconds that a manifest may ask for.
    package static let timeoutBounds = 1...300

    /// Where the certificate is served.
    package var address: DialAddress
    /// The server name to ask for (RFC 6066, section 3); nil sends none.
    package var serverName: DNSName?
    /// How long the proof may take, in seconds, 1…300.
    package var timeout: Int
    /// What is spoken before the handshake; nil for TLS from the first byte.
    package var startTLS: StartTLS?

    package init(address: DialAddress, serverName: DNSName?, timeout: Int = Probe.defaultTimeout) {
        self.address = address
        self.serverName = serverName
        self.timeout = timeout
    }
}
