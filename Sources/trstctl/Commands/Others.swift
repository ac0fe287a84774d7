import ArgumentParser
import TrstctlHost

struct ManifestGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "manifest", abstract: "Check the manifest.", subcommands: [Validate.self])

    @ParentCommand var parent: Trstctl

    struct Validate: HostCommand {
        static let configuration = CommandConfiguration(abstract: "Read the manifest and say what is wrong with it.")

        @OptionGroup var options: GlobalOptions
        @ParentCommand var parent: ManifestGroup

        var global: GlobalOptions { options.merged(under: parent.parent.global) }

        func run(_ host: Host, _ output: Output) async throws -> Int32 {
            let summary = try host.validateManifest()
            output.result(summary) { PluginText.validated(summary, global.manifestPath) }
            return summary.isRefused ? ExitStatusCode.usage : ExitStatusCode.fine
        }
    }
}

struct Version: HostCommand {
    static let configuration = CommandConfiguration(abstract: "Print the version of this program and of the protocol.")

    @OptionGroup var options: GlobalOptions
    @ParentCommand var parent: Trstctl

    var global: GlobalOptions { options.merged(under: parent.global) }

    func run(_ host: Host, _ output: Output) async throws -> Int32 {
        output.result(["trstctl": programVersion, "protocol": "1", "handshake": "1"]) {
            "trstctl \(programVersion) (protocol 1, handshake 1)"
        }
        return ExitStatusCode.fine
    }
}

struct Audit: HostCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what connectors did, and what they were refused.")

    @OptionGroup var options: GlobalOptions
    @ParentCommand var parent: Trstctl

    @Option(help: "Only what concerns this target.")
    var target: String?

    @Flag(help: "Only what was denied or refused.")
    var denied = false

    @Option(help: "At most this many lines, the newest.")
    var last = 1_000

    var global: GlobalOptions { options.merged(under: parent.global) }

    func validate() throws {
        guard last >= 0 else { throw ValidationError("--last takes a number from 0, not \(last)") }
    }

    func run(_ host: Host, _ output: Output) async throws -> Int32 {
        let result = try host.audit(AuditQuery(target: target, deniedOnly: denied, last: last))
        output.result(result) { AuditText.text(result) }
        return ExitStatusCode.fine
    }
}
