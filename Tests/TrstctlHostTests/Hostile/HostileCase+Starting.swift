import Foundation
import Glibc
import Testing
import TrstctlHost
import TrstctlSystem
import TrstctlTestSupport

/// What stands in the way of a start: files, bytes, signatures.
extension HostileCase {
    private static func changeMode(_ mode: mode_t) -> @Sendable (HostileBench, String) throws -> Void {
        { _, path in try #require(chmod(path, mode) == 0) }
    }

    private static func replace(_ make: @escaping @Sendable (String) -> Int32)
        -> @Sendable (HostileBench, String) throws
        -> Void
    {
        { _, path in
            try #require(unlink(path) == 0)
            try #require(make(path) == 0)
        }
    }

    private static func content(_ change: @escaping @Sendable (inout [UInt8]) -> Void)
        -> @Sendable (HostileBench, String)
        throws -> Void
    {
        { _, path in
            var bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
            change(&bytes)
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            try #require(chmod(path, 0o755) == 0)
        }
    }

    private static func append(_ bytes: Int) -> @Sendable (HostileBench, String) throws -> Void {
        { _, path in
            var status = stat()
            try #require(stat(path, &status) == 0 && truncate(path, status.st_size + bytes) == 0)
        }
    }

    static let discovery = [
        HostileCase("D01", "healthy", .refused("unpinned"), pin: ""),
        HostileCase("D02", "healthy", .refused("not-found"), tamper: { _, path in unlink(path) }),
        HostileCase("D05", "fifo-file", .refused("not-regular"), tamper: replace { mkfifo($0, 0o755) }),
        HostileCase("D05", "directory", .refused("not-regular"), tamper: replace { mkdir($0, 0o755) }),
        HostileCase("D05", "device", .refused("not-regular"), tamper: replace { mknod($0, S_IFCHR | 0o755, 0x103) }),
        HostileCase("D05", "socket", .refused("not-regular"), tamper: replace { mknod($0, S_IFSOCK | 0o755, 0) }),
        HostileCase("D05", "dangling", .refused("dangling-link"), tamper: replace { symlink("/nowhere", $0) }),
        HostileCase("D06", "group-writable", .refused("file-writable"), tamper: changeMode(0o775)),
        HostileCase("D06", "world-writable", .refused("file-writable"), tamper: changeMode(0o757)),
        HostileCase("D06", "others-file", .refused("file-owner"), tamper: { _, path in chown(path, 4711, 4711) }),
        HostileCase(
            "D06", "open-directory", .refused("directory-writable"),
            tamper: { bench, _ in chmod(bench.hostileDirectory, 0o777) }),
        HostileCase(
            "D06", "others-directory", .refused("directory-owner"),
            tamper: { bench, _ in chown(bench.hostileDirectory, 4711, 4711) }),
        HostileCase("D07", "setuid", .refused("privileged-file"), tamper: changeMode(0o4755)),
        HostileCase("D07", "setgid", .refused("privileged-file"), tamper: changeMode(0o2755)),
        HostileCase(
            "D09", "crowd", .served,
            tamper: { bench, _ in
                for number in 0..<20_000 {
                    close(open("\(bench.hostileDirectory)/trstctl-connector-x\(number)", O_CREAT | O_WRONLY, 0o755))
                }
            }),
        HostileCase(
            "D10", "two-names", .served,
            tamper: { bench, path in try #require(link(path, bench.scratch.file("other-name")) == 0) }),
        HostileCase("D11", "not-executable", .refused("not-executable"), tamper: changeMode(0o644)),
        HostileCase("D11", "zero-bytes", .refused("empty"), tamper: content { $0 = [] }),
        HostileCase("D11", "cut-header", .refused("executable-format"), make: content { $0 = Array($0.prefix(40)) }),
        HostileCase("D11", "other-machine", .refused("executable-format"), make: content { $0[18] = 0xF3 }),
        HostileCase("D11", "text", .refused("executable-format"), make: content { $0 = Array("hello\n".utf8) }),
    ]

    private static let foreignPin = "\"" + String(repeating: "ab", count: 32) + "\""

    static let checksums = [
        HostileCase("C01", "flipped-bit", .refused("digest-mismatch"), tamper: content { $0[$0.count / 2] ^= 1 }),
        HostileCase("C02", "appended", .refused("digest-mismatch"), tamper: content { $0.append(0) }),
        HostileCase("C02", "cut", .refused("digest-mismatch"), tamper: content { $0.removeLast() }),
        HostileCase("C02", "sparse-tail", .refused("digest-mismatch"), tamper: append(64 << 20)),
        HostileCase("C06", "beyond-the-limit", .refused("too-large"), tamper: append(1 << 31)),
        HostileCase(
            "C10", "script", .refused("script-not-allowed"),
            make: content { $0 = Array("#!/bin/sh\necho TRSTCTL-PLUGIN-V1\n".utf8) }),
        HostileCase(
            "C11", "script", .refused("interpreter-mismatch"),
            plugin: ["script: { interpreter: /bin/sh, sha256: [\(foreignPin)] }"],
            make: content { $0 = Array("#!/bin/sh\necho TRSTCTL-PLUGIN-V1\n".utf8) }),
    ]

    /// Signs with a key that lies beside the manifest, as `name.pub`.
    private static func sign(
        _ name: String = "release", _ change: @escaping @Sendable (String) throws -> Void = { _ in }
    ) -> @Sendable (HostileBench, String) throws -> Void {
        { bench, path in
            try SigningTool.makeKey(bench.scratch.file(name))
            try SigningTool.sign(path, key: bench.scratch.file(name), to: path + ".sig")
            try change(path + ".sig")
        }
    }

    private static func text(_ change: @escaping @Sendable (String) -> String) -> @Sendable (String) throws -> Void {
        { path in
            let text = try String(contentsOfFile: path, encoding: .utf8)
            try Data(change(text).utf8).write(to: URL(fileURLWithPath: path))
        }
    }

    private static let required = ["signature: { keys: [{ id: release, file: release.pub }] }"]
    private static let ifPresent = ["signature: { policy: if-present, keys: [{ id: release, file: release.pub }] }"]

    static let signatures = [
        HostileCase("S01", "signed", .served, plugin: required, make: sign()),
        HostileCase("S05", "other-pin", .refused("digest-mismatch"), plugin: required, pin: foreignPin, make: sign()),
        HostileCase(
            "S06", "unsigned", .refused("signature-missing"), plugin: required, make: sign("release") { _ = unlink($0) }
        ),
        HostileCase("S06", "unsigned-allowed", .served, plugin: ifPresent, make: sign("release") { _ = unlink($0) }),
        HostileCase(
            "S07", "rsa-key", .refused("signature-key-unusable"), plugin: required,
            make: { bench, path in
                try sign()(bench, path)
                try SigningTool.makeRSAKey(bench.scratch.file("release"))
            }),
        HostileCase("S10", "line-feed", .served, plugin: required, make: sign("release", text { $0 + "\n" })),
        HostileCase(
            "S10", "crlf", .refused("signature-not-base64"), plugin: required,
            make: sign("release", text { $0 + "\r\n" })),
        HostileCase(
            "S10", "two-lines", .refused("signature-not-base64"), plugin: required,
            make: sign("release", text { $0 + "\n\n" })),
        HostileCase(
            "S10", "blank", .refused("signature-not-base64"), plugin: required, make: sign("release", text { " " + $0 })
        ),
        HostileCase(
            "S10", "no-padding", .refused("signature-not-base64"), plugin: required,
            make: sign(
                "release",
                text { text in
                    // A signature of 72 bytes has no padding to leave out.
                    let bare = text.trimmingCharacters(in: ["="])
                    return bare.utf8.count % 4 == 0 ? String(bare.dropLast()) : bare
                })),
        HostileCase(
            "S14", "huge-signature", .refused("signature-too-large"), plugin: required,
            make: sign("release") { try #require(truncate($0, 1 << 30) == 0) }),
        HostileCase(
            "S14", "fifo-signature", .refused("signature-not-regular-file"), plugin: required,
            make: sign("release") { try #require(unlink($0) == 0 && mkfifo($0, 0o644) == 0) }),
        HostileCase(
            "S14", "linked-signature", .refused("signature-not-regular-file"), plugin: required,
            make: sign("release") { try #require(rename($0, $0 + "x") == 0 && symlink($0 + "x", $0) == 0) }),
        HostileCase(
            "S15", "anothers-signature", .refused("signature-mismatch"), plugin: required,
            make: { bench, path in
                let other = try bench.scratch.write("another connector's bytes", to: "other")
                try SigningTool.makeKey(bench.scratch.file("release"))
                try SigningTool.sign(other, key: bench.scratch.file("release"), to: path + ".sig")
            }),
        HostileCase(
            "S15", "anothers-key", .refused("signature-mismatch"), plugin: required,
            make: { bench, path in
                try sign("attacker")(bench, path)
                try SigningTool.makeKey(bench.scratch.file("release"))
            }),
    ]
}
