import ArgumentParser
import TrstctlHost

struct Plan: HostCommand, ParallelCommand, ConfiguringCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what an apply would change, prove that what differs in nothing is served, and change nothing.")

    @OptionGroup var configuration: ConnectorConfigOptions
    @OptionGroup var options: GlobalOptions
    @ParentCommand var parent: Trstctl

    @Flag(help: "Exit with 4 when there are differences.")
    var detailedExitcode = false

    @Option(help: "How many targets are worked on at the same time (1 to 1024), shared among the connectors.")
    var parallel = 16

    @Argument(help: "Which targets; all when none is named.")
    var target: [String] = []

    var global: GlobalOptions { options.merged(under: parent.global) }

    func validate() throws { try checkParallel() }

    func run(_ host: Host, _ output: Output) async throws -> Int32 {
        let report = try await host.plan(target)
        output.result(report) { RunText(report: report).text }
        return report.exitCode == 0 && detailedExitcode && report.hasDifferences
            ? ExitStatusCode.differences : report.exitCode
    }
}

struct Apply: HostCommand, ParallelCommand, ConfiguringCommand {
    static let configuration = CommandConfiguration(
        abstract: "Deploy what differs, prove that it is served, and put everything back when something fails.")

    @OptionGroup var configuration: ConnectorConfigOptions
    @OptionGroup var options: GlobalOptions
    @ParentCommand var parent: Trstctl

    @Option(help: "How many targets are worked on at the same time (1 to 1024), shared among the connectors.")
    var parallel = 16

    @Argument(help: "Which targets; all when none is named.")
    var target: [String] = []

    var global: GlobalOptions { options.merged(under: parent.global) }

    func validate() throws { try checkParallel() }

    func run(_ host: Host, _ output: Output) async throws -> Int32 {
        let report = try await host.apply(target)
        output.result(report) { RunText(report: report).text }
        return report.exitCode
    }
}

/// Configuration of connectors that does not stand in the manifest.
struct ConnectorConfigOptions: ParsableArguments {
    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "Set a configuration field for this run: of one target, or of all targets of a connector. A secret field, and "
                + "no other, is set by reference: env:NAME, file:PATH, fd:N, cmd:PROGRAM WORDS, credential:NAME.",
            valueName: "name.field=value"))
    var connectorConfig: [String] = []
}

/// A command that configures connectors.
protocol ConfiguringCommand {
    var configuration: ConnectorConfigOptions { get }
}

extension GlobalOptions {
    /// Options can stand before the command's name or after it; after wins.
    func merged(under outer: GlobalOptions) -> GlobalOptions {
        var result = self
        result.manifest = manifest ?? outer.manifest
        result.stateDir = stateDir ?? outer.stateDir
        // The parser gives what stands before the name to both.
        func joined(_ words: [String], _ others: [String]) -> [String] {
            (words + others).reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
        }
        result.pluginDir = joined(outer.pluginDir, pluginDir)
        result.allowUnpinned = joined(outer.allowUnpinned, allowUnpinned)
        result.json = json || outer.json
        result.verbose = verbose || outer.verbose
        return result
    }
}
