import TrstctlConnector

/// Makes a request and then remembers the fingerprint in a file; for tests.
///
/// A connector of its own, because Echo is shipped and read by authors.
struct Requester: Connector {
    static let name = "request"
    static let version = "1.0.0"
    static let summary = "Makes a request; for tests."

    static let configuration: [ConfigurationField] = [
        .text("url", required: true, help: "Where a deployment sends a POST."),
        .text("peer", required: true, help: "The URL's host and port, as a grant names them."),
        .path("authorities", required: true, help: "The file of authorities that verify the server."),
        .path("state_path", required: true, help: "The file that keeps the fingerprint."),
        .boolean("fail", default: false, help: "Let a deployment fail at its end."),
        .list("rollback", help: "Declare this command for rollbacks."),
    ]

    static let capabilities = [
        CapabilityNeed(.readFiles, "read `authorities`, and the fingerprint in `state_path`"),
        CapabilityNeed(.writeFiles, "write `state_path`"), CapabilityNeed(.dial, "make the request"),
        CapabilityNeed(.run, "run the command in `rollback`"),
    ]

    func grants(for target: Target) throws(ConnectorError) -> [Grant] {
        let state = try target.config.path("state_path")
        return [
            .read(try target.config.path("authorities")), .read(state), .write(state),
            .dial(try target.config.text("peer")),
        ] + rollback(for: target).map { .run($0) }
    }

    func rollback(for target: Target) -> [[String]] { target.config.listIfSet("rollback").map { [$0] } ?? [] }

    func read(_ deployment: Deployment, _ host: borrowing Host) throws(ConnectorError) -> LiveState {
        guard let file = try host.readFile(deployment.config.path("state_path"), maxBytes: 4096) else { return .absent }
        let fingerprint = Fingerprint(hexadecimal: String(decoding: file.bytes.prefix(64), as: UTF8.self))
        return LiveState(
            isPresent: true, fingerprint: fingerprint, isInSync: fingerprint == deployment.fingerprint)
    }

    func deploy(_ deployment: Deployment, _ host: borrowing Host) throws(ConnectorError) -> DeployOutcome {
        let config = deployment.config
        let tls = TLSOptions(authoritiesPath: try config.path("authorities"))
        let answer = try host.request(HTTPRequest("POST", try config.text("url"), tls: tls))
        guard answer.isSuccess else { throw .failedPrecondition("the server answered \(answer.status)") }
        try host.writeFile(try config.path("state_path"), [.text("\(deployment.fingerprint)\n")], mode: 0o644)
        let fails = try config.boolean("fail")
        if fails, !host.isRecording { throw .failedPrecondition("it was told to fail") }
        return .changed("holds \(deployment.fingerprint) now")
    }
}

serve(Requester())
