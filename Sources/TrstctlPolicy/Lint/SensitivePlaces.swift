import TrstctlSystem

/// Places of a Linux system where a file decides what runs, or holds a secret.
///
/// The list cannot be complete; it names what file-hierarchy(7), systemd.unit(5), crontab(5), sudoers(5), ld.so(8),
/// pam.conf(5), sshd(8), logrotate(8) and udev(7) read.
struct SensitivePlaces {
    let code: LintCode
    /// What a connector could do that writes there (or reads there).
    let sentence: String
    let rules: [PathGrant]

    private init(_ code: LintCode, _ sentence: String, _ paths: [String]) {
        self.code = code
        self.sentence = sentence
        rules = paths.compactMap { try? PathGrant($0) }
    }

    /// Where writing amounts to full control.
    static let written: [SensitivePlaces] = [
        SensitivePlaces(
            .writesCron, "a file there is a job that runs as root",
            [
                "/etc/cron.d/", "/etc/cron.hourly/", "/etc/cron.daily/", "/etc/cron.weekly/", "/etc/cron.monthly/",
                "/etc/crontab", "/etc/anacrontab", "/var/spool/cron/", "/var/spool/at/",
            ]),
        SensitivePlaces(
            .writesSystemd, "a unit or generator there says what runs as root",
            [
                "/etc/systemd/", "/run/systemd/", "/usr/lib/systemd/", "/usr/local/lib/systemd/",
                "/etc/init.d/", "/etc/rc.local", "/etc/tmpfiles.d/", "/usr/lib/tmpfiles.d/", "/etc/binfmt.d/",
                "/etc/default/", "/etc/sysconfig/",
            ]),
        SensitivePlaces(
            .writesSudoers, "a rule there makes any user root",
            ["/etc/sudoers", "/etc/sudoers.d/", "/etc/doas.conf", "/etc/polkit-1/", "/usr/share/polkit-1/"]),
        SensitivePlaces(
            .writesLoader, "a library named there is loaded into every program",
            [
                "/etc/ld.so.preload", "/etc/ld.so.conf", "/etc/ld.so.conf.d/", "/etc/ld.so.cache", "/usr/lib/",
                "/usr/lib64/", "/usr/local/lib/", "/etc/ssl/openssl.cnf", "/etc/nsswitch.conf", "/etc/alternatives/",
            ]),
        SensitivePlaces(
            .writesKernel, "the kernel's own files control the whole machine",
            ["/proc/", "/sys/", "/dev/", "/boot/", "/etc/modules-load.d/", "/etc/modprobe.d/", "/etc/sysctl.d/"]),
        SensitivePlaces(
            .writesPAM, "a line there decides who may log in, and runs programs when someone does",
            ["/etc/pam.d/", "/etc/pam.conf", "/etc/security/"]),
        SensitivePlaces(
            .writesAccounts, "these files are the accounts and their passwords",
            ["/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/subuid", "/etc/subgid"]),
        SensitivePlaces(
            .writesLogin, "a file there runs commands, or opens the door, when someone logs in",
            [
                "/etc/ssh/", "/root/", "/home/", "/etc/profile", "/etc/profile.d/", "/etc/bash.bashrc",
                "/etc/environment", "/etc/zsh/", "/etc/skel/",
            ]),
        SensitivePlaces(
            .writesHook, "a file there is run by the system's own services, as root",
            [
                "/etc/udev/", "/usr/lib/udev/", "/etc/logrotate.d/", "/etc/logrotate.conf", "/etc/apt/", "/etc/dpkg/",
                "/etc/yum/", "/etc/dnf/", "/etc/network/", "/etc/NetworkManager/", "/etc/dhcp/", "/etc/ppp/",
                "/etc/acpi/", "/etc/update-motd.d/", "/etc/kernel/", "/etc/initramfs-tools/",
                "/etc/letsencrypt/renewal-hooks/", "/etc/letsencrypt/renewal/",
            ]),
        SensitivePlaces(
            .writesProgram, "the programs of this machine are there",
            ["/usr/bin/", "/usr/sbin/", "/usr/local/bin/", "/usr/local/sbin/", "/usr/libexec/", "/opt/", "/snap/"]),
    ]

    /// Where reading gives away more than a connector needs.
    static let read: [SensitivePlaces] = [
        SensitivePlaces(
            .readsSecret, "passwords, keys and the memory of other processes can be read there",
            [
                "/etc/shadow", "/etc/gshadow", "/etc/ssh/", "/root/", "/home/", "/proc/", "/dev/", "/etc/sudoers",
                "/etc/sudoers.d/", "/var/lib/trstctl/",
            ])
    ]

    /// Sockets whose other end obeys like root.
    static let sockets: [AbsolutePath] = [
        "/run/docker.sock", "/run/containerd/containerd.sock", "/run/crio/crio.sock", "/run/podman/podman.sock",
        "/run/systemd/private", "/run/dbus/system_bus_socket", "/run/snapd.socket", "/run/libvirt/libvirt-sock",
        "/var/lib/lxd/unix.socket", "/var/lib/incus/unix.socket",
    ].compactMap { try? AbsolutePath($0) }
}

/// Programs whose arguments, or whose configuration, say what they do.
enum KnownPrograms {
    private static let interpreters: Set<String> = [
        "sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish", "csh", "tcsh", "busybox", "toybox", "python",
        "pypy", "perl", "ruby", "node", "nodejs", "deno", "bun", "lua", "luajit", "php", "tclsh", "wish", "expect",
        "awk",
        "gawk", "mawk", "nawk", "sed", "ed", "ex", "vi", "vim", "emacs", "java", "mono", "guile", "gdb", "make", "m4",
        "env", "sudo", "su", "doas", "pkexec", "runuser", "setpriv", "capsh", "nsenter", "unshare", "chroot", "find",
        "xargs", "parallel", "nohup", "timeout", "nice", "ionice", "chrt", "taskset", "setsid", "stdbuf", "time",
        "watch", "flock", "script", "screen", "tmux", "strace", "ltrace", "ssh", "socat", "docker", "podman",
        "nerdctl", "kubectl", "crontab", "at", "batch", "systemd-run", "run-parts", "start-stop-daemon", "ld.so", "git",
    ]

    private static let configuration: [(names: [String], paths: [String])] = [
        (
            ["nginx", "openresty", "angie", "freenginx"],
            [
                "/etc/nginx/nginx.conf", "/etc/nginx/conf.d/", "/etc/nginx/sites-enabled/",
                "/etc/nginx/sites-available/", "/etc/nginx/modules-enabled/", "/etc/nginx/modules-available/",
                "/etc/nginx/modules/", "/etc/angie/angie.conf", "/usr/local/nginx/conf/nginx.conf",
                "/usr/local/openresty/nginx/conf/nginx.conf",
            ]
        ),
        (
            ["apache2", "apache2ctl", "apachectl", "httpd"],
            [
                "/etc/apache2/apache2.conf", "/etc/apache2/envvars", "/etc/apache2/conf-enabled/",
                "/etc/apache2/conf-available/", "/etc/apache2/mods-enabled/", "/etc/apache2/mods-available/",
                "/etc/apache2/sites-enabled/", "/etc/apache2/sites-available/", "/etc/httpd/conf/",
                "/etc/httpd/conf.d/", "/etc/httpd/conf.modules.d/", "/etc/httpd/modules/",
            ]
        ),
        (["haproxy"], ["/etc/haproxy/haproxy.cfg", "/etc/haproxy/conf.d/", "/etc/haproxy/scripts/"]),
        (["postfix"], ["/etc/postfix/main.cf", "/etc/postfix/master.cf"]),
        (["dovecot", "doveadm"], ["/etc/dovecot/dovecot.conf", "/etc/dovecot/conf.d/"]),
        (["exim", "exim4"], ["/etc/exim4/", "/etc/exim/"]),
        (["caddy"], ["/etc/caddy/Caddyfile"]),
        (["traefik"], ["/etc/traefik/traefik.yml", "/etc/traefik/traefik.toml"]),
        (["stunnel", "stunnel4"], ["/etc/stunnel/stunnel.conf", "/etc/stunnel/conf.d/"]),
        (["sshd"], ["/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d/"]),
        (["systemctl"], ["/etc/systemd/", "/run/systemd/", "/usr/lib/systemd/", "/usr/local/lib/systemd/"]),
        (["service", "invoke-rc.d", "rc-service"], ["/etc/init.d/", "/etc/default/"]),
        (["logrotate"], ["/etc/logrotate.conf", "/etc/logrotate.d/"]),
    ]

    private static let managers: Set<String> = ["systemctl", "service", "invoke-rc.d", "rc-service"]
    private static let killers: Set<String> = ["kill", "pkill", "killall", "skill", "renice"]
    /// Verbs that change what services are, systemctl(1).
    private static let verbs: Set<String> = [
        "link", "edit", "enable", "reenable", "preset", "add-wants", "add-requires", "set-property", "set-environment",
        "import-environment", "bind", "mount-image", "switch-root", "soft-reboot", "kexec",
    ]

    /// The program's name without a version at its end: `python3.11` is `python`.
    private static func name(_ program: AbsolutePath) -> String {
        let bytes = program.leaf?.array ?? []
        if bytes.starts(with: Array("ld-linux".utf8)) || bytes.starts(with: Array("ld-musl".utf8)) { return "ld.so" }
        let end = bytes.lastIndex { !isDigit($0) && $0 != dot && $0 != UInt8(ascii: "-") }
        return String(decoding: bytes.prefix((end ?? -1) + 1), as: UTF8.self)
    }

    /// True for what runs whatever its arguments or its input say.
    static func isInterpreter(_ program: AbsolutePath) -> Bool {
        let whole = String(decoding: program.leaf?.array ?? [], as: UTF8.self)
        return interpreters.contains(whole) || interpreters.contains(name(program))
    }

    /// What a hole in the command's arguments would choose, when that is more than a name or a number of its own; nil
    /// when it is not.
    static func choice(by grant: ExecGrant) -> String? {
        let holes = grant.arguments.flatMap(\.holes).filter { $0 != .fingerprint }
        let words = holes.contains { hole in
            if case .word = hole { true } else { false }
        }
        let program = name(grant.program)
        if words, isInterpreter(grant.program) { return "what it runs" }
        if words, managers.contains(program) { return "which service is meant, or what becomes of it" }
        if !holes.isEmpty, killers.contains(program) { return "which process gets a signal" }
        return nil
    }

    /// True for systemctl with a verb that changes what services are.
    static func controlsServices(_ grant: ExecGrant) -> Bool {
        guard name(grant.program) == "systemctl" else { return false }
        return grant.arguments.contains { argument in
            verbs.contains { argument.matches(Bytes($0)) }
        }
    }

    /// The configuration of what the command runs, or of the service that it restarts; empty when none is known.
    static func configuration(of grant: ExecGrant) -> [PathGrant] {
        let program = name(grant.program)
        var names = [program, String(decoding: grant.program.leaf?.array ?? [], as: UTF8.self)]
        if managers.contains(program) {
            names += grant.arguments.compactMap { $0.literal?.text }.map { service in
                service.hasSuffix(".service") ? String(service.dropLast(8)) : service
            }
        }
        return configuration.filter { entry in entry.names.contains { names.contains($0) } }
            .flatMap { $0.paths.compactMap { try? PathGrant($0) } }
    }
}
