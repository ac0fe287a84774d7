import TrstctlSystem

/// The names of programs that run whatever their arguments, files or input say, each in one list.
extension KnownPrograms {
    private static let shells: Set<String> = [
        "sh", "bash", "dash", "ash", "sash", "zsh", "ksh", "mksh", "fish", "csh", "tcsh", "posh", "yash", "elvish",
        "rbash", "lksh", "oksh", "loksh", "pdksh", "hush", "bash-static", "zsh-static", "mksh-static", "nu", "xonsh",
    ]
    /// Shells with a language of their own.
    private static let foreignShells: Set<String> = [
        "zsh", "zsh-static", "fish", "csh", "tcsh", "elvish", "nu", "xonsh",
    ]

    /// What runs the program whose name is one of its words.
    private static let wrappers: Set<String> = [
        "busybox", "toybox", "env", "sudo", "su", "sg", "runuser", "doas", "pkexec", "ksu", "setpriv", "capsh",
        "nsenter", "unshare", "chroot", "setarch", "firejail", "bwrap", "aa-exec", "runcon", "find", "fd", "xargs",
        "parallel", "nohup", "timeout", "nice", "ionice", "chrt", "taskset", "numactl", "prlimit", "cpulimit",
        "softlimit", "setsid", "stdbuf", "time", "watch", "flock", "setlock", "script", "strace", "ltrace", "perf",
        "valgrind", "rlwrap", "logsave", "multitime", "systemd-run", "start-stop-daemon", "daemonize", "ld.so",
        "formail", "ssh-agent", "systemd-inhibit", "systemd-cat", "systemd-socket-activate", "run0", "choom",
        "uclampset",
        "linux32", "linux64", "i386", "x86_64", "uname26", "dbus-run-session", "dbus-launch", "fakeroot", "fakechroot",
        "faketime", "eatmydata", "nocache", "chronic", "ifne", "unbuffer", "cgexec", "chpst", "setuidgid", "envuidgid",
        "envdir", "s6-setuidgid", "s6-envdir", "s6-softlimit", "gosu", "su-exec", "tini", "dumb-init", "catatonit",
        "torsocks", "torify", "tsocks", "proxychains", "distcc", "ccache", "proot", "schroot", "switch_root",
        "lxc-execute", "flatpak-spawn", "xvfb-run", "trace-cmd", "gpg-agent", "catchsegv", "pipexec", "execlineb",
    ]
    /// Of these what gives a whole word to a shell.
    private static let textReaders: Set<String> = ["watch", "sg", "parallel"]

    /// Of these what can give the program another root.
    private static let rooting: Set<String> = [
        "chroot", "nsenter", "unshare", "bwrap", "firejail", "systemd-run", "start-stop-daemon", "capsh", "proot",
        "schroot", "switch_root",
    ]

    /// Without a file to run, or an option that says what, they run what they read.
    private static let readers: Set<String> = [
        "python", "pypy", "ipython", "perl", "ruby", "irb", "node", "nodejs", "deno", "lua", "luajit", "php", "tclsh",
        "wish", "expect", "jshell", "scala", "groovy", "guile", "julia", "octave", "ghci", "gnuplot", "sbcl", "clisp",
        "scheme", "R", "m4", "dc", "gdb", "lldb", "debugfs", "lftp", "psql", "mysql", "mariadb", "crontab", "newusers",
        "pwsh",
    ]

    /// Editors, build tools, clients with an escape to the shell, and what takes a whole machine's changes from its input.
    private static let others: Set<String> = [
        "bun", "awk", "gawk", "mawk", "nawk", "sed", "ed", "red", "ex", "vi", "vim", "nvim", "rvim", "view", "vimdiff",
        "nano", "pico", "joe", "emacs", "java", "jjs", "mono", "dotnet", "make", "gmake", "cmake", "ninja", "rake",
        "Rscript", "go", "gcc", "cc", "entr", "screen", "tmux", "bpftrace", "ssh", "sshpass", "autossh", "mosh",
        "dbclient", "plink", "ftp", "telnet", "nc", "ncat", "netcat", "socat", "docker", "podman", "nerdctl", "ctr",
        "crictl", "lxc", "lxc-attach", "incus", "kubectl", "helm", "virsh", "machinectl", "systemd-nspawn", "at",
        "batch", "run-parts", "git", "hg", "svn", "sqlite3", "redis-cli", "mail", "mailx", "man", "less", "more",
        "ansible", "ansible-playbook", "puppet", "salt-call", "chef-client", "terraform", "patch", "cpio", "pax",
        "chpasswd", "vipw", "vigr", "visudo", "sftp-server", "newgrp", "login", "procmail", "uwsgi", "gunicorn",
        "monit",
        "pm2", "supervisord", "rview", "smbclient", "sqlplus", "mongo", "mongosh",
    ]

    /// All of them.
    static let interpreters = shells.union(wrappers).union(readers).union(others)
    /// What obeys its input without a file, also of what is no interpreter otherwise.
    static let obeyingWithoutFile = readers.union([
        "parallel", "iptables-restore", "ip6tables-restore", "iptables-legacy-restore", "iptables-nft-restore",
        "ip6tables-legacy-restore", "ip6tables-nft-restore", "ebtables-restore", "arptables-restore",
        "debconf-set-selections",
    ])

    /// True for what runs the program whose name is one of its words.
    static func wraps(_ program: AbsolutePath) -> Bool { isOne(program, of: wrappers) || isShell(program) }

    /// True for a shell.
    static func isShell(_ program: AbsolutePath) -> Bool { isOne(program, of: shells) }

    /// True for a shell whose language is not that of `sh`.
    static func isForeignShell(_ program: AbsolutePath) -> Bool { isOne(program, of: foreignShells) }

    /// True for what can give the program behind it another root.
    static func changesRoot(_ program: AbsolutePath) -> Bool { isOne(program, of: rooting) }

    /// True for what gives whole words to a shell.
    static func readsText(_ program: AbsolutePath) -> Bool { isOne(program, of: textReaders) }
}
