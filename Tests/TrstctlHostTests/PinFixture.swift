import Foundation
import Glibc
import TrstctlHost
import TrstctlPolicy
import TrstctlSystem
import TrstctlTestSupport

/// A host with one echo connector, one credential and one target, in a private directory.
final class PinFixture: Sendable {
    let scratch: ScratchDirectory
    let plugins: String
    let connector: String
    let manifest: String
    private let pki: TestPKI
    private let credential: TestCredential

    /// Makes the directory, installs the connector, issues the credential and writes the manifest.
    init(config: String = "", plugin: String = "") throws {
        scratch = try ScratchDirectory()
        plugins = try scratch.makeDirectory("plugins")
        _ = try scratch.makeDirectory("out")
        connector = try BuiltProduct.install("echo", in: plugins)
        guard chmod(connector, 0o755) == 0 else { throw SystemError.last("chmod") }
        pki = try TestPKI()
        credential = try pki.issue("a.example")
        manifest = scratch.file("trstctl.yaml")
        try write(config: config, plugin: plugin)
    }

    /// Writes the manifest; `plugin` is the connector's entry without indentation, empty leaves `plugins:` out.
    func write(config: String, plugin: String = "", trust: String = "") throws {
        let entry =
            plugin.isEmpty ? "" : "plugins:\n  echo:\n" + plugin.split(separator: "\n").map { "    \($0)\n" }.joined()
        try scratch.write(
            """
            version: 1
            \(entry)credentials:
              a: { certificate: \(credential.fullchainPath), key: \(credential.keyPath) }
            targets:
              one: { connector: echo, credential: a, config: { \(config) } }
            \(trust)
            """, to: "trstctl.yaml")
    }

    var text: String { (try? String(contentsOfFile: manifest, encoding: .utf8)) ?? "" }

    func host(allowUnpinned: [String] = [], log: @Sendable @escaping (String, String, String) -> Void = { _, _, _ in })
        -> TrstctlHost.Host
    {
        var options = TrstctlHost.Host.Options(manifest: Bytes(manifest), version: "test")
        options.stateDirectory = scratch.file("state")
        options.pluginDirectories = [Bytes(plugins)]
        options.runtimeBase = scratch.path
        options.allowUnpinned = allowUnpinned
        options.log = log
        return TrstctlHost.Host(options)
    }
}
