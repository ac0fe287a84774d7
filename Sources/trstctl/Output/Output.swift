import FoundationEssentials
import Glibc
import TrstctlHost

/// What the command prints: results on stdout, as text or as JSON; everything else on stderr.
struct Output: Sendable {
    let isJSON: Bool
    let isVerbose: Bool

    /// Prints a result.
    func result(_ value: some Encodable, text: () -> String) {
        guard isJSON else {
            let text = text()
            if !text.isEmpty { print(text) }
            return
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(value) else { return Output.error("the result cannot be written as JSON") }
        print(String(decoding: data, as: UTF8.self))
    }

    /// Prints an error that ends the command; with `--json` also as an object on stdout.
    func failure(_ error: any Error, code: String) {
        Output.error("error: \(error)")
        guard isJSON else { return }
        result(["code": code, "reason": ReasonCode(error).description, "error": "\(error)"]) { "" }
    }

    /// Prints a line that a connector printed or logged.
    func connectorLine(_ connector: String, _ source: String, _ line: String) {
        let isQuiet = source == "progress" || (source == "log" && (line.hasPrefix("debug:") || line.hasPrefix("info:")))
        guard isVerbose || !isQuiet else { return }
        Output.error("[\(connector)] \(source == "log" || source == "progress" ? "" : source + ": ")\(line)")
    }

    /// Prints a line on stderr.
    static func error(_ text: String) {
        let bytes = Array((text + "\n").utf8)
        _ = write(2, bytes, bytes.count)
    }
}
