import ArgumentParser
import Glibc
import TrstctlHost
import TrstctlSystem

/// What the exit code of the command line says, see README.
enum ExitStatusCode {
    static let fine: Int32 = 0
    static let targetFailed: Int32 = 1
    static let usage: Int32 = 2
    static let connectorRefused: Int32 = 3
    static let differences: Int32 = 4
    static let notPrinted: Int32 = 5
    static let busy: Int32 = 6
}

/// This program's version.
let programVersion = "0.1.0"

/// A command that needs the host.
protocol HostCommand: ParsableCommand {
    /// The options that stand before the command.
    var global: GlobalOptions { get }

    /// Runs the command.
    ///
    /// - Returns: the exit code.
    func run(_ host: Host, _ output: Output) async throws -> Int32
}

/// The options that every command takes, before or after its name.
struct GlobalOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The manifest.", valueName: "file"))
    var manifest: String?

    @Option(help: ArgumentHelp("Where state is kept.", valueName: "dir"))
    var stateDir: String?

    @Option(parsing: .singleValue, help: ArgumentHelp("Search this directory for connectors first.", valueName: "dir"))
    var pluginDir: [String] = []

    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "For development: let this connector run although the manifest has no pin for it.", valueName: "name"))
    var allowUnpinned: [String] = []

    @Flag(help: "Print the result as JSON.")
    var json = false

    @Flag(name: .shortAndLong, help: "Print everything that connectors log.")
    var verbose = false

    /// The manifest that is used: the option, else `$TRSTCTL_MANIFEST`, else `trstctl.yaml` here, else in /etc.
    var manifestPath: String {
        if let manifest { return manifest }
        if let variable = getenv("TRSTCTL_MANIFEST").map({ String(cString: $0) }), !variable.isEmpty { return variable }
        return access("trstctl.yaml", F_OK) == 0 ? "trstctl.yaml" : "/etc/trstctl/trstctl.yaml"
    }
}

extension GlobalOptions {
    /// The options that decide what a command is about, as they were typed; how it prints is not among them.
    var words: [String] {
        (manifest.map { option("--manifest", $0) } ?? []) + (stateDir.map { option("--state-dir", $0) } ?? [])
            + pluginDir.flatMap { option("--plugin-dir", $0) }
    }

    /// Those that let connectors run without a pin.
    var overrideWords: [String] { allowUnpinned.flatMap { option("--allow-unpinned", $0) } }

    // A value that looks like an option is one only behind the sign.
    private func option(_ name: String, _ value: String) -> [String] {
        value.hasPrefix("-") ? ["\(name)=\(value)"] : [name, value]
    }
}

/// The connector host.
struct Trstctl: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trstctl",
        abstract: "Brings a renewed TLS credential to what serves it, through pinned and confined connectors.",
        discussion: """
            Exit codes: 0 fine, 1 a target failed, 2 usage or manifest error, 3 a connector or target was refused, \
            4 differences found (plan --detailed-exitcode), 5 the result could not be printed, 6 another apply is at work \
            on the same state.
            """,
        version: programVersion,
        subcommands: [
            Plan.self, Apply.self, Recover.self, Plugin.self, ManifestGroup.self, Audit.self, Doctor.self, Version.self,
        ])

    @OptionGroup var global: GlobalOptions

    /// Runs a command and turns its errors into text and an exit code.
    static func run(_ command: any HostCommand) async -> Int32 {
        let output = Output(isJSON: command.global.json, isVerbose: command.global.verbose)
        NextCommand.carry(command.global.words, overrides: command.global.overrideWords)
        var options = Host.Options(manifest: Bytes(command.global.manifestPath), version: programVersion)
        options.stateDirectory = command.global.stateDir
        options.pluginDirectories = command.global.pluginDir.map { Bytes($0) }
        options.allowUnpinned = command.global.allowUnpinned
        options.isVerbose = output.isVerbose
        options.log = { output.connectorLine($0, $1, $2) }
        if let parallel = (command as? any ParallelCommand)?.parallel { options.parallel = parallel }
        options.connectorConfig = (command as? any ConfiguringCommand)?.configuration.connectorConfig ?? []
        do {
            return output.exitCode(try await command.run(Host(options), output))
        } catch let error as ConnectorRefusal {
            output.failure(error, code: "connector-refused")
            return ExitStatusCode.connectorRefused
        } catch let error as PinRefusal {
            output.failure(error, code: "grants-not-approved")
            return ExitStatusCode.connectorRefused
        } catch let error as StateError where error.isBusy {
            output.failure(error, code: "busy")
            return ExitStatusCode.busy
        } catch {
            output.failure(error, code: error is ManifestError ? "manifest" : "usage")
            return ExitStatusCode.usage
        }
    }
}

/// A command that works on several targets at once.
protocol ParallelCommand {
    var parallel: Int { get }
}

extension ParallelCommand {
    /// Refuses numbers that would be taken for others.
    func checkParallel() throws {
        guard (1...1_024).contains(parallel) else {
            throw ValidationError("--parallel takes 1 to 1024, not \(parallel)")
        }
    }
}
