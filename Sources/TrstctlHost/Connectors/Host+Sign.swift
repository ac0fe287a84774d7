import Glibc
package import TrstctlCrypto
import TrstctlLaunch
import TrstctlPolicy
package import TrstctlSystem

/// What `plugin sign` wrote.
package struct SignReport: Codable, Sendable {
    /// The executable, as it was named.
    package var file: String
    /// The file with the signature.
    package var signature: String
    /// `base64` or `sigstore-bundle`.
    package var form: String
    /// SHA-256 of the bytes that were signed, what a manifest pins.
    package var sha256: String
    /// `P-256` or `Ed25519`.
    package var algorithm: String
    /// By which reports and revocations name the key.
    package var keyID: String
    /// What users verify with, a PEM block.
    package var publicKey: String
    package var warnings: [String]
}

extension Host {
    /// Signs an executable for its users: reads the private key, signs the bytes of a sealed copy, verifies the signature
    /// with the public half, and writes it beside the executable.
    ///
    /// - Parameters:
    ///   - file: the executable.
    ///   - key: where the private key comes from.
    ///   - output: what is written; `FILE.sig` or `FILE.sigstore.json`. One that is there is replaced.
    /// - Returns: what was written.
    /// - Throws: `UsageError`; nothing is written then.
    package func sign(_ file: Bytes, key: AuthorKey, as output: Signer.Output) throws(UsageError) -> SignReport {
        let pem = try key.read()
        let signer: Signer
        do throws(SignatureKeyError) {
            signer = try Signer(privateKey: pem)
        } catch {
            throw UsageError("the key cannot be used: \(error)")
        }
        let (signature, digest, kind) = try Host.signature(signer, file, output)
        let suffix = output == .base64 ? ".sig" : ".sigstore.json"
        let place = Bytes(file.array + Array(suffix.utf8))
        do throws(SystemError) {
            try NewFile(place).write(signature)
        } catch {
            throw UsageError(
                "the signature could not be written: \(error)\n  next: see that \(printable(place)) can be replaced")
        }
        return SignReport(
            file: printable(file), signature: printable(place), form: output.rawValue, sha256: digest.hex,
            algorithm: signer.publicKey.kind.rawValue, keyID: signer.publicKey.keyID, publicKey: signer.publicKey.pem,
            warnings: Host.warnings(file, wrote: suffix, kind))
    }

    private static func signature(
        _ signer: Signer, _ file: Bytes, _ output: Signer.Output
    ) throws(UsageError) -> ([UInt8], SHA256Digest, ExecutableKind) {
        do {
            let sealed = try SealedFile(file)
            return (try signer.sign(try sealed.content, as: output), sealed.digest, sealed.kind)
        } catch {
            throw UsageError("nothing was signed: \(error)\n  next: name the executable that users install")
        }
    }

    /// What keeps hosts from using the signature.
    private static func warnings(_ file: Bytes, wrote suffix: String, _ kind: ExecutableKind) -> [String] {
        var warnings: [String] = []
        let leaf = Bytes(Array(file.array.split(separator: UInt8(ascii: "/")).last ?? []))
        let prefix = "trstctl-connector-"
        if leaf.text.flatMap({ $0.hasPrefix(prefix) ? ConnectorName(String($0.dropFirst(prefix.count))) : nil }) == nil
        {
            warnings.append("\(printable(leaf)) is no connector's file name, \(prefix)NAME; rename both files together")
        }
        switch kind {
        case .unknown, .brokenELF:
            warnings.append("it is \(kind): sign the executable that users install, not an archive of it")
        case .staticELF, .dynamicELF, .script, .foreignELF: break
        }
        let others = SignatureFile.suffixes.filter { other in
            var status = stat()
            let path = Bytes(file.array + Array(other.utf8))
            return other != suffix && path.withCString { lstat($0, &status) } == 0
        }
        for other in others {
            let place = printable(Bytes(file.array + Array(other.utf8)))
            let isFirst =
                (SignatureFile.suffixes.firstIndex(of: other) ?? 0)
                < (SignatureFile.suffixes.firstIndex(of: suffix) ?? 0)
            warnings.append(
                isFirst
                    ? "\(place) is there too, and hosts look at it first: remove it, unless it is to count"
                    : "\(place) is there too, and hosts do not look at it beside this one")
        }
        return warnings
    }
}
