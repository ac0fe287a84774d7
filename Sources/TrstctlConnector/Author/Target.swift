internal import CTrstctlSystem
internal import TrstctlSystem
internal import TrstctlWire

/// Something that certificates are deployed to, as the manifest describes it.
public struct Target: Sendable {
    /// Its name in the manifest.
    public let name: String
    /// Its `config:`.
    public let config: Configuration
    /// Where the operator wants the served certificate to be checked; nil when nowhere.
    public let probe: ProbeAddress?
    /// The secret configuration fields that have a value.
    public let secretFields: [String]

    init(_ request: Wire.ConfigureRequest, schema: [ConfigurationField]) throws(ConnectorError) {
        name = request.target
        config = try Configuration(request.config, secretNames: request.secretNames, schema: schema)
        probe = request.probe.map {
            ProbeAddress(address: $0.address, serverName: $0.serverName, startTLS: StartTLS($0.startTls))
        }
        secretFields = request.secretNames
    }
}

/// A TLS endpoint.
public struct ProbeAddress: Sendable, Hashable {
    /// `host:port`, with a host name, an IPv4 address, or an IPv6 address in brackets.
    public var address: String
    /// The name for SNI; empty means none.
    public var serverName: String
    /// What to speak before TLS.
    public var startTLS: StartTLS

    /// An address, the name to ask for there, and what to speak first.
    public init(address: String, serverName: String = "", startTLS: StartTLS = .none) {
        self.address = address
        self.serverName = serverName
        self.startTLS = startTLS
    }
}

/// One credential for one target.
///
/// Everything in it is public; the key and other secrets are used by name.
public struct Deployment: Sendable {
    /// Where it goes.
    public let target: Target
    /// The leaf's fingerprint: the idempotency key.
    public let fingerprint: Fingerprint
    /// The leaf certificate, PEM.
    public let certificate: [UInt8]
    /// The issuers above the leaf in order, PEM; may be empty.
    public let chain: [UInt8]
    /// The leaf's subject alternative names.
    public let names: [String]
    /// The leaf's validity, seconds since the Unix epoch.
    public let notBefore: Int64
    /// The end of the leaf's validity, seconds since the Unix epoch.
    public let notAfter: Int64
    /// The names that ``Segment/secret(_:as:)`` may use.
    public let secretNames: [String]

    /// In memory that is overwritten when the last copy of this value goes away.
    private let privateKey: Bytes

    /// Lends the private key's bytes, PEM as its file has it.
    ///
    /// Only with ``Connector/needsKey``, and only in `deploy`. Copy nothing out of it that is not wiped; never log it.
    ///
    /// - Parameter body: what needs the key; the bytes are gone when it returns.
    /// - Returns: what `body` returned; nil without a key, and then `body` is not called.
    /// - Throws: what `body` throws.
    public func withPrivateKey<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result? {
        guard !privateKey.isEmpty else { return nil }
        return try privateKey.withUnsafeBytes { (bytes) throws(Failure) in try body(bytes) }
    }

    /// The target's configuration.
    public var config: Configuration { target.config }

    /// Leaf and chain as one PEM text, ending with a line feed: what most servers want as their certificate file.
    public var fullchain: [UInt8] { Deployment.line(certificate) + Deployment.line(chain) }

    private static func line(_ pem: [UInt8]) -> [UInt8] {
        guard let last = pem.last, last != 0x0A else { return pem }
        return pem + [0x0A]
    }

    init(_ message: Wire.Deployment, target: Target) throws(ConnectorError) {
        guard let fingerprint = Fingerprint(hexadecimal: message.fingerprint) else {
            throw ConnectorError(.invalidArgument, "the deployment's fingerprint is not 64 lower-case hex digits")
        }
        self.target = target
        self.fingerprint = fingerprint
        certificate = message.certificate.array
        chain = message.chain.array
        names = message.names
        notBefore = message.notBefore
        notAfter = message.notAfter
        secretNames = message.secretNames
        privateKey = message.privateKey.withUnsafeBytes { Bytes(copying: $0, isSecret: true) }
        // What the frame was decoded to is nobody else's.
        if let base = message.privateKey.unsafeBase { trstctl_wipe(base, message.privateKey.count) }
    }
}
