import Testing
import TrstctlPolicy
import TrstctlSystem

@Suite("Linter: what a command does with its input")
struct LintInputTests {
    private func refusals(_ exec: [[String]], write: [String] = []) throws -> Set<LintCode> {
        Set(try LintSample.findings([LintSample.plugin(write: write, exec: exec)]).filter(\.isRefusal).map(\.code))
    }

    static let chosen: [[String]] = [
        // Archives and patches, into the root, where commands run, or wherever they say.
        ["/bin/tar", "-x"], ["/bin/tar", "xf", "-"], ["/bin/tar", "-xf", "-"],
        ["/bin/tar", "-x", "-f", "/dev/./stdin"],
        ["/bin/tar", "--extract", "--file=-"], ["/bin/tar", "-xPf", "-", "-C", "/srv/d", "-P"],
        ["/usr/bin/bsdtar", "-xf", "/proc/self/fd/0"], ["/usr/bin/cpio", "-id"], ["/usr/bin/pax", "-r"],
        ["/usr/bin/cpio", "-i", "-D", "/srv/d"], ["/usr/bin/unzip", "/dev/stdin"], ["/usr/bin/7z", "x", "-si"],
        ["/usr/bin/patch", "-p0"], ["/usr/bin/patch", "-p", "1", "-i", "-"], ["/usr/bin/git", "apply"],
        ["/usr/bin/git", "am", "-"], ["/usr/bin/rsync", "--server", "-r", ".", "."], ["/usr/bin/uudecode"],
        // What does what it reads.
        ["/bin/sh"], ["/bin/bash", "-s", "x"], ["/bin/sh", "/dev/stdin"], ["/bin/bash", "-e"], ["/usr/bin/python3"],
        ["/usr/bin/python3.11", "-"], ["/usr/bin/python3", "-u"], ["/usr/bin/perl"], ["/usr/bin/node"],
        ["/usr/bin/at", "now"], ["/usr/bin/batch"], ["/usr/bin/crontab", "-"], ["/usr/bin/crontab", "-u", "root", "-"],
        ["/usr/bin/ed", "/srv/x"], ["/usr/bin/make", "-f", "-"], ["/usr/bin/awk", "-f", "/dev/stdin"],
        ["/usr/bin/systemd-tmpfiles", "--create", "-"], ["/usr/bin/systemd-sysusers", "-"],
        ["/usr/sbin/iptables-restore"], ["/usr/sbin/ip6tables-restore", "-n"], ["/usr/sbin/nft", "-f", "-"],
        ["/usr/sbin/nft", "-f", "/proc/1/fd/0"], ["/usr/sbin/sysctl", "-p", "-"], ["/usr/sbin/sysctl", "-p-"],
        ["/usr/bin/setfacl", "--restore=-"], ["/usr/bin/setfacl", "-M", "-", "/srv/x"], ["/usr/sbin/ip", "-b", "-"],
        ["/usr/sbin/chpasswd"], ["/usr/bin/psql", "-h", "db"], ["/usr/bin/mysql", "-u", "root"],
        ["/usr/bin/sqlite3", "/srv/db"], ["/usr/bin/kubectl", "apply", "-f", "-"], ["/usr/bin/curl", "-K", "-"],
        ["/usr/sbin/nginx", "-c", "/dev/stdin"], ["/usr/sbin/haproxy", "-f", "/dev/fd/0"],
        ["/usr/bin/xargs", "rm"], ["/usr/bin/xargs", "-n1", "sh", "-c"], ["/usr/bin/xargs", "systemctl", "stop"],
        // The same behind a wrapper, and in a shell's text.
        ["/usr/bin/env", "sh"], ["/usr/bin/timeout", "5", "/bin/tar", "-x"], ["/usr/bin/sudo", "-n", "env", "bash"],
        ["/usr/bin/curl", "-qK-"], ["/usr/bin/wget", "-qi-"], ["/usr/bin/split", "--filter=sh", "-"],
        ["/usr/bin/sort", "--compress-program=sh"], ["/usr/lib/openssh/sftp-server"], ["/usr/bin/passwd", "root"],
        ["/usr/sbin/setcap", "-"], ["/usr/sbin/setcap", "-f", "-", "/srv/x"], ["/usr/sbin/nft", "-i"],
        ["/usr/sbin/ipset", "-R"], ["/usr/bin/augtool"], ["/usr/bin/sqlite3", "/srv/db", ".shell sh"],
        ["/usr/bin/psql", "-c", "\\! sh"], ["/usr/bin/mysql", "-e", "system sh"], ["/usr/bin/tmux", "-C"],
        ["/usr/bin/su", "-s", "/bin/sh", "root"], ["/usr/bin/su", "root", "-s", "/bin/sh"], ["/usr/bin/pkexec"],
        ["/usr/sbin/capsh", "--"], ["/usr/bin/newgrp"], ["/usr/bin/login", "-f", "root"], ["/usr/bin/virsh"],
        ["/usr/bin/systemd-nspawn", "-D", "/"], ["/usr/bin/machinectl", "shell"], ["/usr/bin/puppet", "apply"],
        ["/usr/sbin/openvpn", "--config", "stdin"], ["/usr/bin/systemctl", "edit", "--stdin", "nginx"],
        ["/usr/bin/socat", "STDIN", "OPEN:/etc/cron.d/x"], ["/usr/bin/socat", "-", "exec:/bin/sh"],
        ["/usr/bin/ldapadd", "-Y", "EXTERNAL", "-H", "ldapi:///"], ["/usr/sbin/semanage", "import"],
        ["/usr/sbin/semodule", "-i", "/dev/stdin"], ["/usr/bin/trust", "anchor", "/dev/stdin"], ["/usr/bin/varnishadm"],
        ["/usr/bin/fail2ban-client", "-i"], ["/usr/bin/supervisorctl"], ["/usr/bin/procmail", "/dev/stdin"],
        ["/usr/bin/uwsgi", "/dev/stdin"], ["/usr/bin/git", "-c", "core.pager=sh", "log"],
        ["/usr/bin/git", "-c", "alias.x=!sh", "x"], ["/usr/bin/parallel", "{{}"], ["/usr/bin/xargs", "-n1", "nginx"],
        ["/usr/bin/formail", "-s", "sh"], ["/usr/bin/rsync", "--daemon", "--config=/dev/stdin"],
        ["/usr/bin/nsenter", "-t", "1", "-m"], ["/bin/busybox", "sh"], ["/bin/sh", "-c", "cd /etc; tar xf -"],
        ["/bin/bash", "-ec", "umask 077 && exec python3 -"], ["/usr/bin/su", "root"], ["/usr/bin/sudo", "-s"],
    ]

    @Test("A command that obeys its input is refused until its name is accepted", arguments: chosen)
    func obeying(argv: [String]) throws {
        #expect(try refusals([argv]).contains(.chooses), "\(argv)")
        let accepted = try LintSample.plugin(exec: [argv], acknowledge: ["chooses:\(argv[0])"])
        #expect(try LintSample.findings([accepted]).allSatisfy { !$0.isRefusal }, "\(argv)")
    }

    @Test func `A text of more commands than are looked at is refused`() throws {
        let many = (0..<300).map { "cp /a /b\($0)" }.joined(separator: ";")
        let few = (0..<200).map { "cp /a /b\($0)" }.joined(separator: ";")
        #expect(try refusals([["/bin/sh", "-c", many]]) == [.chooses])
        #expect(try refusals([["/bin/sh", "-c", few]]).isEmpty)
        #expect(try refusals([["/bin/sh", "-c", few + ";tar x"]]) == [.chooses])
    }

    static let harmless: [[String]] = [
        ["/bin/tar", "-xf", "/srv/a.tar"], ["/bin/tar", "-czf", "-", "/srv/a"], ["/bin/tar", "-x", "-C", "/srv/d"],
        ["/bin/tar", "-tf", "-"], ["/usr/bin/cpio", "-o"], ["/bin/sh", "-c", "systemctl reload nginx"],
        ["/bin/sh", "/srv/x.sh"], ["/usr/bin/python3", "/srv/x.py"], ["/usr/bin/python3", "-m", "x"],
        ["/usr/bin/perl", "-e", "x"], ["/usr/bin/openssl", "x509", "-in", "-", "-noout"], ["/usr/bin/wc", "-"],
        ["/usr/sbin/nginx", "-s", "reload"], ["/usr/bin/systemctl", "reload", "nginx"], ["/usr/sbin/haproxy", "-c"],
        ["/usr/bin/psql", "-c", "select pg_reload_conf()"], ["/usr/bin/mysql", "-e", "ALTER INSTANCE RELOAD TLS"],
        ["/usr/bin/env", "LANG=C", "nginx", "-t"], ["/usr/bin/timeout", "5", "nginx", "-t"], ["/usr/bin/xargs", "x"],
        ["/bin/sh", "-c", "cat /srv/x | sh"], ["/usr/bin/redis-cli", "-p", "6379", "ping"],
        ["/usr/sbin/nft", "-f", "/srv/x"], ["/usr/bin/crontab", "-l"], ["/usr/bin/at", "-f", "/srv/x", "now"],
        ["/usr/bin/socat", "-", "/run/haproxy/admin.sock"], ["/usr/bin/socat", "stdio", "UNIX-CONNECT:/run/h.sock"],
        ["/usr/bin/su", "-s", "/bin/sh", "-c", "nginx -t", "www"],
        ["/usr/sbin/runuser", "-u", "www", "--", "nginx", "-t"],
        ["/usr/bin/passwd", "-l", "www"], ["/usr/bin/git", "-C", "/srv/x", "pull"],
        ["/usr/bin/curl", "-fsSv", "https://x/"],
        ["/usr/bin/openssl", "version"], ["/usr/bin/sort", "-u"], ["/usr/sbin/nft", "list", "ruleset"],
        ["/usr/bin/docker", "kill", "-s", "HUP", "nginx"], ["/usr/bin/curl", "-T", "-", "https://example.com/"],
    ]

    @Test("A command that only reads its input is not refused", arguments: harmless)
    func reading(argv: [String]) throws {
        #expect(try refusals([argv]).isEmpty, "\(argv)")
    }

    static let unpacked: [(exec: [String], reached: String)] = [
        (["/bin/tar", "-x", "-C", "/srv/d"], "/srv/d/tool"), (["/bin/tar", "-xC/srv", "-f", "-"], "/srv/d/tool"),
        (["/bin/tar", "xf", "-", "--directory=/srv/../srv"], "/srv/d/tool"),
        (["/bin/tar", "-xzf-", "--directory", "srv"], "/srv/tool"),
        (["/usr/bin/unzip", "-o", "/dev/stdin", "-d", "/srv/d"], "/srv/d/tool"),
        (["/usr/bin/7z", "x", "-si", "-o/srv/d"], "/srv/d/bin/tool"),
        (["/usr/bin/patch", "-d", "/srv/d", "-p", "1"], "/srv/d/tool"), (["/usr/bin/patch", "/srv/d/t"], "/srv/d/t"),
        (["/usr/bin/git", "-C", "/srv/d", "apply", "-"], "/srv/d/tool"),
        (["/usr/bin/rsync", "--server", "-logDtpre.iLsfxC", ".", "/srv/d/"], "/srv/d/tool"),
        (["/usr/bin/rsync", "--files-from=-", "/srv/a/", "/srv/d/"], "/srv/d/tool"),
        (["/usr/bin/scp", "-t", "/srv/d"], "/srv/d/tool"),
        (["/usr/bin/nice", "/bin/tar", "-x", "-C", "/srv/d"], "/srv/d/tool"),
    ]

    @Test("What is unpacked from the input replaces what lies in its directory", arguments: unpacked)
    func unpacking(exec: [String], reached: String) throws {
        #expect(try refusals([exec, [reached]]) == [.replaces])
        #expect(try refusals([exec, ["/usr/local/elsewhere/tool"]]).isEmpty)
        // Another connector's program too.
        let findings = try LintSample.findings([
            LintSample.plugin(exec: [exec]), LintSample.plugin("y", exec: [[reached]]),
        ])
        #expect(findings.filter { $0.code == .replaces }.map(\.plugin.text) == ["x"])
    }
}
