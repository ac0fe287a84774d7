import TrstctlSystem

/// Places of a Linux system where a file decides what runs, or holds a secret.
///
/// The list cannot be complete; it names what file-hierarchy(7), systemd.unit(5), crontab(5), sudoers(5), ld.so(8),
/// pam.conf(5), sshd(8), logrotate(8), udev(7), systemd.exec(5) (credentials) and update-ca-certificates(8) read.
struct SensitivePlaces: Sendable {
    let code: LintCode
    /// What a connector could do that writes there (or reads there).
    let sentence: String
    private let rules: [PathGrant]

    private init(_ code: LintCode, _ sentence: String, _ paths: [String]) {
        self.code = code
        self.sentence = sentence
        rules = paths.compactMap { try? PathGrant($0).withoutKnownLinks }
    }

    /// What can be found by a rule.
    typealias Index = PathIndex<(rule: PathGrant, place: SensitivePlaces)>

    /// Where writing amounts to full control.
    static let written = index(of: writtenPlaces)
    /// Where reading gives away more than a connector needs.
    static let read = index(of: readPlaces)

    private static func index(of places: [SensitivePlaces]) -> Index {
        Index(places.flatMap { place in place.rules.map { (rule: $0, place: place) } }) { $0.rule }
    }

    private static let writtenPlaces: [SensitivePlaces] = [
        SensitivePlaces(
            .writesCron, "a file there is a job that runs as root",
            [
                "/etc/cron.d/", "/etc/cron.hourly/", "/etc/cron.daily/", "/etc/cron.weekly/", "/etc/cron.monthly/",
                "/etc/cron.yearly/", "/etc/crontab", "/etc/anacrontab", "/etc/incron.d/", "/etc/periodic/",
                "/etc/cron.allow", "/etc/at.allow", "/var/spool/cron/", "/var/spool/at/", "/var/spool/incron/",
                "/var/spool/anacron/",
            ]),
        SensitivePlaces(
            .writesSystemd, "a unit or generator there says what runs as root",
            [
                "/etc/systemd/", "/run/systemd/", "/usr/lib/systemd/", "/usr/local/lib/systemd/",
                "/usr/share/systemd/", "/etc/init.d/", "/etc/rc.d/", "/etc/rc.local", "/etc/inittab", "/etc/init/",
                "/etc/runit/", "/etc/sv/", "/etc/service/", "/etc/s6/", "/etc/openrc/", "/etc/conf.d/",
                "/etc/supervisor/", "/etc/supervisord.conf", "/etc/monit/", "/etc/xinetd.d/", "/etc/inetd.conf",
                "/etc/tmpfiles.d/", "/usr/lib/tmpfiles.d/", "/run/tmpfiles.d/", "/etc/binfmt.d/", "/run/binfmt.d/",
                "/usr/lib/binfmt.d/", "/etc/sysusers.d/", "/etc/dbus-1/", "/usr/share/dbus-1/", "/etc/default/",
                "/etc/sysconfig/", "/etc/environment.d/", "/etc/fstab", "/etc/crypttab",
            ]),
        SensitivePlaces(
            .writesSudoers, "a rule there makes any user root",
            [
                "/etc/sudoers", "/etc/sudoers.d/", "/etc/sudo.conf", "/etc/sudo_logsrvd.conf", "/etc/doas.conf",
                "/etc/doas.d/", "/etc/polkit-1/", "/usr/share/polkit-1/", "/run/polkit-1/", "/run/sudo/",
                "/var/lib/polkit-1/",
            ]),
        SensitivePlaces(
            .writesLoader, "a library or module named there is loaded into programs that run as root",
            [
                "/etc/ld.so.preload", "/etc/ld.so.conf", "/etc/ld.so.conf.d/", "/etc/ld.so.cache", "/usr/lib/",
                "/usr/lib32/", "/usr/lib64/", "/usr/libx32/", "/usr/local/lib/", "/usr/local/lib64/",
                "/etc/ssl/openssl.cnf", "/etc/pki/tls/openssl.cnf", "/etc/pki/tls/openssl.d/", "/etc/nsswitch.conf",
                "/etc/alternatives/", "/usr/share/p11-kit/modules/", "/etc/pkcs11/", "/etc/gss/", "/etc/python3/",
                "/etc/perl/", "/usr/share/perl/", "/usr/share/perl5/", "/usr/local/share/perl/", "/etc/php/",
                "/etc/java/", "/etc/gitconfig", "/etc/vim/", "/etc/emacs/",
            ]),
        SensitivePlaces(
            .writesKernel, "the kernel's own files control the whole machine",
            [
                "/proc/", "/sys/", "/dev/", "/boot/", "/efi/", "/etc/modules", "/etc/modules-load.d/",
                "/run/modules-load.d/", "/etc/modprobe.d/", "/run/modprobe.d/", "/usr/lib/modprobe.d/",
                "/etc/depmod.d/", "/etc/sysctl.conf", "/etc/sysctl.d/", "/run/sysctl.d/", "/etc/default/grub",
                "/etc/grub.d/", "/etc/dracut.conf", "/etc/dracut.conf.d/", "/etc/mkinitcpio.conf", "/etc/selinux/",
                "/etc/apparmor/", "/etc/apparmor.d/",
            ]),
        SensitivePlaces(
            .writesPAM, "a line there decides who may log in, and runs programs when someone does",
            ["/etc/pam.d/", "/etc/pam.conf", "/etc/security/", "/usr/share/pam/", "/usr/share/pam-configs/"]),
        SensitivePlaces(
            .writesAccounts, "these files are the accounts and their passwords",
            [
                "/etc/passwd", "/etc/passwd-", "/etc/shadow", "/etc/shadow-", "/etc/group", "/etc/group-",
                "/etc/gshadow", "/etc/gshadow-", "/etc/subuid", "/etc/subgid", "/etc/login.defs", "/etc/shells",
                "/etc/userdb/", "/run/userdb/", "/etc/krb5.keytab", "/etc/sssd/", "/etc/nslcd.conf",
            ]),
        SensitivePlaces(
            .writesLogin, "a file there runs commands, or opens the door, when someone logs in",
            [
                "/etc/ssh/", "/root/", "/home/", "/etc/profile", "/etc/profile.d/", "/etc/bash.bashrc", "/etc/bashrc",
                "/etc/bash_completion.d/", "/etc/environment", "/etc/zsh/", "/etc/zshenv", "/etc/zshrc",
                "/etc/zprofile", "/etc/csh.cshrc", "/etc/csh.login", "/etc/fish/", "/etc/skel/", "/etc/inputrc",
                "/etc/screenrc", "/etc/tmux.conf", "/etc/xdg/", "/etc/X11/", "/var/lib/systemd/linger/",
                "/etc/hosts.allow",
            ]),
        SensitivePlaces(
            .writesHook, "a file there is run, or says what is run, by the system's own services, as root",
            [
                "/etc/udev/", "/run/udev/", "/usr/lib/udev/", "/etc/logrotate.d/", "/etc/logrotate.conf", "/etc/apt/",
                "/etc/dpkg/", "/var/lib/dpkg/", "/etc/yum/", "/etc/yum.conf", "/etc/yum.repos.d/", "/etc/dnf/",
                "/etc/rpm/", "/var/lib/rpm/", "/etc/zypp/", "/etc/pacman.conf", "/etc/pacman.d/",
                "/usr/share/libalpm/", "/etc/apk/", "/etc/needrestart/", "/etc/network/", "/etc/netplan/",
                "/etc/NetworkManager/", "/run/NetworkManager/", "/etc/networkd-dispatcher/", "/etc/wpa_supplicant/",
                "/etc/dhcp/", "/etc/dhcpcd.conf", "/etc/resolvconf/", "/etc/ppp/", "/etc/wireguard/", "/etc/openvpn/",
                "/etc/acpi/", "/etc/update-motd.d/", "/etc/kernel/", "/etc/initramfs-tools/", "/etc/cloud/",
                "/var/lib/cloud/", "/etc/ca-certificates/update.d/", "/etc/docker/", "/etc/containerd/",
                "/etc/containers/", "/etc/kubernetes/", "/var/lib/kubelet/", "/var/lib/docker/", "/etc/cni/",
                "/etc/libvirt/", "/etc/rsyslog.conf", "/etc/rsyslog.d/", "/etc/syslog-ng/", "/etc/audit/",
                "/etc/fail2ban/", "/etc/snmp/", "/etc/nagios/", "/etc/zabbix/", "/etc/aliases", "/etc/smartd.conf",
                "/etc/mdadm/", "/etc/multipath/", "/etc/letsencrypt/renewal-hooks/", "/etc/letsencrypt/renewal/",
                "/etc/letsencrypt/cli.ini",
            ]),
        SensitivePlaces(
            .writesTrust, "what stands there says whom every program of this machine takes for genuine",
            [
                "/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/certs/ca-bundle.crt", "/etc/ssl/cert.pem",
                "/etc/ssl/ca-bundle.pem", "/etc/ssl/certs/java/", "/var/lib/ca-certificates/", "/etc/pki/tls/cert.pem",
                "/etc/pki/tls/certs/ca-bundle.crt",
                "/etc/pki/ca-trust/", "/etc/pki/trust/", "/etc/pki/rpm-gpg/", "/etc/ca-certificates/",
                "/etc/ca-certificates.conf", "/usr/share/ca-certificates/", "/usr/local/share/ca-certificates/",
                "/etc/crypto-policies/", "/etc/hosts", "/etc/resolv.conf", "/run/systemd/resolve/", "/etc/gai.conf",
                "/etc/krb5.conf", "/etc/krb5.conf.d/", "/etc/nftables.conf", "/etc/iptables/", "/etc/trusted-key.key",
            ]),
        SensitivePlaces(
            .writesCredential, "services take their credentials from there",
            [
                "/run/credentials/", "/etc/credstore/", "/etc/credstore.encrypted/", "/run/credstore/",
                "/run/credstore.encrypted/", "/usr/lib/credstore/", "/usr/lib/credstore.encrypted/", "/run/secrets/",
            ]),
        SensitivePlaces(
            .writesProgram, "the programs of this machine are there",
            [
                "/usr/bin/", "/usr/sbin/", "/usr/local/bin/", "/usr/local/sbin/", "/usr/libexec/", "/usr/games/",
                "/opt/",
                "/snap/", "/var/lib/snapd/", "/var/lib/flatpak/", "/usr/share/bash-completion/",
            ]),
    ]

    private static let readPlaces: [SensitivePlaces] = [
        SensitivePlaces(
            .readsSecret, "passwords, keys and the memory of other processes can be read there",
            [
                "/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/security/opasswd", "/etc/ssh/",
                "/root/", "/home/", "/proc/", "/dev/", "/etc/sudoers", "/etc/sudoers.d/", "/etc/krb5.keytab",
                "/etc/letsencrypt/accounts/", "/etc/letsencrypt/keys/", "/run/credentials/", "/etc/credstore/",
                "/etc/credstore.encrypted/", "/run/credstore/", "/usr/lib/credstore/", "/run/secrets/",
                "/etc/wireguard/", "/etc/openvpn/", "/etc/ipsec.secrets", "/etc/ipsec.d/private/",
                "/etc/NetworkManager/system-connections/", "/run/NetworkManager/system-connections/", "/etc/netplan/",
                "/etc/wpa_supplicant/", "/etc/ppp/chap-secrets", "/etc/ppp/pap-secrets", "/etc/kubernetes/",
                "/var/lib/kubelet/", "/var/lib/docker/", "/var/lib/etcd/", "/var/lib/systemd/coredump/",
                "/var/lib/sss/", "/var/crash/", "/var/backups/", "/etc/crypttab", "/boot/", "/var/lib/trstctl/",
            ])
    ]

    /// Sockets whose other end obeys like root.
    static let sockets: [PathGrant] = [
        "/run/docker.sock", "/run/docker/", "/run/containerd/", "/run/k3s/containerd/", "/run/cri-dockerd.sock",
        "/run/buildkit/", "/run/crio/", "/run/podman/", "/run/systemd/private", "/run/dbus/system_bus_socket",
        "/run/udev/control", "/run/snapd.socket", "/run/snapd-snap.socket", "/run/libvirt/", "/run/supervisor.sock",
        "/run/supervisord.sock", "/run/initctl", "/run/lxd.socket", "/var/lib/lxd/", "/var/lib/incus/",
        "/var/snap/lxd/", "/run/user/0/",
    ].compactMap { try? PathGrant($0) }
}
