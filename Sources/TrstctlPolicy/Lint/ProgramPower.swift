import TrstctlSystem

/// What a program can be made to do by its arguments, apart from what its name says.
///
/// After GTFOBins (https://gtfobins.github.io), which collects what programs of Linux can be misused for, and their own
/// manual pages.
struct ProgramPower {
    /// Whatever it is given, arguments, files or input, it does: a command that allows it is a warning.
    var isInterpreter = false
    /// A word of the connector's own, where it is not part of a path, chooses what it does.
    var isVersatile = false
    /// Even a number does.
    var obeysNumbers = false
    /// It runs or loads every file that it is given.
    var runsFiles = false
    /// And what is in directories that it is given.
    var runsDirectories = false
    /// Options behind which stands what it runs, loads, or takes commands from.
    var options: Set<String> = []
    /// It writes what it reads from one file, or from its input, to another.
    var copies = false

    /// True for an option of `options`, alone or with its value.
    func isRunningOption(_ argument: ArgumentPattern) -> Bool {
        guard !options.isEmpty else { return false }
        let text = argument.literal?.array ?? argument.literalPrefix
        let name = String(decoding: text.prefix { $0 != UInt8(ascii: "=") }, as: UTF8.self)
        if options.contains(name) { return true }
        // -I/srv/x: a short option with its value behind it, and -qK: others before it.
        guard let short = ShortOptions(name) else { return false }
        return short.leading.contains { options.contains("-\($0)") }
    }
}

extension KnownPrograms {
    // What the interpreters have in directories.
    private static let directoryRunners: Set<String> = [
        "run-parts", "python", "pypy", "node", "nodejs", "make", "gmake", "cmake", "ninja", "git", "puppet",
        "terraform",
    ]

    // They write what the program behind them does into a file.
    private static let copyingWrappers: Set<String> = ["script", "logsave"]

    // Of the interpreters those that only read or send the files that they are given, but for these options.
    private static let clients: [String: Set<String>] = {
        let queries: Set<String> = ["-c", "--command", "-e", "--execute", "-f", "--file"]
        let containers: Set<String> = ["-f", "--file", "-c", "--compose-file", "--config", "--kubeconfig"]
        let remotes: Set<String> = ["-F", "-o", "-I", "-S"]
        return [
            "psql": queries,
            "mysql": queries.union(["--init-command", "--defaults-file", "--defaults-extra-file", "--plugin-dir"]),
            "mariadb": queries.union(["--init-command", "--defaults-file", "--defaults-extra-file", "--plugin-dir"]),
            "sqlite3": ["-init", "-cmd"],
            "redis-cli": ["--eval", "LOAD", "load", "LOADEX", "loadex", "dir", "dbfilename"],
            "kubectl": containers.union(["--filename", "-k", "--kustomize"]), "docker": containers,
            "podman": containers, "nerdctl": containers, "ctr": containers, "crictl": containers,
            "ssh": remotes, "autossh": remotes, "mosh": remotes, "dbclient": [], "plink": ["-m"], "telnet": [],
            "nc": ["-e", "-c"],
            "netcat": ["-e", "-c"],
            "ncat": ["-e", "-c", "--exec", "--sh-exec", "--lua-exec"], "mail": [], "mailx": [], "less": [], "more": [],
            "man": ["-C", "-P", "--pager"], "ftp": [], "smbclient": ["-A", "-s", "--configfile"],
        ]
    }()

    private static let tables: [(names: Set<String>, power: ProgramPower)] = [
        (
            ["openssl"],
            ProgramPower(
                isVersatile: true,
                options: ["-engine", "-provider", "-provider-path", "-provider_path", "-config", "-keyform"],
                copies: true)
        ),
        (
            ["tar", "gtar", "bsdtar"],
            ProgramPower(
                isVersatile: true,
                options: [
                    "-I", "--use-compress-program", "--to-command", "--checkpoint-action", "-F", "--info-script",
                    "--new-volume-script", "--rsh-command", "--rmt-command", "-T", "--files-from",
                ])
        ),
        (
            ["zip", "unzip", "7z", "7za", "7zz", "ar"],
            ProgramPower(
                isVersatile: true, options: ["-TT", "--unzip-command"])
        ),
        (
            ["rsync"],
            ProgramPower(isVersatile: true, options: ["-e", "--rsh", "--rsync-path", "--config"], copies: true)
        ),
        (["scp", "sftp"], ProgramPower(isVersatile: true, options: ["-S", "-F", "-o", "-b", "-D"], copies: true)),
        (["ssh-keygen", "ssh-add", "ssh-agent"], ProgramPower(isVersatile: true, options: ["-D", "-w", "-P", "-s"])),
        (["curl"], ProgramPower(isVersatile: true, options: ["-K", "--config", "--engine"], copies: true)),
        (
            ["wget"],
            ProgramPower(
                isVersatile: true,
                options: ["--use-askpass", "-e", "--execute", "--config", "-i", "--input-file"])
        ),
        (
            ["aria2c", "yt-dlp"],
            ProgramPower(
                isVersatile: true,
                options: ["--exec", "--conf-path", "--config-location", "--on-download-complete", "-i", "--input-file"])
        ),
        (
            ["certbot", "letsencrypt", "lego", "acme.sh", "step", "dehydrated"],
            ProgramPower(
                isVersatile: true,
                options: [
                    "-c", "--config", "--config-dir", "--pre-hook", "--post-hook", "--deploy-hook", "--renew-hook",
                    "--manual-auth-hook", "--manual-cleanup-hook", "--run-hook", "--reloadcmd", "--reloadCmd", "--exec",
                    "-k",
                    "--hook",
                ])
        ),
        (
            [
                "cp", "mv", "ln", "install", "dd", "tee", "sponge", "ginstall", "objcopy", "shred", "split", "csplit",
                "iconv", "sort", "shuf", "uniq", "xxd", "base64", "base32", "uuencode", "uudecode", "pv", "buffer",
                "mbuffer",
            ],
            ProgramPower(isVersatile: true, copies: true)
        ),
        (
            [
                "gpg", "gpg2", "gzip", "gunzip", "bzip2", "bunzip2", "xz", "unxz", "unlzma", "lzma", "zstd", "unzstd",
                "lz4", "unlz4", "lzip", "lzop", "brotli", "uncompress", "age",
            ],
            ProgramPower(copies: true)
        ),
        (["rm", "rmdir", "unlink", "truncate", "touch", "mkdir", "mkfifo"], ProgramPower(isVersatile: true)),
        (
            [
                "chmod", "chown", "chgrp", "chattr", "mknod", "usermod", "useradd", "passwd",
                "chage",
                "gpasswd", "groupadd", "adduser", "addgroup", "chcon", "semanage", "setsebool",
            ],
            ProgramPower(isVersatile: true, obeysNumbers: true)
        ),
        (
            [
                "dpkg", "rpm", "apt", "apt-get", "aptitude", "dnf", "yum", "zypper", "pacman", "apk", "opkg", "snap",
                "flatpak", "pip", "pipx", "uv", "npm", "npx", "yarn", "pnpm", "gem", "bundle", "cpan", "composer",
                "cargo",
                "insmod", "kexec", "iptables-restore", "nft", "logrotate", "fail2ban-client", "dnsmasq", "dhclient",
                "openvpn",
                "wg-quick", "rsyslogd", "sysctl", "mount", "ldconfig", "debconf-set-selections", "systemd-tmpfiles",
                "systemd-sysusers", "pppd", "ip6tables-restore", "iptables-legacy-restore", "iptables-nft-restore",
                "ip6tables-legacy-restore", "ip6tables-nft-restore", "ebtables-restore", "arptables-restore", "ipset",
                "apt-key", "bpftool", "augtool", "dmsetup", "semodule", "semanage", "auditctl", "trust",
            ],
            ProgramPower(isVersatile: true, runsFiles: true)
        ),
        // Without files in its words it reads what to do, and with which.
        (["setcap"], ProgramPower(isVersatile: true, obeysNumbers: true, options: ["-", "-f"])),
        (
            ["setfacl"],
            ProgramPower(
                isVersatile: true, obeysNumbers: true,
                options: ["--restore", "-M", "--modify-file", "-X", "--remove-file", "--set-file"])
        ),
        (["ip", "tc", "bridge"], ProgramPower(isVersatile: true, options: ["-b", "-batch", "-B"])),
        (
            ["modprobe"],
            ProgramPower(
                isVersatile: true, options: ["-C", "--config", "-d", "--dirname", "-S"])
        ),
        (
            [
                "update-alternatives", "busctl", "dbus-send", "gdbus", "loginctl", "hostnamectl", "portablectl",
                "umount", "losetup", "cryptsetup", "iptables", "ufw", "firewall-cmd", "reboot", "shutdown",
                "init", "telinit",
            ],
            ProgramPower(isVersatile: true)
        ),
        (["tcpdump", "wireshark", "tshark", "nmap"], ProgramPower(isVersatile: true, options: ["-z", "--script"])),
    ]

    private static let byName: [String: ProgramPower] = {
        var powers: [String: ProgramPower] = [:]
        for row in tables {
            for name in row.names { powers[name] = row.power }
        }
        for name in interpreters {
            powers[name] = ProgramPower(
                isInterpreter: true, isVersatile: true, runsFiles: clients[name] == nil,
                runsDirectories: directoryRunners.contains(name), options: clients[name] ?? [],
                copies: copyingWrappers.contains(name))
        }
        return powers
    }()

    /// True for a program that can be made to do more than its name says.
    static func hasPower(_ program: AbsolutePath) -> Bool { names(program).contains { byName[$0] != nil } }

    /// What is known of it, by its name with or without a version; nothing when it is not known.
    static func power(of program: AbsolutePath) -> ProgramPower {
        names(program).lazy.compactMap { byName[$0] }.first ?? ProgramPower()
    }
}
