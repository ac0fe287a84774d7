/// One kind of target that certificates are deployed to, as an author writes it.
///
/// A connector changes nothing by itself: everything it wants done it asks of the ``Host`` that it is handed, which
/// checks each request against what the operator approved. Its `main.swift` has two lines:
///
/// ```swift
/// import TrstctlConnector
/// serve(MyConnector())
/// ```
///
/// Calls for different targets may run at the same time when ``concurrency`` is above 1; that is why it is `Sendable`.
public protocol Connector: Sendable {
    /// The name in `trstctl-connector-<name>`: `^[a-z][a-z0-9-]{0,62}$`.
    static var name: String { get }

    /// The connector's own version, in any scheme; at most 128 bytes.
    static var version: String { get }

    /// One sentence for `trstctl plugin list`.
    static var summary: String { get }

    /// The fields of a target's `config:`; at most 64.
    static var configuration: [ConfigurationField] { get }

    /// What kinds of things it needs to do, each with the reason the operator reads before approving.
    static var capabilities: [CapabilityNeed] { get }

    /// Whether it must have private keys themselves, ``Deployment/withPrivateKey(_:)``; false by default.
    ///
    /// Ask for it only when a key cannot be put in place by name, ``Segment/secret(_:as:wrapped:)``: the operator has to
    /// approve it, and many will not.
    static var needsKey: Bool { get }

    /// How many calls may run at the same time, 1 to 64. Threads are started only when calls really overlap.
    static var concurrency: Int { get }

    /// Everything that is needed for this target, and nothing more: what is not declared here is denied.
    ///
    /// It is also the place to refuse a wrong configuration, before anything is touched.
    ///
    /// - Parameter target: the target with its configuration; types and required fields have been checked.
    /// - Returns: the grants, at most 256.
    /// - Throws: `ConnectorError`, normally ``ConnectorError/invalidConfiguration(_:fix:)``.
    func grants(for target: Target) throws(ConnectorError) -> [Grant]

    /// What the host runs, in order, after it has put a failed deployment's files back and the connector is not there to
    /// do it: it crashed, or its success was not confirmed.
    ///
    /// - Parameter target: the target with its configuration.
    /// - Returns: argument vectors, at most 8; each must be among the grants. None by default.
    /// - Throws: `ConnectorError`.
    func rollback(for target: Target) throws(ConnectorError) -> [[String]]

    /// What is at the target now. It cannot change anything.
    ///
    /// - Parameters:
    ///   - deployment: what should be there.
    ///   - host: performs reads and probes; only valid during this call.
    /// - Returns: what is there, and whether it is what should be.
    /// - Throws: `ConnectorError` when the target cannot be looked at.
    func read(_ deployment: Deployment, _ host: borrowing Host) throws(ConnectorError) -> LiveState

    /// Makes the target serve the deployment.
    ///
    /// It must be idempotent on the fingerprint: when the target holds it already, nothing is written or reloaded. It
    /// is also called for `trstctl plan`, in a scope that records what it asks for instead of performing it.
    ///
    /// - Parameters:
    ///   - deployment: what should be there.
    ///   - host: performs the effects; only valid during this call.
    /// - Returns: whether anything was changed, and a sentence about it.
    /// - Throws: `ConnectorError`; the host then restores every file that this call changed.
    func deploy(_ deployment: Deployment, _ host: borrowing Host) throws(ConnectorError) -> DeployOutcome
}

extension Connector {
    /// Keys are put in place by the host.
    public static var needsKey: Bool { false }

    /// One call at a time.
    public static var concurrency: Int { 1 }

    /// Nothing to run.
    public func rollback(for target: Target) throws(ConnectorError) -> [[String]] { [] }
}
