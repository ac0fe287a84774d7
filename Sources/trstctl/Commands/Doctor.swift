import ArgumentParser
import TrstctlHost

struct Doctor: HostCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say what this kernel offers for confining connectors, and what the host does with it.",
        discussion: "Ends with 3 when connectors cannot be confined as `confinement: strict` demands.")

    @OptionGroup var options: GlobalOptions
    @ParentCommand var parent: Trstctl

    var global: GlobalOptions { options.merged(under: parent.global) }

    func run(_ host: Host, _ output: Output) async throws -> Int32 {
        let report = host.doctor()
        output.result(report) {
            var table = Table(["LAYER", "HERE", "FOUND", "SO"])
            for line in report.lines {
                table.add([line.name, line.isAvailable ? "yes" : "no", line.finding, line.consequence])
            }
            return table.text + "\n\n"
                + (report.allowsStrict
                    ? "connectors can be confined strictly here" : "connectors cannot be confined strictly here")
        }
        return report.allowsStrict ? ExitStatusCode.fine : ExitStatusCode.connectorRefused
    }
}
