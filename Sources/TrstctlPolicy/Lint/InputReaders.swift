/// Whether what a command writes can be made of its input.
enum InputReaders {
    /// Whatever their words, unless one of these is their input.
    private static let never: Set<String> = [
        "echo", "printf", "true", "false", ":", "test", "[", "[[", "cd", "pushd", "popd", "pwd", "set", "umask",
        "ulimit", "wait", "exit", "return", "export", "unset", "shift", "sleep", "date", "hostname", "id", "whoami",
        "uname", "uptime", "kill", "pkill", "killall", "pidof", "pgrep", "ps", "systemctl", "service", "rc-service",
        "invoke-rc.d", "nginx", "apache2ctl", "apachectl", "httpd", "apache2", "haproxy", "postfix", "doveadm", "rndc",
        "ls", "stat", "rm", "mkdir", "rmdir", "touch", "chmod", "chown", "chgrp", "basename", "dirname", "readlink",
        "realpath", "seq", "getent", "sync", "curl", "wget", "df", "du", "nproc", "mktemp", "which", "type",
    ]
    /// Not when one of their words is a file.
    private static let withoutFile: Set<String> = [
        "cat", "tac", "head", "tail", "wc", "sha256sum", "md5sum", "cksum",
    ]

    /// True when the output can be made of the input, as far as is known.
    ///
    /// - Parameter words: the command's, its name first.
    /// - Returns: false only for what certainly does not.
    static func mayRead(_ words: [String]) -> Bool {
        guard let name = words.first.flatMap(nameOfKnown) else { return true }
        let arguments = words.dropFirst()
        let namesInput = arguments.contains { word in
            CommandInput.isNamed(by: Array(word.utf8)) || word.contains("@-")
                || (word.hasPrefix("-") && word.hasSuffix("-") && word != "--")
        }
        if namesInput { return true }
        if never.contains(name) { return false }
        return
            !(withoutFile.contains(name) && arguments.contains { !$0.hasPrefix("-") && $0.contains("/") })
    }

    // Elsewhere a program of this name can be another one.
    private static func nameOfKnown(_ word: String) -> String? {
        guard word.contains("/") else { return word }
        return ["/usr/bin/", "/usr/sbin/", "/bin/", "/sbin/"].first { word.hasPrefix($0) }
            .map { String(word.dropFirst($0.count)) }
    }
}
