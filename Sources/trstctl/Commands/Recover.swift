import ArgumentParser
import TrstctlHost

struct Recover: HostCommand {
    static let configuration = CommandConfiguration(
        abstract: "Undo what an interrupted apply left half done, and nothing else.",
        discussion: """
            Every apply does this before anything else. Ends with 1 when something could not be undone, or was changed \
            by somebody else meanwhile and therefore not touched.
            """)

    @OptionGroup var options: GlobalOptions
    @ParentCommand var parent: Trstctl

    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "Leave this target as it is, and forget what its files were before.", valueName: "target"))
    var abandon: [String] = []

    var global: GlobalOptions { options.merged(under: parent.global) }

    func run(_ host: Host, _ output: Output) async throws -> Int32 {
        let report = try await host.recover(abandoning: abandon)
        output.result(report) { RecoveryText.text(report) }
        return report.exitCode
    }
}
