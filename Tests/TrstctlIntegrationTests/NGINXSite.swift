import Testing
import TrstctlHost
import TrstctlTestSupport

/// The built command with the NGINX connector, and a private NGINX.
struct NGINXSite {
    let command: TrstctlCommand
    let nginx: PrivateNGINX
    var manifest: EchoManifest

    /// What the clients were served before the first deployment.
    let first: TestCredential

    init(isCombined: Bool = false) async throws {
        command = try TrstctlCommand()
        first = try command.pki.issue("first.example.com")
        nginx = try await PrivateNGINX(serving: first, isCombined: isCombined)
        let connector = try BuiltProduct.install("nginx", in: command.plugins)
        let files =
            isCombined
            ? ["combined": nginx.certificate]
            : ["certificate": nginx.certificate, "key": nginx.key, "certificate_mode": "\"0640\""]
        manifest = EchoManifest(
            first, pins: try EchoManifest.pin(connector),
            [.init("edge", files.merging(["nginx": "[\(nginx.words)]"]) { $1 })])
        manifest.connector = "nginx"
        manifest.targets[0].probe = "{ address: \"\(nginx.address)\", server_name: www.example.com }"
        manifest.grants = [
            "fs.read: [\(nginx.directory.path)/tls/]", "fs.write: [\(nginx.directory.path)/tls/]",
            "net.dial: [\"\(nginx.address)\"]",
            "process.exec: [[\(nginx.words), -t], [\(nginx.words), -s, reload]]",
        ]
    }

    /// Everything that a deployment could change.
    func stamps() throws -> [FileStamp] { try [FileStamp(nginx.certificate), FileStamp(nginx.key)] }

    mutating func use(_ credential: TestCredential) throws {
        (manifest.certificate, manifest.key) = (credential.fullchainPath, credential.keyPath)
        try command.write(manifest: manifest.text)
    }

    /// Deploys, and waits until the workers are those that stay.
    ///
    /// - Parameter reloads: whether NGINX is told to reload without anybody waiting until it serves something else: it may
    ///   not have begun when the command ends.
    /// - Returns: how the command ended, and its report.
    /// - Throws: when there is no report, or the workers do not come to rest.
    func apply(reloads: Bool = false) async throws -> (TrstctlCommand.Outcome, TargetReport) {
        let before = nginx.workers
        let outcome = try await command.run("apply", "--json")
        // After a reload the worker of before still answers for a moment.
        try await nginx.waitForWorker(insteadOf: reloads ? before : [])
        return (outcome, try #require(try outcome.json(RunReport.self).targets.first, "\(outcome)"))
    }
}
