import TrstctlHost
import TrstctlLaunch

/// What running connectors do wrong: handshakes, frames, calls, resources.
extension HostileCase {
    // The healthy connector of the same run has the same deadlines, also on a machine that stands still for a second.
    static let handshakes = [
        HostileCase("H01", "silent", .refused("handshake-timeout"), options: { $0.timeouts.handshake = 3_000 }),
        HostileCase("H01", "trickles", .refused("handshake-timeout"), options: { $0.timeouts.handshake = 3_000 }),
        HostileCase("H02", "leaves", .refused("handshake-exited"), says: "exit status 0"),
        HostileCase("H02", "exits", .refused("handshake-exited"), says: "no licence file"),
        HostileCase("H02", "signalled", .refused("handshake-exited"), says: "SIGILL"),
        HostileCase("H03", "no-line-feed", .refused("handshake-exited"), says: "without a line feed"),
        HostileCase("H03", "partial", .refused("handshake-exited"), says: "without a line feed"),
        HostileCase("H05", "endless-line", .refused("handshake-grammar"), says: "more than 4096 bytes"),
        HostileCase("H05", "endless-output", .refused("handshake-grammar"), says: "more than 4096 bytes"),
        HostileCase("H06", "version-two", .refused("handshake-version")),
        HostileCase("H06", "version-padded", .refused("handshake-version")),
        HostileCase("H06", "lower-case", .refused("handshake-grammar")),
        HostileCase("H06", "two-blanks", .refused("handshake-path")),
        HostileCase("H06", "tab", .refused("handshake-grammar")),
        HostileCase("H06", "byte-order-mark", .refused("handshake-grammar")),
        HostileCase("H06", "carriage-return", .refused("handshake-grammar")),
        HostileCase("H06", "more-words", .refused("handshake-grammar")),
        HostileCase("H06", "empty-path", .refused("handshake-path")),
        HostileCase("H07", "banner", .refused("handshake-grammar")),
        HostileCase("H07", "junk", .refused("handshake-grammar")),
        HostileCase("H09", "foreign", .refused("handshake-path")),
        HostileCase("H10", "dot-dot", .refused("handshake-grammar")),
        HostileCase("H10", "sub-directory", .refused("handshake-grammar")),
        HostileCase("H10", "two-slashes", .refused("handshake-grammar")),
        HostileCase("H11", "relative", .refused("handshake-path")),
        HostileCase("H11", "abstract", .refused("handshake-path")),
        HostileCase("H13", "escape-in-path", .refused("handshake-grammar"), says: "\\x{1b}"),
        HostileCase("H13", "not-utf8-path", .refused("handshake-grammar")),
        HostileCase("H13", "combining-path", .refused("handshake-grammar")),
        HostileCase("H14", "link", .refused("handshake-socket"), isConfined: false),
        HostileCase("H15", "regular-file", .refused("handshake-socket"), isConfined: false),
        HostileCase("H15", "fifo", .refused("handshake-socket"), isConfined: false),
        HostileCase("H15", "missing", .refused("handshake-socket")),
        HostileCase("H17", "squatted", .refused("handshake-peer"), says: "nothing was sent to it", isConfined: false),
        HostileCase("H18", "heir", .refused("handshake-peer"), isConfined: false),
        HostileCase("H19", "seqpacket", .refused("handshake-socket"), isConfined: false),
        HostileCase("H19", "datagram", .refused("handshake-socket"), isConfined: false),
        HostileCase("H21", "hello-silent", .refused("timeout"), options: { $0.timeouts.hello = 3_000 }),
        HostileCase("H21", "hello-garbage", .refused("invalid-message")),
        HostileCase("H21", "hello-refused", .refused("hello")),
        HostileCase("H21", "future", .refused("protocol-version")),
        HostileCase("H21", "wrong-name", .refused("name")),
    ]

    static let frames = [
        HostileCase("F01", "empty-frame", .failed(.read, "frame-empty")),
        HostileCase("F02", "over-limit", .failed(.read, "frame-too-long")),
        HostileCase("F02", "frame-2g", .failed(.read, "frame-too-long")),
        HostileCase("F02", "frame-high", .failed(.read, "frame-too-long")),
        HostileCase("F02", "huge-frame", .failed(.read, "frame-too-long")),
        HostileCase("F03", "announces", .failed(.read, "timeout"), options: { $0.callTimeouts.read = 3_000 }),
        HostileCase("F05", "byte-by-byte", .served),
        HostileCase("F06", "half-a-frame", .failed(.read, "frame-truncated")),
        HostileCase("F07", "hangs-up", .failed(.read, "crashed")),
        HostileCase("F07", "stops-listening", .failed(.read, "crashed")),
        HostileCase("F09", "long-varint", .failed(.read, "invalid-message")),
        HostileCase("F09", "negative-length", .failed(.read, "invalid-message")),
        HostileCase("F10", "deep", .served),
        HostileCase("F11", "group", .failed(.read, "invalid-message")),
        HostileCase("F11", "wire-type-7", .failed(.read, "invalid-message")),
        HostileCase("F11", "field-zero", .failed(.read, "invalid-message")),
        HostileCase("F13", "path-twice", .denied("not-declared"), says: "granted, then not: 7"),
        HostileCase("F13", "path-twice", .denied("not-declared"), says: "not granted, then granted: 0"),
        HostileCase("F14", "two-methods", .failed(.apply, "answered-failed-precondition"), says: "two methods: 0"),
        HostileCase("F14", "no-kind", .failed(.read, "unknown-kind")),
        HostileCase("F15", "bad-text", .failed(.read, "invalid-text")),
        HostileCase("F17", "bomb", .failed(.read, "invalid-message")),
        HostileCase("F18", "sizes", .served, says: "no byte: 0"),
        HostileCase("F18", "sizes", .served, says: "3 MiB: 0"),
        HostileCase("F18", "sizes", .served, says: "one more: 8"),
        HostileCase("F19", "swapped-length", .failed(.read, "frame-too-long")),
    ]

    static let calls = [
        HostileCase("R01", "unasked", .failed(.read, "unexpected-reply")),
        HostileCase("R02", "duplicate-id", .failed(.read, "id-not-increasing")),
        HostileCase("R03", "falling-id", .failed(.read, "id-not-increasing")),
        HostileCase("R03", "id-zero", .failed(.read, "id-zero")),
        HostileCase("R05", "wrong-direction", .failed(.read, "wrong-direction")),
        HostileCase("R05", "wrong-result", .failed(.read, "wrong-result")),
        HostileCase("R06", "early", .refused("call-before-hello")),
        HostileCase("R06", "second-hello", .failed(.read, "wrong-direction")),
        HostileCase(
            "R07", "calls-after-shutdown", .denied("no-scope"), says: "after shutdown: 7",
            options: { $0.timeouts.grace = 5_000 }),
        HostileCase("R09", "many-calls", .served, says: "refused calls: "),
        HostileCase("R09", "too-many-calls", .failed(.read, "too-many-calls")),
        HostileCase("R10", "many-denied", .denied("not-declared"), says: "denied: 5000"),
        HostileCase(
            "R11", "stops-reading", .failed(.read, "stopped-reading"), options: { $0.timeouts.writeStall = 2_000 }),
        HostileCase("R13", "wrong-token", .deniedThenFailed("no-scope", .apply, "changed-nothing")),
        HostileCase("R13", "wrong-call", .deniedThenFailed("no-scope", .apply, "changed-nothing")),
        HostileCase("R13", "late-call", .deniedThenFailed("no-scope", .apply, "changed-nothing")),
        HostileCase("R14", "changes-nothing", .failed(.apply, "changed-nothing")),
        HostileCase("R14", "claims-success", .deniedThenFailed("not-declared", .apply, "changed-nothing")),
        HostileCase("R14", "claims-blindly", .deniedThenFailed("not-declared", .apply, "changed-nothing")),
        HostileCase(
            "R15", "never-applies", .failed(.apply, "timeout"), says: "put back",
            options: { $0.callTimeouts.apply = 5_000 }
        ),
        HostileCase("R15", "never-reads", .failed(.read, "timeout"), options: { $0.callTimeouts.read = 3_000 }),
        HostileCase("R14", "claims-in-sync", .failed(.apply, "not-live"), says: "aaaaaaaaaaaaaaaa"),
        HostileCase(
            "R13", "cancels", .served, says: "cancelled: 1", plugin: ["  process.exec: [[/bin/sleep, \"600\"]]"]),
        HostileCase("R17", "fails-loudly", .failed(.apply, "answered-failed-precondition")),
        HostileCase("R17", "bad-fingerprint", .failed(.read, "bad-fingerprint"), says: "deadbeef\\x1b"),
        HostileCase("R18", "exits-in-apply", .failed(.apply, "crashed"), says: "put back"),
        HostileCase("R18", "breaks-off", .failed(.apply, "frame-empty"), says: "put back"),
    ]

    static let sandbox = [
        HostileCase("B10", "traces", .failed(.apply, "crashed"), says: "SIGSYS"),
        HostileCase("B13", "unshares", .failed(.apply, "crashed"), says: "SIGSYS"),
        HostileCase("B14", "rings", .failed(.apply, "crashed"), says: "SIGSYS"),
        HostileCase("B15", "int80", .failed(.apply, "crashed"), says: "SIGSYS"),
        HostileCase("B15", "x32", .failed(.apply, "crashed"), says: "SIGSYS"),
    ]

    static let lifecycle = [
        HostileCase("L05", "stubborn", .served, options: { $0.timeouts.grace = 100 }),
        HostileCase("L06", "forks", .refused("handshake-exited"), says: "fork: 1"),
        HostileCase("L07", "many-sockets", .served),
        HostileCase("L09", "exits-in-read", .failed(.read, "crashed"), says: "exit status 6"),
    ]

    static let resources = [
        HostileCase("Q02", "closes-output", .served),
        HostileCase("Q03", "thread-bomb", .served, says: "thread bomb stopped by: 11"),
        HostileCase("Q03", "hogs-memory", .failed(.apply, "crashed"), says: "SIGKILL"),
        HostileCase("Q05", "spins", .failed(.apply, "timeout"), options: { $0.callTimeouts.apply = 5_000 }),
        HostileCase("Q11", "logs-much", .served, says: "it logs too much; what follows is dropped"),
    ]
}
