import Testing
import TrstctlPolicy
import TrstctlSystem

/// Commands by which a connector decides what runs, written so that a reader of the linter's source would try them.
@Suite("Linter: ways around it")
struct LintEvasionTests {
    private func refusals(_ exec: [[String]], write: [String] = []) throws -> Set<LintCode> {
        Set(try LintSample.findings([LintSample.plugin(write: write, exec: exec)]).filter(\.isRefusal).map(\.code))
    }

    static let obeying: [[String]] = [
        // The input under another number.
        ["/bin/sh", "-c", "exec 3<&0; true | sh <&3"], ["/bin/sh", "-c", "exec 3<&0; sh < /dev/fd/3"],
        ["/bin/sh", "-c", "exec 3<&0; sh /dev/fd/3"], ["/bin/sh", "-c", "exec 3<&0; true | sh <>/proc/self/fd/3"],
        ["/bin/sh", "-c", "exec 3<&0; echo x | sh -c 'sh <&3'"],
        ["/bin/sh", "-c", "exec 3<&0; sh </dev/null 0>&3"], ["/bin/sh", "-c", "exec 3<&0; true | sh 00>&3"],
        // A value behind several options, a beginning of a long one.
        ["/bin/bash", "-c", "exec -la x bash"], ["/bin/sh", "-c", "time -o /srv/x sh"],
        ["/usr/bin/env", "-vS", "sh -s"], ["/usr/bin/env", "-iSsh -s"], ["/usr/bin/env", "--split=sh -s"],
        ["/usr/bin/env", "--split", "sh -s"], ["/usr/bin/su", "--comm=cat | sh", "root"],
        ["/usr/bin/su", "--comm", "cat | sh", "root"],
        // A variable by which another program runs it.
        ["/bin/bash", "-c", "BASH_ENV=/dev/stdin bash -c :"], ["/bin/sh", "-c", "VISUAL='sh -s' crontab -e"],
        ["/bin/bash", "-c", "export BASH_ENV=/dev/stdin; bash -c :"],
        ["/usr/bin/env", "EDITOR=sh -s", "crontab", "-e"],
        ["/bin/sh", "-c", "GIT_SSH_COMMAND='sh -s' git fetch"],
        ["/usr/bin/env", "RSYNC_RSH=sh -s", "rsync", "x:", "/srv"],
        ["/usr/bin/env", "GIT_EXTERNAL_DIFF=sh -s", "git", "diff"],
        ["/usr/bin/env", "LESSOPEN=||-sh -s", "less", "/etc/hosts"],
        ["/bin/sh", "-c", "TAR_OPTIONS=--to-command=sh tar xf /srv/x.tar"], ["/usr/bin/env", "MAKEFLAGS=-f-", "make"],
        ["/usr/bin/env", "PERL5OPT=-d", "perl", "/opt/x.pl"],
        ["/usr/bin/env", "PYTHONINSPECT=1", "python3", "-c", "0"],
        [
            "/usr/bin/env", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=core.pager", "GIT_CONFIG_VALUE_0=sh -s", "git",
            "log",
        ],
        ["/usr/bin/perl", "-x"], ["/usr/bin/python3", "-m", "code"],
        // What runs the program behind it.
        ["/usr/bin/gpg-agent", "--daemon", "sh"], ["/usr/bin/catchsegv", "sh"], ["/usr/bin/execlineb", "-c", "sh"],
        ["/usr/sbin/ip", "netns", "exec", "blue", "sh"], ["/usr/bin/ssh-agent", "sh"],
        ["/usr/bin/systemd-inhibit", "sh"], ["/usr/bin/systemd-cat", "sh"], ["/usr/bin/choom", "-n", "0", "sh"],
        ["/usr/bin/dbus-run-session", "--", "sh"], ["/usr/bin/fakeroot", "sh"], ["/usr/bin/chronic", "sh"],
        ["/usr/bin/cgexec", "-g", "cpu:x", "sh"], ["/usr/bin/chpst", "-u", "root", "sh"],
        ["/usr/sbin/gosu", "root", "sh"], ["/usr/bin/torsocks", "sh"], ["/usr/bin/distcc", "sh"],
        // What obeys its input.
        ["/usr/bin/vim", "-es"], ["/usr/bin/vi", "-e"], ["/usr/bin/nvim", "-Es"], ["/usr/bin/ftp", "-n"],
        ["/usr/bin/smbclient", "//host/share", "-N"], ["/usr/bin/mongosh", "db"],
        ["/usr/bin/sqlplus", "/", "as", "sysdba"], ["/usr/bin/crontab", "-u", "root"], ["/bin/bash-static"],
    ]

    @Test("A command that obeys its input is refused", arguments: obeying)
    func chooses(argv: [String]) throws {
        #expect(try refusals([argv]).contains(.chooses), "\(argv)")
    }

    static let running: [(exec: [String], write: String)] = [
        // In the directory to which the command goes first.
        (["/bin/sh", "-c", "cd /srv/app && ./run.sh"], "/srv/app/run.sh"),
        (["/bin/sh", "-c", "cd /srv/app; sh run.sh"], "/srv/app/run.sh"),
        (["/bin/sh", "-c", "cd /srv/app; . ./run.sh"], "/srv/app/run.sh"),
        (["/bin/sh", "-c", "cd /srv/app; exec bin/run.sh reload"], "/srv/app/bin/run.sh"),
        (["/usr/bin/env", "-C", "/srv/app", "./run.sh"], "/srv/app/run.sh"),
        (["/usr/bin/env", "--chdir=/srv/app", "sh", "run.sh"], "/srv/app/run.sh"),
        (["/bin/sh", "-c", "cd /srv/app && make install"], "/srv/app/Makefile"),
        // Everything in a directory, behind a wrapper and in the text of a shell.
        (["/usr/bin/timeout", "60", "/usr/bin/run-parts", "/srv/app"], "/srv/app/"),
        (["/bin/sh", "-c", "run-parts /srv/app"], "/srv/app/x"),
        (["/usr/bin/env", "make", "-C", "/srv/app"], "/srv/app/"),
        (["/usr/bin/find", "/srv/app", "-type", "f", "-exec", "{{}", ";"], "/srv/app/"),
        (["/usr/bin/find", "/srv/app", "-type", "f", "-exec", "sh", "{{}", ";"], "/srv/app/x"),
    ]

    @Test("A file that a command runs is found where the command finds it", arguments: running)
    func replaces(exec: [String], write: String) throws {
        let found = try refusals([exec], write: [write])
        #expect(found.contains(.replaces), "\(exec) \(write) \(found)")
        #expect(try !refusals([exec], write: ["/srv/other/x"]).contains(.replaces), "\(exec)")
    }

    @Test("A shell that writes its input to a file and runs it from the file's directory is refused")
    func writesAndRuns() throws {
        for text in ["cat > /srv/run.sh; cd /srv; sh run.sh", "cat > /srv/run.sh; cd /srv && ./run.sh"] {
            #expect(try refusals([["/bin/sh", "-c", text]]).contains(.replaces), "\(text)")
        }
    }

    static let harmless: [[String]] = [
        ["/bin/sh", "-c", "nginx -t 2>&1 >&2 && nginx -s reload"], ["/bin/sh", "-c", "exec 3>&1; nginx -t >&3"],
        ["/bin/sh", "-c", "LANG=C PAGER=less SYSTEMD_PAGER= systemctl status nginx"],
        ["/usr/bin/env", "SHELL=/bin/sh", "PYTHON=python3", "EDITOR=vi", "nginx", "-t"],
        ["/usr/sbin/ip", "link", "show"], ["/usr/bin/env", "MAKEFLAGS=-j4", "true"],
        ["/usr/bin/python3", "-m", "json.tool"],
        ["/bin/sh", "-c", "TAR_OPTIONS=--no-same-owner PERL5OPT=-w nginx -t"],
        ["/usr/bin/find", "/srv/app", "-name", "x", "-delete"],
        ["/usr/bin/find", "/srv/app", "-type", "f", "-exec", "chmod", "600", "{{}", "+"],
        ["/usr/bin/vim", "-es", "-c", "wq", "/srv/x"], ["/usr/bin/crontab", "-u", "root", "-l"],
        ["/usr/sbin/nginx", "-e", "/dev/fd/2", "-t"], ["/usr/bin/env", "-i", "nginx", "-t"],
        ["/usr/bin/sudo", "-S", "nginx", "-t"], ["/bin/bash", "-c", "exec -l nginx -t"],
        ["/bin/sh", "-c", "cd /srv/app && docker compose restart web"], ["/bin/sh", "-c", "time nginx -t"],
    ]

    @Test("What only looks like it is not refused", arguments: harmless)
    func ordinary(argv: [String]) throws {
        #expect(try refusals([argv], write: ["/srv/app/"]).isEmpty, "\(argv)")
    }
}
