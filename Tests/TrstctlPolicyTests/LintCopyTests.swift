import Testing
import TrstctlPolicy
import TrstctlSystem

@Suite("Linter: what copies")
struct LintCopyTests {
    @Test func `What another connector copies counts for the one that writes its source`() throws {
        let evil = try LintSample.plugin(write: ["/srv/stage/app"])
        let exec = [["/bin/cp", "/srv/stage/app", "/usr/local/bin/app"], ["/usr/local/bin/app", "reload"]]
        let good = try LintSample.plugin("y", exec: exec)
        let found = try LintSample.findings([evil, good]).filter(\.isRefusal)
        let finding = try #require(found.first)
        #expect(found.count == 1 && finding.code == .replaces && finding.plugin.text == "x")
        #expect(finding.place == .rule(.fsWrite, 0) && finding.object == Bytes("/usr/local/bin/app"))
        #expect(finding.sentence.contains("the connector y"))
        let accepted = try LintSample.plugin(write: ["/srv/stage/app"], acknowledge: ["replaces:/usr/local/bin/app"])
        #expect(try LintSample.findings([accepted, good]).filter(\.isRefusal).isEmpty)
        // Through two connectors.
        let middle = try LintSample.plugin("z", exec: [["/bin/cp", "/srv/in", "/srv/stage/app"]])
        let chain = try LintSample.findings([LintSample.plugin(write: ["/srv/in"]), good, middle])
        #expect(chain.filter(\.isRefusal).map(\.plugin.text) == ["x"])
        // The input of a command is given by the connector that runs it.
        let fed = try LintSample.plugin("y", exec: [["/usr/bin/tee", "/usr/local/bin/app"], ["/usr/local/bin/app"]])
        #expect(try LintSample.findings([evil, fed]).filter(\.isRefusal).map(\.plugin.text) == ["y"])
    }

    static let spellings: [(write: String, exec: [String])] = [
        ("/srv/tool", ["/bin/cp", "-t/usr/local/bin", "/srv/tool"]),
        ("/srv/tool", ["/bin/cp", "-ft", "/usr/local/bin", "/srv/tool"]),
        ("/srv/tool", ["/bin/cp", "-fvt/usr/local/bin", "/srv/tool"]),
        ("/srv/tool", ["/bin/cp", "--target=/usr/local/bin", "/srv/tool"]),
        ("/srv/tool", ["/bin/cp", "--target-dir", "/usr/local/bin", "/srv/tool"]),
        ("/srv/in", ["/bin/cp", "srv/in", "usr/local/bin/tool"]),
        ("/srv/in", ["/bin/cp", "/srv/in", "/usr/local/bin/tool", "--suffix=/z"]),
        ("/srv/in", ["/bin/cp", "/srv/in", "/usr/local/bin/tool", "--suffix", "/z"]),
        ("/srv/in", ["/bin/cp", "--", "/srv/in", "/usr/local/bin/tool"]),
        ("/srv/in", ["/bin/cp", "/srv/../srv/in", "/usr/local/./bin/tool"]),
        ("/srv/in", ["/bin/install", "-m", "755", "-o", "root", "/srv/in", "/usr/local/bin/tool"]),
        ("/opt/none", ["/bin/cp", "/dev/./stdin", "/usr/local/bin/tool"]),
        ("/opt/none", ["/bin/cp", "dev/stdin", "/usr/local/bin/tool"]),
        ("/opt/none", ["/bin/cp", "/proc/thread-self/fd/0", "/usr/local/bin/tool"]),
        ("/opt/none", ["/usr/bin/tee", "usr/local/bin/tool"]),
        ("/srv/d/", ["/bin/cp", "-r", "/srv/d/.", "/usr/local/bin/"]),
        ("/srv/d/tool", ["/bin/cp", "-r", "/srv/d/.", "/usr/local/bin/"]),
        ("/srv/d/", ["/bin/cp", "-rT", "/srv/d", "/usr/local/bin"]),
        ("/srv/d/bin/tool", ["/bin/cp", "-a", "/srv/d/bin", "/usr/local"]),
        ("/srv/d/", ["/bin/ln", "-sfn", "/srv/d", "/usr/local/bin"]),
        ("/srv/d/", ["/bin/mv", "/srv/d", "/usr/local/bin"]),
        ("/srv/tool", ["/usr/bin/timeout", "5", "cp", "/srv/tool", "/usr/local/bin"]),
        ("/srv/tool", ["/bin/sh", "-c", "cp /srv/tool /usr/local/bin/"]),
        ("/srv/in", ["/usr/bin/gpg", "--batch", "-o", "/usr/local/bin/tool", "-d", "/srv/in"]),
        ("/srv/in", ["/usr/bin/gpg", "--output=/usr/local/bin/tool", "-d", "/srv/in"]),
        ("/srv/in", ["/usr/bin/zstd", "-df", "-o", "/usr/local/bin/tool", "/srv/in"]),
        ("/opt/none", ["/usr/bin/zstd", "-dfo", "/usr/local/bin/tool"]),
        ("/srv/in", ["/usr/bin/curl", "-so", "/usr/local/bin/tool", "file:///srv/in"]),
        ("/srv/in", ["/usr/bin/uniq", "/srv/in", "/usr/local/bin/tool"]),
        ("/opt/none", ["/usr/bin/uniq", "-", "/usr/local/bin/tool"]),
        ("/opt/none", ["/usr/bin/pv", "-o", "/usr/local/bin/tool"]),
        ("/srv/tool", ["/usr/bin/curl", "-O", "--output-dir", "/usr/local/bin", "file:///srv/tool"]),
    ]

    @Test("A copy is one however it is spelled", arguments: spellings)
    func spelling(write: String, exec: [String]) throws {
        let found = try LintSample.findings([LintSample.plugin(write: [write], exec: [exec, ["/usr/local/bin/tool"]])])
        #expect(found.contains { $0.code == .replaces && $0.object == Bytes("/usr/local/bin/tool") }, "\(exec)")
        let other = try LintSample.findings([LintSample.plugin(write: ["/srv/zz"], exec: [exec])]).filter(\.isRefusal)
        #expect(other.isEmpty, "\(exec)")
    }

    @Test func `A decompressor replaces the file without the extension`() throws {
        for argv in [
            ["/bin/gunzip", "/srv/t.gz"], ["/usr/bin/xz", "-d", "/srv/t.gz"], ["/usr/bin/gpg", "/srv/t.gz"],
        ] {
            let found = try LintSample.findings([LintSample.plugin(write: ["/srv/t.gz"], exec: [argv, ["/srv/t"]])])
            #expect(found.contains { $0.code == .replaces }, "\(argv)")
        }
        for argv in [["/bin/gunzip", "-c", "/srv/t.gz"], ["/usr/bin/xz", "/srv/t.gz"], ["/bin/gunzip", "/srv/u.gz"]] {
            let found = try LintSample.findings([LintSample.plugin(write: ["/srv/t.gz"], exec: [argv, ["/srv/t"]])])
            #expect(!found.contains { $0.code == .replaces }, "\(argv)")
        }
    }

    @Test func `A file that is copied into a directory stays one file`() throws {
        let nginx = ["/usr/sbin/nginx", "-t"]
        for argv in [["/bin/cp", "/srv/www.crt", "/etc/nginx"], ["/bin/mv", "/srv/www.crt", "/etc/nginx"]] {
            let one = try LintSample.plugin(write: ["/srv/www.crt"], exec: [argv, nginx])
            #expect(try LintSample.findings([one]).filter(\.isRefusal).isEmpty, "\(argv)")
        }
        let tree = try LintSample.plugin(write: ["/srv/d/"], exec: [["/bin/mv", "/srv/d", "/etc/nginx"], nginx])
        #expect(try LintSample.findings([tree]).contains { $0.code == .configures })
    }

    @Test func `A word behind a wrapper is a program that is looked up`() throws {
        for argv in [
            ["/usr/bin/timeout", "5", "tool"], ["/usr/bin/env", "tool"], ["/bin/sh", "-c", "tool"],
            ["/usr/bin/env", "A=b", "nice", "tool", "-x"], ["/bin/bash", "-c", "umask 0; (tool)"],
        ] {
            for write in ["/usr/bin/tool", "/usr/sbin/tool", "/bin/tool"] {
                let found = try LintSample.findings([LintSample.plugin(write: [write], exec: [argv])])
                #expect(found.contains { $0.code == .replaces }, "\(argv) \(write)")
            }
            let other = try LintSample.findings([LintSample.plugin(write: ["/usr/bin/other"], exec: [argv])])
            #expect(!other.contains { $0.code == .replaces }, "\(argv)")
        }
    }

    @Test func `A path through a process is the path that it leads to`() throws {
        for write in [
            "/proc/self/cwd/usr/bin/x", "/proc/self/task/1/root/bin/x", "/proc/123/root/proc/1/cwd/bin/x",
            "/proc/thread-self/root/sbin/x",
        ] {
            let found = try LintSample.findings([LintSample.plugin(write: [write], exec: [["/usr/bin/x"]])])
            #expect(found.contains { $0.code == .replaces }, "\(write)")
        }
    }
}
