import Foundation
import Glibc
import Testing
import TrstctlTestSupport

/// Signatures in the other forms: Sigstore bundles, minisign, and the twin of an ECDSA signature.
extension HostileCase {
    private static let required = ["signature: { keys: [{ id: release, file: release.pub }] }"]

    /// A bundle with a managed key, with one of its parts changed.
    private static func bundle(
        _ connector: String, _ outcome: Outcome, id: String = "S03",
        _ change: @escaping @Sendable (inout Bundle) -> Void
    ) -> HostileCase {
        HostileCase(
            id, connector, outcome, plugin: required,
            make: { bench, path in
                var bundle = try Bundle(of: path, key: bench.scratch.file("release"))
                change(&bundle)
                try Data(bundle.text.utf8).write(to: URL(fileURLWithPath: path + ".sigstore.json"))
            })
    }

    private static let bundles = [
        bundle("bundle", .served, id: "S02") { _ in },
        bundle("bundle-future", .refused("bundle-version")) {
            $0.mediaType = "application/vnd.dev.sigstore.bundle.v0.4+json"
        },
        bundle("bundle-past", .refused("bundle-version")) {
            $0.mediaType = "application/vnd.dev.sigstore.bundle+json;version=0.2"
        },
        bundle("bundle-cut", .refused("bundle-not-json")) { $0.tail = "" },
        bundle("bundle-more", .refused("bundle-not-json")) { $0.tail += "{}" },
        bundle("bundle-keyless", .refused("bundle-keyless")) {
            $0.material = #"{"certificate":{"rawBytes":"AAAA"}}"#
        },
        bundle("bundle-anothers-hint", .refused("signature-key-mismatch")) {
            $0.material = #"{"publicKey":{"hint":"\#(Data(repeating: 7, count: 32).base64EncodedString())"}}"#
        },
        bundle("bundle-anothers-digest", .refused("signature-digest-mismatch")) {
            $0.digest = Data(repeating: 7, count: 32)
        },
        bundle("bundle-no-base64", .refused("signature-not-base64")) { $0.signature = "INVALID!!!BASE64!!!" },
        bundle("bundle-flipped", .refused("signature-mismatch")) {
            var signature = Data(base64Encoded: $0.signature) ?? Data()
            // In the middle of r, behind its header: still DER.
            signature[20] ^= 1
            $0.signature = signature.base64EncodedString()
        },
        HostileCase(
            "S03", "bundle-anothers-key", .refused("signature-mismatch"), plugin: required,
            make: { bench, path in
                var bundle = try Bundle(of: path, key: bench.scratch.file("attacker"))
                bundle.material = #"{"publicKey":{}}"#
                try Data(bundle.text.utf8).write(to: URL(fileURLWithPath: path + ".sigstore.json"))
                try SigningTool.makeKey(bench.scratch.file("release"))
            }),
        HostileCase(
            "S11", "bundle-of-others", .refused("signature-mismatch"), plugin: required,
            make: { bench, path in
                let other = try bench.scratch.write("another connector's bytes", to: "other")
                var bundle = try Bundle(of: other, key: bench.scratch.file("release"))
                bundle.digest = try SigningTool.digest(path)
                try Data(bundle.text.utf8).write(to: URL(fileURLWithPath: path + ".sigstore.json"))
            }),
        // Who signs the digest as if it were the file.
        HostileCase(
            "S11", "bundle-of-digest", .refused("signature-mismatch"), plugin: required,
            make: { bench, path in
                let digest = try SigningTool.digest(path)
                let other = try bench.scratch.write(digest, to: "other")
                var bundle = try Bundle(of: other, key: bench.scratch.file("release"))
                bundle.digest = digest
                try Data(bundle.text.utf8).write(to: URL(fileURLWithPath: path + ".sigstore.json"))
            }),
    ]

    private static let twin = HostileCase(
        "S09", "other-s", .served, plugin: required,
        make: { bench, path in
            let (key, signature) = (bench.scratch.file("release"), path + ".sig")
            try SigningTool.makeKey(key)
            try SigningTool.sign(path, key: key, to: signature)
            let first = try #require(Data(base64Encoded: try Data(contentsOf: URL(fileURLWithPath: signature))))
            let other = ECDSATwin.other(Array(first))
            try #require(other != Array(first))
            try Data(Data(other).base64EncodedString().utf8).write(to: URL(fileURLWithPath: signature))
        })

    /// A minisign signature, with its four lines changed.
    private static func minisign(
        _ connector: String, _ outcome: Outcome, comment: String? = nil, isLegacy: Bool = false,
        key: String = "release",
        _ change: @escaping @Sendable (HostileBench, inout MinisignFile) throws -> Void = { _, _ in }
    ) -> HostileCase {
        HostileCase(
            "S13", connector, outcome, plugin: required,
            make: { bench, path in
                var file = try MinisignFile(
                    of: path, key: bench.scratch.file(key), comment: comment ?? "name:\(connector)", isLegacy: isLegacy)
                try change(bench, &file)
                try Data(file.text.utf8).write(to: URL(fileURLWithPath: path + ".minisig"))
            })
    }

    private static let minisigns = [
        minisign("minisign", .served),
        minisign("minisign-legacy", .refused("minisign-legacy"), isLegacy: true),
        minisign("minisign-ed", .refused("minisign-legacy")) { $1.change(1) { $0[1] = UInt8(ascii: "d") } },
        minisign("minisign-legacy-as-new", .refused("signature-mismatch"), isLegacy: true) {
            $1.change(1) { $0[1] = UInt8(ascii: "D") }
        },
        minisign("minisign-unknown", .refused("minisign-malformed")) { $1.change(1) { $0[0] = UInt8(ascii: "X") } },
        minisign("minisign-key-id", .refused("signature-key-mismatch")) { $1.change(1) { $0[5] ^= 1 } },
        minisign("minisign-posing", .refused("signature-mismatch"), key: "attacker") { bench, file in
            // The right id on the attacker's signature.
            let release = try MinisignFile(of: bench.badPath, key: bench.scratch.file("release"), comment: "x")
            let id = release.bytes(1)[2..<10]
            file.change(1) { $0.replaceSubrange(2..<10, with: id) }
        },
        minisign("minisign-flipped", .refused("signature-mismatch")) { $1.change(1) { $0[40] ^= 1 } },
        minisign("minisign-comment", .refused("trusted-comment-mismatch")) { $1.lines[2] += " version:9" },
        minisign("minisign-global", .refused("trusted-comment-mismatch")) { $1.change(3) { $0[0] ^= 1 } },
        minisign("minisign-no-global", .refused("minisign-no-global-signature")) { $1.lines.removeLast() },
        minisign("minisign-escape", .refused("trusted-comment-malformed")) { $1.lines[2] += "\u{1B}[2J" },
        minisign("minisign-other-name", .refused("signature-name"), comment: "name:echo"),
    ]

    static let signatureForms = bundles + [twin] + minisigns
}

/// The other signature of the same bytes with the same key: (r, n - s) beside (r, s).
enum ECDSATwin {
    /// The order n of P-256, SEC 2 section 2.4.2.
    private static let order: [UInt8] = [
        0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ]

    /// - Parameter der: an ECDSA signature of P-256, minimal DER.
    /// - Returns: its twin, minimal DER.
    static func other(_ der: [UInt8]) -> [UInt8] {
        let r = der[4..<4 + Int(der[3])]
        let s = der[(6 + r.count)...]
        let padded = [UInt8](repeating: 0, count: max(0, 32 - s.count)) + s.suffix(32)
        var result: [UInt8] = []
        var borrow = 0
        for (a, b) in zip(order.reversed(), padded.reversed()) {
            let digit = Int(a) - Int(b) - borrow
            borrow = digit < 0 ? 1 : 0
            result.insert(UInt8(truncatingIfNeeded: digit), at: 0)
        }
        while result.count > 1, result[0] == 0, result[1] < 0x80 { result.removeFirst() }
        if result[0] >= 0x80 { result.insert(0, at: 0) }
        let body = [0x02, UInt8(r.count)] + r + [0x02, UInt8(result.count)] + result
        return [0x30, UInt8(body.count)] + body
    }
}
