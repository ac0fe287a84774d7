import FoundationEssentials
import Glibc
import Synchronization
import TrstctlHost
import TrstctlSystem

/// What the command prints: results on stdout, as text or as JSON; everything else on stderr.
final class Output: Sendable {
    let isJSON: Bool
    let isVerbose: Bool
    private let isLost = Mutex(false)

    init(isJSON: Bool, isVerbose: Bool) {
        self.isJSON = isJSON
        self.isVerbose = isVerbose
    }

    /// Prints a result.
    ///
    /// One that cannot be printed whole (a full disk, a reader that went away) is reported, and `exitCode` tells.
    func result(_ value: some Encodable, text: () -> String) {
        guard isJSON else {
            let text = text()
            return text.isEmpty ? () : print(text)
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(value) else { return lose("it cannot be written as JSON") }
        print(String(decoding: data, as: UTF8.self))
    }

    /// Prints text on stdout, with a line feed.
    func print(_ text: String) {
        do throws(SystemError) {
            try Output.write(text + "\n", to: 1)
        } catch {
            lose(error.reason)
        }
    }

    private func lose(_ why: String) {
        isLost.withLock { $0 = true }
        Output.error("error: the result was not printed to its end: \(why)")
    }

    /// The exit code of a run: a result that nobody got is no success.
    ///
    /// - Parameter code: what the run ended with; a failure stays that failure.
    /// - Returns: the exit code.
    func exitCode(_ code: Int32) -> Int32 {
        guard isLost.withLock(\.self), [ExitStatusCode.fine, ExitStatusCode.differences].contains(code) else {
            return code
        }
        return ExitStatusCode.notPrinted
    }

    /// Prints an error that ends the command; with `--json` also as an object on stdout.
    ///
    /// - Parameters:
    ///   - error: what happened.
    ///   - code: which kind of end it is.
    ///   - hasHeading: whether the text says by itself that it is an error, as the parser's does.
    func failure(_ error: any Error, code: String, hasHeading: Bool = false) {
        Output.error(hasHeading ? "\(error)" : "error: \(error)")
        guard isJSON else { return }
        result(["code": code, "reason": ReasonCode(error).description, "error": "\(error)"]) { "" }
    }

    /// Prints a line that a connector printed or logged.
    func connectorLine(_ connector: String, _ source: String, _ line: String) {
        Output.error("[\(connector)] \(source == "log" || source == "progress" ? "" : source + ": ")\(line)")
    }

    /// Prints a line on stderr.
    static func error(_ text: String) {
        try? write(text + "\n", to: 2)
    }

    private static func write(_ text: String, to descriptor: Int32) throws(SystemError) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            do throws(SystemError) {
                let count = try retryingInterrupts("write") {
                    rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
                }
                rest = rest.dropFirst(count)
            } catch {
                // Whoever gave us the descriptor may have made it non-blocking, for themselves too.
                guard error.errno == EAGAIN else { throw error }
                var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&waiting, 1, -1)
            }
        }
    }
}
