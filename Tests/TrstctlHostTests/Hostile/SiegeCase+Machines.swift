import Foundation
import Glibc
import Testing
import TrstctlHost
import TrstctlSystem
import TrstctlTestSupport

/// What the machine lacks, and what connectors use up.
extension SiegeCase {
    /// An error for the first use of a system call in each thread, by strace.
    private static func fault(_ call: String, _ error: String, _ outcome: Outcome) -> SiegeCase {
        SiegeCase(
            id: "Q14", name: "\(call) \(error)", must: [outcome], healthyMeanwhile: false,
            attack: {
                let words = [
                    "/usr/bin/strace", "-f", "-qqq", "-o", "/dev/null", "-e", "trace=\(call)", "-e",
                    "inject=\(call):error=\(error):when=1",
                ]
                try await $0.command(["apply", "bad", "--json"], under: words)
            })
    }

    static let machines = [
        SiegeCase(
            id: "C07", name: "no time to read a file", must: [.refused("too-slow")], healthyMeanwhile: false,
            attack: { try await $0.apply($0.manifest) { $0.readingTimeout = 0 } }),
        SiegeCase(
            id: "C09", name: "no executable memory files", must: [.refused("system")], healthyMeanwhile: false,
            attack: {
                let script = "echo 2 > /proc/sys/vm/memfd_noexec && exec \"$@\""
                try await $0.command(
                    ["apply", "--json"],
                    under: ["/usr/bin/unshare", "--pid", "--fork", "--mount-proc", "/bin/sh", "-c", script, "sh"])
            }),
        SiegeCase(
            id: "Q07", name: "too few descriptors", must: [.exitCode(2)], healthyMeanwhile: false,
            attack: { siege in
                for limit in [12, 24, 40, 63] {
                    try await siege.command(
                        ["apply", "--json"], under: ["/usr/bin/prlimit", "--nofile=\(limit):\(limit)"])
                }
            }),
        SiegeCase(
            id: "Q07", name: "just enough descriptors", must: [.served],
            attack: {
                try await $0.command(
                    ["apply", "--json", "--parallel", "1"], under: ["/usr/bin/prlimit", "--nofile=64:64"])
            }),
        SiegeCase(
            id: "Q14", name: "files of one page", must: [.refused("system")], healthyMeanwhile: false,
            attack: { try await $0.command(["apply", "--json"], under: ["/usr/bin/prlimit", "--fsize=4096:4096"]) }),
        fault("memfd_create", "ENOMEM", .refused("system")),
        fault("pipe2", "EMFILE", .refused("spawn")),
        fault("mkdirat", "ENOSPC", .refused("run-directory")),
        fault("mount", "ENOMEM", .refused("no-resources")),
        fault("seccomp", "ENOMEM", .refused("no-resources")),
        fault("landlock_create_ruleset", "ENOMEM", .refused("no-resources")),
        fault("landlock_restrict_self", "E2BIG", .refused("layer-missing")),
        fault("setresuid", "EAGAIN", .refused("no-resources")),
    ]

    static let bounds = [
        SiegeCase(
            id: "Q01", name: "200 MB of output", connector: "prints-much", must: [.served],
            attack: { siege in
                try await siege.apply()
                let bytes = siege.bench.printed.reduce(0) { $0 + $1.utf8.count }
                // A mebibyte of each stream.
                #expect((1 << 20..<5 << 19).contains(bytes), "\(bytes)")
            }),
        SiegeCase(
            id: "Q06", name: "64 of the largest calls", connector: "calls-with-much", must: [.bounded("limit")],
            attack: { siege in
                try await siege.apply()
                // 21 times 3 MiB are below the 64 MiB that a deployment writes.
                #expect(siege.bench.printed.contains { $0.hasSuffix("beyond the bound: 43") }, "\(siege.bench.printed)")
            }),
        SiegeCase(
            id: "Q09", name: "a slow reader of a request's body", connector: "uploads",
            must: [.callFailed("timed-out")],
            attack: { siege in
                let port = siege.connector.split(separator: "-").last ?? ""
                let grant = "    grants:\n      net.dial: [\"127.0.0.1:\(port)\"]\n"
                var manifest = try siege.manifest
                let place = try #require(manifest.range(of: "    grants:\n"))
                manifest.replaceSubrange(place, with: grant)
                try await siege.apply(manifest)
                #expect(siege.bench.printed.contains { $0.hasSuffix("upload: 4") }, "\(siege.bench.printed)")
            }),
        SiegeCase(
            id: "Q10", name: "1,000 connectors in the manifest", must: [.served],
            attack: { siege in
                var plugins = ""
                for number in 0..<1_000 {
                    plugins += "  unused-\(number):\n    sha256: [\(siege.pin)]\n"
                    let path = "\(siege.bench.hostileDirectory)/trstctl-connector-unused-\(number)"
                    try #require(link(siege.path, path) == 0)
                }
                try await siege.apply(
                    siege.manifest.replacingOccurrences(of: "plugins:\n", with: "plugins:\n" + plugins))
            }),
    ]
}
