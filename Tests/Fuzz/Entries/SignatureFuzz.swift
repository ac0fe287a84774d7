import CTrstctlSystem
import Glibc
import TrstctlCrypto
import TrstctlHost
import TrstctlSystem

enum SignatureFuzz {
    /// What is signed in the corpus: eight bytes, sealed.
    private static let content: (SealedContent, digest: [UInt8])? = {
        let bytes = Array("trstctl\n".utf8)
        let number = trstctl_memfd_create("fuzz")
        guard number >= 0, write(number, bytes, bytes.count) == bytes.count, trstctl_memfd_seal(number) == 0,
            let digest = bytes.withUnsafeBytes({ SHA256.digest($0) }),
            let content = try? SealedContent(descriptor: number)
        else { return nil }
        return (content, digest)
    }()

    /// Keys whose private halves are nowhere, but for the signatures in the corpus.
    private static let keys: [SignatureKey] = FuzzKeys.texts.compactMap { try? SignatureKey(text: Array($0.utf8)) }

    static func run(_ input: [UInt8]) throws(Violation) {
        guard let (content, digest) = content, keys.count == FuzzKeys.texts.count else {
            throw Violation(text: "the entry itself is wrong")
        }
        if let signature = try? DetachedSignature(file: input) {
            for key in keys {
                let verified = try? SignatureVerifier.verify(
                    content: content, digest: digest, signature: signature, key: key)
                try expect(verified == nil || verified?.form == signature.form, "verified as another form")
                let elsewhere = try? SignatureVerifier.verify(
                    content: content, digest: [UInt8](repeating: 0, count: 32), signature: signature, key: key)
                try expect(elsewhere?.form != .sigstoreBundle, "a bundle for another digest")
            }
        }
        if let key = try? SignatureKey(text: input) {
            let again = try? SignatureKey(text: Array(key.pem.utf8))
            try expect(again == key && again?.keyID == key.keyID, "a key that is another one as PEM")
        }
        if let signer = try? Signer(privateKey: Bytes(input)) {
            for form in [Signer.Output.base64, .sigstoreBundle] {
                guard let file = try? signer.sign(content, as: form) else { continue }
                try expect((try? DetachedSignature(file: file)) != nil, "a signature that cannot be read")
            }
        }
    }
}

enum CredentialFuzz {
    /// One file with certificate, chain and key, as many tools write them.
    static func run(_ input: [UInt8]) {
        let content = Bytes(input, isSecret: true)
        for chain in [nil, "chain"] {
            let loader = CredentialLoader(certificatePath: "both", keyPath: "both", chainPath: chain) {
                CredentialFile(path: $0, content: content, permissions: 0o600)
            }
            do throws(CredentialError) {
                let credential = try loader.load(now: 1_800_000_000)
                _ = (credential.leaf, credential.chain.map(\.subject), credential.warnings.map { "\($0)" })
            } catch {
                _ = "\(error)"
            }
        }
    }
}
