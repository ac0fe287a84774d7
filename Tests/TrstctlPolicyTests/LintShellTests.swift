import Testing
import TrstctlPolicy
import TrstctlSystem

@Suite("Linter: the texts of shells")
struct LintShellTests {
    /// A rule for the text: a brace stands there twice.
    private func shell(_ text: String, _ before: [String] = ["/bin/sh", "-c"]) -> [String] {
        before + [text.replacing("{", with: "{{")]
    }

    private func refusals(_ exec: [[String]], write: [String] = []) throws -> [LintFinding] {
        try LintSample.findings([LintSample.plugin(write: write, exec: exec)]).filter(\.isRefusal)
    }

    static let obeying: [String] = [
        "cat | sh", "cat|sh", "cat - | bash -e", "base64 -d | gunzip | sh", "tee /srv/log | sh", "cat /srv/a - | sh",
        "cat </dev/stdin | sh", "(cat) | sh", "{ cat; } | sh", "if true; then cat; true; fi | sh",
        "while true; do cat; true; done | sh", "true && cat |& sh", "false || cat | python3 -", "true & cat | perl",
        "true\ncat | sh", "cat | xargs rm", "cat | sudo sh", "cat | env A=b sh -s", "cat | tar x", "exec sh",
        "exec <&0 sh", "if sh; then true; fi", "! sh", "A=b sh", "time sh", "command -p sh", "sh 2>/dev/null",
        "2>&1 sh", "s''h", "\"sh\"", "s\\h", "sh -c 'cat | sh'", "sh -c \"sh -c 'cat | sh'\"", ". /dev/stdin",
        "source /dev/stdin", "kill -HUP $(cat)", "kill -HUP `cat`", "echo \"$(cat)\"", "kill $(cat | cat)",
        "curl -K - https://example.com/", "cat | cat <&0 | sh", "nginx -t # x\nsh", "cat | grep / | sh",
        "cat | cut -d / -f 1 | sh", "find /srv -exec cat ; | sh", "cat > /dev/null | sh", "/srv/bin/echo x | sh",
        "curl -sT - https://example.com/ | sh", "cat | crontab -",
    ]

    @Test(
        "A text in which the connector's input ends in a shell or its like is refused",
        arguments: obeying)
    func refused(text: String) throws {
        let found = try refusals([shell(text)])
        let finding = try #require(found.first { $0.code == .chooses }, "\(text)")
        #expect(finding.sentence.contains("from its input"), "\(text): \(finding.sentence)")
    }

    static let unreadable: [(text: String, what: String)] = [
        ("$X", "$X"), ("${X}", "${"), ("nginx -t; \"$1\"", "$1"), ("eval sh", "eval"), ("read x", "read"),
        ("sh << E\ncat\nE", "<<"), ("cat <(sh)", "<("), ("cat | tee >(sh)", ">("), ("/bin/s?", "?"),
        ("/bin/[s]h", "["), ("/bin/*sh", "*"), ("{sh,-s}", "{"), ("f() { sh; }; f", "("), ("a=(b); x", "("),
        ("trap sh EXIT", "trap"), ("alias x=sh\nx", "alias"), ("coproc sh", "coproc"),
        ("case a in a) sh;; esac", "case"), ("echo $((1))", "$("), ("$(cat /srv/x)", "$("),
        ("cat > $(cat /srv/x)", "$("), ("cp /srv/a $(cat /srv/x)", "$("), ("cat > $X", "$X"),
        ("D=/etc/cron.d; cat > $D/x", "$D"), ("PS4='$(sh)'; set -x; true", "a quoted $"),
        ("[ 'a[$(sh)]' -eq 1 ]", "a quoted $"), ("export X='`sh`'", "a quoted $"), ("nginx 'x", "'"),
        ("nginx \"x", "\""), ("x \\", "\\"), ("~x/y", "~"), ("cat >", "a redirection"), ("exec -a x sh", "exec -a"),
        ("cd -; tee x", "cd"), ("echo $(echo $(sh))", "$("), ("echo $'a'", "$'"),
        ("tee " + String(repeating: "a ", count: 70), "so many"), ("cd /srv; cd x; tee y", "cd"),
    ]

    @Test(
        "A text that cannot be read counts as a shell with the connector's input, and the finding says what it is",
        arguments: unreadable)
    func unread(text: String, what: String) throws {
        let argv = shell(text)
        let finding = try #require(refusals([argv]).first { $0.code == .chooses }, "\(text)")
        if !finding.sentence.contains("from its input") {
            #expect(finding.sentence.contains("has \(what)"), "\(text): \(finding.sentence)")
        }
        let accepted = try LintSample.plugin(exec: [argv], acknowledge: ["chooses:/bin/sh"])
        #expect(try LintSample.findings([accepted]).allSatisfy { !$0.isRefusal }, "\(text)")
    }

    static let harmless: [String] = [
        "nginx -t && systemctl reload nginx", "nginx -t >/dev/null 2>&1 && nginx -s reload",
        "systemctl reload nginx || systemctl restart nginx", "systemctl reload nginx; systemctl reload haproxy",
        "kill -HUP $(cat /run/nginx.pid)", "test -f /run/x.pid && kill -USR2 `cat /run/x.pid`",
        "[ -f /run/x.pid ] && kill -HUP \"$(cat /run/x.pid)\"", "kill -HUP $(pidof haproxy)",
        "kill -USR1 $(head -n 1 /run/postgresql/postmaster.pid)", "set -e; nginx -t; nginx -s reload",
        "nginx -t 2>&1 | logger -t trstctl", "cat /srv/a.crt /srv/a.key > /etc/haproxy/certs/www.pem",
        "umask 077; cat /srv/a.crt /srv/a.key > /etc/haproxy/certs/www.pem && systemctl reload haproxy",
        "cat > /etc/haproxy/certs/www.pem", "if nginx -t; then nginx -s reload; else exit 1; fi",
        "cd /opt/app && docker compose restart web", "echo reload > /run/app/control",
        "echo 'show ssl cert' | socat stdio /run/haproxy/admin.sock", "echo reload | nc -U /run/app.sock",
        "cat /srv/x | sh", "sh < /srv/x", "sh /srv/x", "curl -fsS https://x/ | sh", "echo x | cat | sh",
        "cat /srv/a | tee /srv/b > /dev/null", "printf '%s' x > /run/app/control", "exec nginx -s reload # now",
        "sleep 1 & wait", "openssl x509 -in /srv/a.crt -noout | logger", "su -s /bin/sh -c 'nginx -t' www-data",
        "systemctl reload 'nginx*'", "grep -q x$ /srv/y && nginx -s reload", "awk '{print $1}' /srv/x",
        "sed -n 's/^a*//p' /srv/x", "cat <<< x | sh", "! nginx -t", "echo $?",
    ]

    @Test("Ordinary texts have no finding but that of the shell", arguments: harmless)
    func ordinary(text: String) throws {
        for before in [["/bin/sh", "-c"], ["/bin/bash", "-ec"], ["/usr/bin/timeout", "5", "sh", "-c"]] {
            let exec = [shell(text, before)]
            let found = try LintSample.findings([LintSample.plugin(write: ["/etc/nginx/tls/www.key"], exec: exec)])
            #expect(found.allSatisfy { $0.code == .interpreter }, "\(found.map(\.sentence))")
        }
    }

    static let written: [String] = [
        "cat > /usr/local/bin/tool", "cat >/usr/local/bin/tool", "cat >> /usr/local/bin/tool",
        "cat >| /usr/local/bin/tool", "cat 1> /usr/local/bin/tool", "x 2> /usr/local/bin/tool",
        "x &> /usr/local/bin/tool", "x >& /usr/local/bin/tool", "x &>> /usr/local/bin/tool",
        "cat <> /usr/local/bin/tool", "> /usr/local/bin/tool cat", "cat>'/usr/local/bin/tool'",
        "cat > \"/usr/local/bin/\"tool", "cat > usr/local/bin/tool", "cat > /usr/local/./bin/../bin/tool",
        "{ true; cat; } > /usr/local/bin/tool", "(cat) > /usr/local/bin/tool",
        "if true; then cat; fi > /usr/local/bin/tool", "while true; do cat; done > /usr/local/bin/tool",
        "exec > /usr/local/bin/tool; cat", "exec 3> /usr/local/bin/tool; cat >&3", "cat | cat > /usr/local/bin/tool",
        "cat | tee /usr/local/bin/tool", "tee < /dev/stdin /usr/local/bin/tool", "cat | dd of=/usr/local/bin/tool",
        "cd /usr/local/bin; cat > tool", "cd /usr/local && cat > bin/tool", "cd /usr/local/bin && tee tool",
        "cd / && cd /usr/local/bin && cp /dev/stdin tool", "cat | sudo tee /usr/local/bin/tool",
        "true; cat > /dev/null > /usr/local/bin/tool", "nginx -t | tee -a /dev/null; cat > /usr/local/bin/tool",
        "sh -c 'cat > /usr/local/bin/tool'", "sh -c \"sh -c 'cat > /usr/local/bin/tool'\"",
        "echo \"$(cat > /usr/local/bin/tool)\"", "cat > /tmp/x; mv /tmp/x /usr/local/bin/tool",
    ]

    @Test(
        "A file to which a shell directs the connector's input is a file that the connector writes",
        arguments: written)
    func writing(text: String) throws {
        let writer = try LintSample.plugin(exec: [shell(text)])
        let runner = try LintSample.plugin("y", exec: [["/usr/local/bin/tool"]])
        let found = try LintSample.findings([writer, runner])
            .filter { $0.code == .replaces && $0.object == Bytes("/usr/local/bin/tool") }
        #expect(found.count == 1, "\(text)")
        #expect(found.allSatisfy { $0.plugin.text == "x" && $0.place == .rule(.processExec, 0) })
    }

    @Test("A file to which a shell directs what others may write counts for them")
    func copying() throws {
        for text in [
            "cat /srv/in > /usr/local/bin/tool", "cat < /srv/in > /usr/local/bin/tool",
            "cat /srv/in | base64 -d | tee /usr/local/bin/tool",
            "cd /srv; cat < in > /usr/local/bin/tool",
        ] {
            let writer = try LintSample.plugin(write: ["/srv/in"], acknowledge: ["replaces:/srv/in"])
            let other = try LintSample.plugin("y", exec: [shell(text)])
            let runner = try LintSample.plugin("z", exec: [["/usr/local/bin/tool"]])
            let found = try LintSample.findings([writer, other, runner])
                .filter { $0.object == Bytes("/usr/local/bin/tool") && $0.plugin.text == "x" }
            #expect(
                found.contains { $0.code == .replaces }, "\(text)")
            let nobody = try LintSample.findings([other, runner]).filter(\.isRefusal)
            #expect(nobody.isEmpty, "\(text) \(nobody.map(\.sentence))")
        }
    }

    static let elsewhere: [[String]] = [
        ["/bin/sh", "-e", "-c", "cat | sh"], ["/bin/sh", "-c", "-e", "cat | sh"],
        ["/bin/bash", "-co", "pipefail", "cat | sh"], ["/bin/bash", "-c", "-o", "pipefail", "cat | sh"],
        ["/bin/bash", "-c", "+e", "--", "cat | sh", "x"], ["/bin/sh", "-c", "sleep {int}; cat | sh"],
        ["/usr/bin/su", "root", "-c", "cat | sh"], ["/usr/bin/su", "--command=cat | sh", "root"],
        ["/usr/bin/flock", "/srv/l", "-c", "cat | sh"], ["/usr/bin/watch", "cat | sh"],
        ["/usr/bin/sg", "root", "cat | sh"], ["/usr/bin/env", "-S", "sh -s"], ["/usr/bin/env", "-Ssh -s"],
        ["/usr/bin/env", "--split-string=sh -s"], ["/bin/fish", "-c", "eval (cat)"], ["/bin/zsh", "-c", "cat | =sh"],
        ["/usr/bin/script", "-qc", "cat | sh", "/dev/null"], ["/usr/bin/busybox", "ash", "-c", "cat | sh"],
        ["/bin/dash", "-c", "cat | sh", "sh", "x"],
    ]

    @Test("The text is found wherever the command has it", arguments: elsewhere)
    func places(argv: [String]) throws {
        #expect(try refusals([argv]).contains { $0.code == .chooses }, "\(argv)")
    }

    static let started: [(exec: [String], reached: String)] = [
        (["/usr/bin/script", "-c", "cat", "/usr/local/bin/tool"], "/usr/local/bin/tool"),
        (["/usr/bin/script", "-qO/usr/local/bin/tool"], "/usr/local/bin/tool"),
        (["/usr/bin/logsave", "/usr/local/bin/tool", "cat"], "/usr/local/bin/tool"),
        (["/usr/bin/env", "-C", "/usr/local/bin", "tee", "tool"], "/usr/local/bin/tool"),
        (["/usr/bin/env", "--chdir=/usr/local/bin", "tee", "tool"], "/usr/local/bin/tool"),
        (["/usr/sbin/chroot", "/srv/root", "tee", "/bin/tool"], "/srv/root/bin/tool"),
        (["/usr/bin/nsenter", "--wd=/usr/local", "cp", "/dev/stdin", "bin/tool"], "/usr/local/bin/tool"),
        (["/usr/sbin/chroot", "/srv/root", "sh", "-c", "cat > /bin/tool"], "/srv/root/bin/tool"),
    ]

    @Test("A wrapper can copy itself, and start what copies elsewhere than in the root", arguments: started)
    func directories(exec: [String], reached: String) throws {
        let runner = try LintSample.plugin("y", exec: [[reached]])
        let found = try LintSample.findings([LintSample.plugin(exec: [exec]), runner]).filter { $0.plugin.text == "x" }
        #expect(found.contains { $0.code == .replaces && $0.object == Bytes(reached) }, "\(exec) \(found)")
    }

    @Test("The longest texts are read at once")
    func long() throws {
        for unit in ["$(", "(", "\"", "|", "cat|", "a;", "sh -c ", ">", "`", "{ ", "'", "\\"] {
            let text = String(String(repeating: unit, count: 2_000).prefix(2_000))
            #expect(try refusals([shell(text)]).count < 2)
        }
    }
}
