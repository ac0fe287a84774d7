import Foundation
import TrstctlCrypto
import TrstctlSystem

/// A manifest whose targets are served by one connector of the tests: echo, request, or a case of the hostile one.
package struct EchoManifest {
    /// One target: its name, and what stands under `config:`.
    package struct Target {
        package var name: String
        package var config: [String: String]
        /// What stands under `probe:`, as YAML.
        package var probe: String?
        /// What stands under `layout:`.
        package var layout: String?
        /// What stands under `proxy:`, as YAML.
        package var proxy: String?

        /// - Parameters:
        ///   - name: of the target.
        ///   - config: names and values, as YAML.
        package init(_ name: String, _ config: [String: String] = [:]) {
            self.name = name
            self.config = config
        }
    }

    package var connector = "echo"
    /// What stands between the brackets of `sha256:`; nil for no entry at all.
    package var pins: String?
    /// Lines below `grants:`, each `capability: [values]`.
    package var grants: [String] = []
    package var certificate: String
    package var key: String
    package var targets: [Target]

    package init(_ credential: TestCredential, pins: String?, _ targets: [Target]) {
        certificate = credential.fullchainPath
        key = credential.keyPath
        self.pins = pins
        self.targets = targets
    }

    /// The manifest.
    package var text: String {
        var lines = ["version: 1"]
        if let pins {
            lines += ["plugins:", "  \(connector):", "    sha256: [\(pins)]"]
            if !grants.isEmpty { lines += ["    grants:"] + grants.map { "      \($0)" } }
        }
        lines += ["credentials:", "  www: { certificate: \(certificate), key: \(key) }", "targets:"]
        for target in targets {
            let config = target.config.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
            let more = [("probe", target.probe), ("layout", target.layout), ("proxy", target.proxy)]
                .compactMap { name, value in value.map { ", \(name): \($0)" } }
            lines.append(
                "  \(target.name): { connector: \(connector), credential: www, "
                    + "config: { \(config.joined(separator: ", ")) }\(more.joined()) }")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The digest of a file, quoted: one of digits only would be a number in YAML.
    ///
    /// - Throws: when it cannot be read.
    package static func pin(_ path: String) throws -> String { "\"\(try digest(path))\"" }

    /// The digest of a file, as it stands in a manifest.
    ///
    /// - Throws: when it cannot be read.
    package static func digest(_ path: String) throws -> String {
        let content = try Data(contentsOf: URL(fileURLWithPath: path))
        return Hexadecimal.lower(content.withUnsafeBytes { SHA256.digest($0) } ?? [])
    }
}
