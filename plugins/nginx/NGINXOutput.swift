/// What NGINX's messages mean.
enum NGINXOutput {
    /// The line that matters, without its prefix: of the first line with `[emerg]`, `[crit]` or `[error]`.
    static func complaint(in output: String) -> String? {
        for line in output.split(separator: "\n") {
            for level in ["[emerg] ", "[alert] ", "[crit] ", "[error] "] {
                if let text = text(after: level, in: line) { return text.prefix(1024) + "." }
            }
        }
        return nil
    }

    /// Whether a reload failed because there is no NGINX to reload: no pid file, an empty one, one of a process that is
    /// gone; or what systemctl(1) says about a unit that does not run.
    static func saysNotRunning(_ output: String) -> Bool {
        let signs = ["invalid PID number", "No such process", "is not active, cannot reload"]
        if signs.contains(where: { text(after: $0, in: output[...]) != nil }) { return true }
        // A configuration that cannot be loaded is `[emerg]`; as an `[error]`, the file that is missing is the pid file.
        guard let rest = text(after: "[error] open() \"", in: output[...]) else { return false }
        return text(after: "failed (2:", in: rest) != nil
    }

    /// What follows the first occurrence of a text on its line or lines.
    private static func text(after mark: String, in text: Substring) -> Substring? {
        var rest = text.utf8[...]
        let mark = mark.utf8
        while rest.count >= mark.count {
            if rest.starts(with: mark) { return text[rest.index(rest.startIndex, offsetBy: mark.count)...] }
            rest = rest.dropFirst()
        }
        return nil
    }
}
