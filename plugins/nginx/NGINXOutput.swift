/// What NGINX's messages mean.
///
/// A message is `nginx: [emerg] text` before the configuration's `error_log` is open, and
/// `2026/01/02 03:04:05 [emerg] 123#123: text` after it (ngx_log.c).
enum NGINXOutput {
    /// The text that matters, without its prefix: of the first line with `[emerg]`, `[alert]`, `[crit]` or `[error]`.
    static func complaint(in output: String) -> String? {
        for line in output.split(separator: "\n") {
            for level in ["[emerg] ", "[alert] ", "[crit] ", "[error] "] {
                guard let rest = text(after: level, in: line) else { continue }
                let prefix = rest.prefix { $0 == "#" || ("0"..."9").contains($0) }
                let body = prefix.contains("#") ? text(after: ": ", in: rest) ?? rest : rest
                return body.prefix(1024) + "."
            }
        }
        return nil
    }

    /// Whether a reload failed because there is no NGINX to reload: no pid file, an empty one, one of a process that is
    /// gone; or what systemctl(1) says about a unit that does not run.
    static func saysNotRunning(_ output: String) -> Bool {
        output.split(separator: "\n").contains { line in
            let signs = ["invalid PID number", "No such process", "is not active, cannot reload"]
            if signs.contains(where: { text(after: $0, in: line) != nil }) { return true }
            // A configuration that cannot be loaded is `[emerg]`; as an `[error]`, what is missing is the pid file.
            return text(after: "[error] ", in: line).flatMap { text(after: "open() \"", in: $0) }
                .flatMap { text(after: "failed (2:", in: $0) } != nil
        }
    }

    /// What follows the first occurrence of a mark.
    private static func text(after mark: String, in text: Substring) -> Substring? {
        var rest = text.utf8[...]
        while rest.count >= mark.utf8.count {
            if rest.starts(with: mark.utf8) {
                return text[rest.index(rest.startIndex, offsetBy: mark.utf8.count)...]
            }
            rest = rest.dropFirst()
        }
        return nil
    }
}
