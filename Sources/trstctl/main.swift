import ArgumentParser
import Glibc
import TrstctlHost

// Signals are taken by the main thread, so that an interrupted run still puts back what it changed and stops its
// connectors. Nothing else runs there.
Interruption.block()
StandardStreams.fill()

let words = Array(CommandLine.arguments.dropFirst())
let early = Output(isJSON: CommandWords.areForJSON(words), isVerbose: false)
if let error = CommandWords.refusal(words) {
    early.failure(UsageError(error), code: "usage")
    exit(ExitStatusCode.usage)
}

do {
    var parsed = try Trstctl.parseAsRoot()
    guard let command = parsed as? any HostCommand else {
        // The parser's own commands, `help` among them, know whose help is asked for. The bare command and the groups
        // have nothing to run, and throw a request for their own.
        try parsed.run()
        exit(ExitStatusCode.fine)
    }
    do {
        try Host.checkProcess()
    } catch {
        early.failure(error, code: "usage")
        exit(ExitStatusCode.usage)
    }
    let task = Task.detached { exit(await Trstctl.run(command)) }
    Interruption.wait { task.cancel() }
} catch {
    let isHelp = Trstctl.exitCode(for: error) == .success
    let text = Trstctl.fullMessage(for: error)
    guard isHelp else {
        early.failure(UsageError(CommandWords.shown(text, words: words)), code: "usage", hasHeading: true)
        exit(ExitStatusCode.usage)
    }
    early.print(text)
    exit(early.exitCode(ExitStatusCode.fine))
}
