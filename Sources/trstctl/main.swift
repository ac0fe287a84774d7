import ArgumentParser
import Glibc
import TrstctlHost

// Signals are taken by the main thread, so that an interrupted run still puts back what it changed and stops its
// connectors. Nothing else runs there.
Interruption.block()
StandardStreams.fill()

do {
    let command = try Trstctl.parseAsRoot()
    guard let command = command as? any HostCommand else {
        // The bare command and the group commands have nothing to run: show what there is.
        throw CleanExit.helpRequest(command)
    }
    do {
        try Host.checkProcess()
    } catch {
        Output.error("error: \(error)")
        exit(ExitStatusCode.usage)
    }
    let task = Task.detached { exit(await Trstctl.run(command)) }
    Interruption.wait { task.cancel() }
} catch {
    let isHelp = Trstctl.exitCode(for: error) == .success
    let text = Trstctl.fullMessage(for: error)
    guard isHelp else {
        Output.error(text)
        exit(ExitStatusCode.usage)
    }
    let output = Output(isJSON: false, isVerbose: false)
    output.print(text)
    exit(output.exitCode(ExitStatusCode.fine))
}
