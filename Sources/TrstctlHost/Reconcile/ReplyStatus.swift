import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

/// A reply's status as text for people: bounded and escaped, because a connector wrote it.
struct ReplyStatus {
    let code: Wire.Status.Code
    private let status: Wire.Status

    init(_ reply: Wire.Reply) {
        status = reply.status ?? Wire.Status(code: .unknown)
        code = status.code
    }

    /// One line.
    var summary: String {
        let message = readable(status.message.utf8)
        return message.isEmpty ? "\(code)" : message
    }

    /// Evidence and the next step.
    var detail: String {
        var lines = status.detail.utf8.prefix(16_384).split(
            separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false
        )
        .map { readable($0) }
        while lines.last == "" { lines.removeLast() }
        if !status.fix.isEmpty {
            lines += status.fix.utf8.prefix(4096).split(separator: UInt8(ascii: "\n"))
                .map { readable($0) }
        }
        return lines.joined(separator: "\n")
    }

    /// Both.
    var text: String {
        let detail = detail
        return detail.isEmpty ? summary : "\(summary)\n\(detail)"
    }
}
