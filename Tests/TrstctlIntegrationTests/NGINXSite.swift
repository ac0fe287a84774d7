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

    func apply() async throws -> (TrstctlCommand.Outcome, TargetReport) {
        let outcome = try await command.run("apply", "--json")
        // After a reload the worker of before still answers for a moment.
        try await waitForWorkers()
        return (outcome, try #require(try outcome.json(RunReport.self).targets.first, "\(outcome)"))
    }

    /// After a reload the old worker may still be ending.
    func waitForWorkers() async throws {
        for _ in 0..<12_000 where nginx.workers.count != 1 { try await Task.sleep(for: .milliseconds(10)) }
        try #require(nginx.workers.count == 1)
    }
}
