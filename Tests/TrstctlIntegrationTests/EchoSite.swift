import Foundation
import Testing
import TrstctlHost
import TrstctlTestSupport

/// The built command with a connector that keeps a fingerprint in a file, one credential, and targets whose files lie in a directory of their own.
struct EchoSite {
    let command: TrstctlCommand
    let credential: TestCredential
    var manifest: EchoManifest

    /// Pinned and granted; targets `one`, `two`, … that each keep their fingerprint in a file.
    ///
    /// - Parameters:
    ///   - names: of the targets.
    ///   - config: added to each target's.
    ///   - name: of the connector: echo, or another one with `state_path`.
    /// - Throws: when something is not built or cannot be written.
    init(_ names: [String] = ["one"], config: [String: String] = [:], connector name: String = "echo") throws {
        command = try TrstctlCommand()
        let connector = try BuiltProduct.install(name, in: command.plugins)
        try command.scratch.makeDirectory("live")
        credential = try command.pki.issue("www.example.com")
        let live = command.scratch.file("live")
        manifest = EchoManifest(
            credential, pins: try EchoManifest.pin(connector),
            names.map { .init($0, config.merging(["state_path": "\(live)/\($0)"]) { $1 }) })
        manifest.connector = name
        manifest.grants = ["fs.read: [\(live)/]", "fs.write: [\(live)/]"]
        try command.write(manifest: manifest.text)
    }

    /// Where a target keeps its fingerprint.
    func live(_ target: String) -> String { command.scratch.file("live/\(target)") }

    /// What is live at a target; nil when nothing is.
    func fingerprint(_ target: String) -> String? {
        try? String(contentsOfFile: live(target), encoding: .utf8).trimmingCharacters(in: .newlines)
    }

    /// The names of all files that are live.
    var files: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: command.scratch.file("live"))) ?? []).sorted()
    }
}
