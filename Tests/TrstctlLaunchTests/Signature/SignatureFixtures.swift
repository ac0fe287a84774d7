import CTrstctlSystem
import Foundation
import Glibc
import Testing
import TrstctlCrypto
import TrstctlSystem

/// Runs a tool to its end and gives back what it wrote; fails the test with the package to install when it is missing.
@discardableResult
func runTool(_ tool: String, _ arguments: [String], package: String) throws -> [UInt8] {
    let path = ["/usr/bin", "/usr/local/bin", "/bin"].map { "\($0)/\(tool)" }
        .first { FileManager.default.isExecutableFile(atPath: $0) }
    let executable = try #require(path, "\(tool) is missing: apt-get install -y \(package)")
    let process = Process()
    process.executableURL = URL(fileURLWithPath: executable)
    process.arguments = arguments
    let (output, errors) = (Foundation.Pipe(), Foundation.Pipe())
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    let result = output.fileHandleForReading.readDataToEndOfFile()
    let complaint = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    try #require(process.terminationStatus == 0, "\(tool) \(arguments.joined(separator: " ")): \(complaint)")
    return Array(result)
}

/// Content in a sealed memfd, with its digest.
final class SealedFixture: Sendable {
    let bytes: [UInt8]
    let digest: [UInt8]
    private let descriptor: OwnedDescriptor

    init(_ bytes: [UInt8]) throws {
        self.bytes = bytes
        digest = try sha256(bytes)
        descriptor = OwnedDescriptor(try retryingInterrupts("memfd_create") { trstctl_memfd_create("signed") })
        let written = bytes.withUnsafeBytes { write(descriptor.raw, $0.baseAddress, $0.count) }
        try #require(written == bytes.count)
        try #require(trstctl_memfd_seal(descriptor.raw) == 0)
    }

    var content: SealedContent {
        get throws { try SealedContent(descriptor: descriptor.raw) }
    }

    /// Parses and verifies.
    func verify(_ file: [UInt8], _ key: SignatureKey) throws -> VerifiedSignature {
        try SignatureVerifier.verify(
            content: content, digest: digest, signature: DetachedSignature(file: file), key: key)
    }
}

func sha256(_ bytes: [UInt8]) throws -> [UInt8] {
    try #require(bytes.withUnsafeBytes { SHA256.digest($0) })
}

func bytes(of path: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: path))) }

func base64(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }

/// Asserts a refusal with its code, and that a person is told something.
func expectRefusal(
    _ code: SignatureError.Code, _ what: String = "", sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () throws -> Void
) {
    let error = #expect(throws: SignatureError.self, "\(what)", sourceLocation: sourceLocation, performing: body)
    #expect(error?.code == code, "\(what): \(error?.description ?? "")", sourceLocation: sourceLocation)
    #expect(error?.reason.isEmpty == false, sourceLocation: sourceLocation)
}

func expectKeyRefusal(
    _ code: SignatureKeyError.Code, _ what: String = "", sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () throws -> Void
) {
    let error = #expect(throws: SignatureKeyError.self, "\(what)", sourceLocation: sourceLocation, performing: body)
    #expect(error?.code == code, "\(what): \(error?.description ?? "")", sourceLocation: sourceLocation)
}

/// Keys and signatures that the real tools made: `openssl` and `minisign`.
final class SignatureTools: Sendable {
    let directory: TemporaryDirectory
    let fixture: SealedFixture
    let p256: SignatureKey
    let ed25519: SignatureKey
    let minisign: SignatureKey
    /// DER by `openssl dgst -sign`.
    let ecdsa: [UInt8]
    /// 64 bytes by `openssl pkeyutl -rawin`.
    let edwards: [UInt8]
    /// A file by `minisign -S`.
    let minisignFile: [UInt8]

    static let comment = "name:nginx\tversion:1.4.0 made by hand"

    /// - Parameter size: of the content, in bytes; usually more than one piece of what is read at a time, and not a
    ///   multiple of it.
    /// - Throws: what stands in the way, a missing tool with its package.
    init(size: Int = 600_001) throws {
        directory = try TemporaryDirectory()
        let content = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }
        fixture = try SealedFixture(content)
        let file = try directory.write(content, to: "content")
        func openssl(_ arguments: String...) throws { try runTool("openssl", arguments, package: "openssl") }
        let (ec, ed) = (directory.file("ec.pem"), directory.file("ed.pem"))
        try openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", ec)
        try openssl("genpkey", "-algorithm", "ed25519", "-out", ed)
        try openssl("pkey", "-in", ec, "-pubout", "-out", ec + ".pub")
        try openssl("pkey", "-in", ed, "-pubout", "-out", ed + ".pub")
        try openssl("dgst", "-sha256", "-sign", ec, "-out", directory.file("ec.sig"), file)
        try openssl("pkeyutl", "-sign", "-inkey", ed, "-rawin", "-in", file, "-out", directory.file("ed.sig"))
        p256 = try SignatureKey(text: bytes(of: ec + ".pub"))
        ed25519 = try SignatureKey(text: bytes(of: ed + ".pub"))
        ecdsa = try bytes(of: directory.file("ec.sig"))
        edwards = try bytes(of: directory.file("ed.sig"))
        let secret = directory.file("minisign.key")
        try runTool(
            "minisign", ["-G", "-W", "-p", directory.file("minisign.pub"), "-s", secret], package: "minisign")
        minisign = try SignatureKey(text: bytes(of: directory.file("minisign.pub")))
        try runTool("minisign", ["-S", "-s", secret, "-m", file, "-t", SignatureTools.comment], package: "minisign")
        minisignFile = try bytes(of: file + ".minisig")
    }

    var base64ECDSA: [UInt8] { Array(base64(ecdsa).utf8) }

    /// A bundle as JSON text, with the parts that a test wants to change.
    func bundle(
        mediaType: String = "application/vnd.dev.sigstore.bundle.v0.3+json", material: String? = nil,
        algorithm: String = "SHA2_256", digest: [UInt8]? = nil, signature: String? = nil, more: String = ""
    ) throws -> [UInt8] {
        let hint = base64(p256.fingerprint)
        let material = material ?? #"{"publicKey":{"hint":"\#(hint)"}}"#
        return Array(
            """
            {"mediaType":"\(mediaType)","verificationMaterial":\(material),"messageSignature":{"messageDigest":\
            {"algorithm":"\(algorithm)","digest":"\(base64(digest ?? fixture.digest))"},\
            "signature":"\(signature ?? base64(ecdsa))"}\(more)}
            """.utf8)
    }
}

/// Vectors that are not part of the repository.
enum SharedVectors {
    /// `$TRSTCTL_VECTORS`, else `shared/vectors` beside the repository.
    static let root: String =
        ProcessInfo.processInfo.environment["TRSTCTL_VECTORS"]
        ?? (0..<4).reduce(URL(fileURLWithPath: #filePath)) { url, _ in url.deletingLastPathComponent() }
        .appendingPathComponent("../shared/vectors").standardizedFileURL.path

    static let conformance = root + "/sigstore-conformance"

    /// Says aloud when the vectors are not there.
    static let areThere: Bool = {
        let isThere = FileManager.default.fileExists(atPath: conformance + "/a.txt")
        if !isThere { print("SKIPPED: no vectors of sigstore-conformance in \(root); set TRSTCTL_VECTORS") }
        return isThere
    }()
}

/// Reproducible choices (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
