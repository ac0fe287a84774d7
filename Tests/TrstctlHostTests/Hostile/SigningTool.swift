import Foundation
import Testing
import TrstctlCrypto

/// What an author signs with: `openssl`, as `cosign sign-blob --key` writes it (base64 of a DER signature); `minisign`.
enum SigningTool {
    /// Makes a P-256 key, and `path.pub`.
    static func makeKey(_ path: String) throws {
        try run("openssl ecparam -name prime256v1 -genkey -noout -out \(path)")
        try run("openssl pkey -in \(path) -pubout -out \(path).pub")
    }

    static func makeRSAKey(_ path: String) throws {
        try run("openssl genrsa -out \(path) 2048")
        try run("openssl pkey -in \(path) -pubout -out \(path).pub")
    }

    static func sign(_ file: String, key: String, to signature: String) throws {
        try run("openssl dgst -sha256 -sign \(key) -out \(signature) \(file)")
        let raw = try Data(contentsOf: URL(fileURLWithPath: signature))
        try Data(raw.base64EncodedString().utf8).write(to: URL(fileURLWithPath: signature))
    }

    /// The SHA-256 of a file.
    static func digest(_ path: String) throws -> Data {
        try Data(#require(Data(contentsOf: URL(fileURLWithPath: path)).withUnsafeBytes { SHA256.digest($0) }))
    }

    /// Runs a tool with words that have no blanks, and more that may.
    static func run(_ words: String, _ more: [String] = []) throws {
        let words = words.split(separator: " ").map(String.init)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/\(words[0])")
        process.arguments = words.dropFirst() + more
        process.standardInput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "\(words.joined(separator: " "))")
    }
}

/// A Sigstore bundle v0.3 with a managed key, as JSON in parts.
struct Bundle {
    var mediaType = "application/vnd.dev.sigstore.bundle.v0.3+json"
    var material: String
    var digest: Data
    /// In base64.
    var signature: String
    var tail = "}}"

    /// Makes a key and signs a file.
    init(of file: String, key: String) throws {
        try SigningTool.makeKey(key)
        try SigningTool.sign(file, key: key, to: key + ".sig")
        signature = try String(contentsOfFile: key + ".sig", encoding: .utf8)
        digest = try SigningTool.digest(file)
        let encoding = key + ".der"
        try SigningTool.run("openssl pkey -pubin -in \(key).pub -outform DER -out \(encoding)")
        material = #"{"publicKey":{"hint":"\#(try SigningTool.digest(encoding).base64EncodedString())"}}"#
    }

    var text: String {
        """
        {"mediaType":"\(mediaType)","verificationMaterial":\(material),"messageSignature":{"messageDigest":\
        {"algorithm":"SHA2_256","digest":"\(digest.base64EncodedString())"},"signature":"\(signature)"\(tail)
        """
    }
}

/// A signature of `minisign`: an untrusted comment, the signature, a trusted comment, the signature of both.
struct MinisignFile {
    var lines: [String]

    /// Makes a key, unless there is one, and signs a file.
    init(of file: String, key: String, comment: String, isLegacy: Bool = false) throws {
        try SigningTool.run("minisign -G -f -W -p \(key).pub -s \(key)")
        try SigningTool.run(
            "minisign -S\(isLegacy ? " -l" : "") -s \(key) -m \(file) -x \(key).minisig", ["-t", comment])
        lines = try String(contentsOfFile: key + ".minisig", encoding: .utf8).split(separator: "\n").map(String.init)
    }

    var text: String { lines.joined(separator: "\n") + "\n" }

    /// A line's bytes, whatever their encoding.
    func bytes(_ line: Int) -> [UInt8] { Array(Data(base64Encoded: lines[line]) ?? Data()) }

    /// Changes the bytes of a line.
    mutating func change(_ line: Int, _ body: (inout [UInt8]) -> Void) {
        var bytes = bytes(line)
        body(&bytes)
        lines[line] = Data(bytes).base64EncodedString()
    }
}
