import Foundation
import Testing

/// K09: the code through which keys pass makes no copies of them that nobody wipes.
///
/// A reviewer in the form of a test.
@Suite("Where key bytes pass")
struct SecretSurfaceTests {
    private static let sources = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../../Sources")
        .standardized

    /// The files and folders through which keys and secret values pass.
    private static let rooms = [
        "TrstctlSystem/Secret", "TrstctlBroker/Content", "TrstctlHost/Credential", "TrstctlHost/Secrets",
        "TrstctlHost/Reconcile/DeploymentMessage.swift", "TrstctlCrypto/PrivateKey.swift",
        "TrstctlCrypto/ParsedKey.swift",
        "TrstctlCrypto/KeyForm.swift", "TrstctlCrypto/PKCS12.swift", "TrstctlCrypto/PKCS12Assembly.swift",
        "TrstctlCrypto/BufferedOutput.swift", "TrstctlBroker/Exec/CommandOutput.swift",
    ]

    /// What makes an ordinary array, text or heap block out of bytes.
    private static let copies = [
        ".array", ".text", "Array(", "[UInt8](", "Data(", "String(decoding", "String(validating", "String(cString",
        "malloc(", "UnsafeMutablePointer", "UnsafeMutableRawBufferPointer.allocate",
    ]

    /// Lines that copy something public: certificates, names, paths, digits.
    private static let allowed = [
        "func chainPEM", "package var fullchainPEM", "let alphabet = Array(", "private static let digits",
        "String(cString: name)", "getenv(\"CREDENTIALS_DIRECTORY\")", "let characters = array.map",
        "guard let text = bytes.text", "Array(\"trstctl PKCS#12", "Array(((seed", "leaf.fingerprint.prefix",
        "malloc(count) else", "UnsafeMutablePointer<CChar>", "UnsafeMutablePointer<UInt8>?",
        "UnsafeMutablePointer<PKCS7>", "UnsafeMutablePointer<X509_ALGOR>", "signature = [UInt8](",
        "let challenge = Array(",
        "Array(certificates.dropFirst())", "Glibc.read(", "PrintableText", "Array(name.utf8)",
        "block.text", "self.text = text", "Array(stride(from:", "target.name.text", "manifest.targets.map",
        ".text(String(text.dropFirst", "?? .text(text)",
    ]

    private static func files() -> [URL] {
        rooms.flatMap { room -> [URL] in
            let place = sources.appendingPathComponent(room)
            guard !room.hasSuffix(".swift") else { return [place] }
            return ((try? FileManager.default.contentsOfDirectory(atPath: place.path)) ?? []).map {
                place.appendingPathComponent($0)
            }
        }
    }

    @Test("No line of theirs copies bytes into an array, a text or a heap block, but for public ones that are listed")
    func copies() throws {
        let files = Self.files()
        #expect(files.count >= 20)
        for file in files {
            let lines = try String(contentsOf: file, encoding: .utf8).split(
                separator: "\n", omittingEmptySubsequences: false)
            for (number, line) in lines.enumerated() where !line.drop(while: { $0 == " " }).hasPrefix("//") {
                guard Self.copies.contains(where: { line.contains($0) }) else { continue }
                #expect(
                    Self.allowed.contains { line.contains($0) }, "\(file.lastPathComponent):\(number + 1): \(line)")
            }
        }
    }

    @Test("No declaration hands out a key, password or secret as an array, a text or Data")
    func declarations() throws {
        let declaration = try Regex(
            #"\b(var|let|func)\s+\w*([kK]ey|[sS]ecret|[pP]assword|[pP]rivate)\w*\b[^={]*(:|->)\s*(\[UInt8\]|String|Data)\??\s*(\{|=|$)"#
        )
        let allowed = [
            "reservedNames", "keyPath", "keyFile", "sshKey", "keyID", "keyId", "publicKey", "keyText",
            " var key: String",
        ]
        let everything = try #require(FileManager.default.enumerator(atPath: Self.sources.path))
        while let name = everything.nextObject() as? String {
            guard name.hasSuffix(".swift"), !name.contains("Generated"), !name.contains("/Signature/") else { continue }
            let text = try String(contentsOf: Self.sources.appendingPathComponent(name), encoding: .utf8)
            for line in text.split(separator: "\n") {
                guard line.contains(declaration), !allowed.contains(where: { line.contains($0) }) else { continue }
                #expect(line.contains("Names") || line.contains("Name"), "\(name): \(line)")
            }
        }
    }
}
