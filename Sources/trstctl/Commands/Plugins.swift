import ArgumentParser
import TrstctlHost

struct Plugin: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Look at connectors, verify and pin them; sign your own.",
        subcommands: [List.self, Inspect.self, Verify.self, Pin.self, Sign.self])

    @ParentCommand var parent: Trstctl

    struct List: HostCommand {
        static let configuration = CommandConfiguration(
            abstract: "List connectors: where they are, and whether they are pinned. Runs none of them, unless told to."
        )

        @OptionGroup var options: GlobalOptions
        @ParentCommand var parent: Plugin

        @Flag(
            name: .customLong("run"), help: "Also start those that may run, granted nothing, and ask for their version."
        )
        var isRunning = false

        var global: GlobalOptions { options.merged(under: parent.parent.global) }

        func run(_ host: Host, _ output: Output) async throws -> Int32 {
            let reports = try await host.listPlugins(isRunning: isRunning)
            output.result(reports) { PluginText.list(reports) }
            return ExitStatusCode.fine
        }
    }

    struct Inspect: HostCommand {
        static let configuration = CommandConfiguration(
            abstract: "Ask a connector what it is and what it needs. It runs confined and is granted nothing.")

        @OptionGroup var options: GlobalOptions
        @ParentCommand var parent: Plugin

        @Argument(help: "The connector's name.")
        var name: String

        var global: GlobalOptions { options.merged(under: parent.parent.global) }

        func run(_ host: Host, _ output: Output) async throws -> Int32 {
            let report = try await host.inspectPlugin(name)
            output.result(report) { PluginText.inspect(report) }
            return ExitStatusCode.fine
        }
    }

    struct Verify: HostCommand {
        static let configuration = CommandConfiguration(
            abstract: "Verify connectors as a start would, without starting them.")

        @OptionGroup var options: GlobalOptions
        @ParentCommand var parent: Plugin

        @Argument(help: "Which connectors; all that stand under plugins: in the manifest when none is named.")
        var name: [String] = []

        var global: GlobalOptions { options.merged(under: parent.parent.global) }

        func run(_ host: Host, _ output: Output) async throws -> Int32 {
            let reports = try host.verifyPlugins(name)
            output.result(reports) { PluginText.verify(reports) }
            return reports.allSatisfy(\.mayRun) ? ExitStatusCode.fine : ExitStatusCode.connectorRefused
        }
    }

    struct Pin: HostCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write a connector's SHA-256, and the grants that the targets need, into the manifest.",
            discussion: """
                The connector runs confined and is granted nothing while it is asked. Read what is written: from then on \
                exactly this build may run, with exactly these grants. A later build that asks for more is refused, with \
                the difference, until --approve.
                """)

        @OptionGroup var options: GlobalOptions
        @ParentCommand var parent: Plugin

        @Flag(help: "Keep the pins that are there, for another build or platform.")
        var add = false

        @Flag(help: "Also approve what the connector asks for beyond what is approved.")
        var approve = false

        @Argument(help: "The connectors' names.")
        var name: [String]

        var global: GlobalOptions { options.merged(under: parent.parent.global) }

        func run(_ host: Host, _ output: Output) async throws -> Int32 {
            let reports = try await host.pinPlugins(name, PinMode(isAdding: add, isApproving: approve))
            output.result(reports) { PluginText.pinned(reports, global.manifestPath) }
            return ExitStatusCode.fine
        }
    }
}
