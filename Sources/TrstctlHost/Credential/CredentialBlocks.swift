import TrstctlCrypto
import TrstctlSystem

/// The PEM blocks of one of a credential's files, and what they stand for.
struct CredentialBlocks {
    enum Role {
        case certificate, chain, key
    }

    private let path: String
    private let role: Role
    private let blocks: [PEMBlock]

    init(_ file: CredentialFile, role: Role) throws(CredentialError) {
        path = file.path
        self.role = role
        do throws(PEMError) {
            blocks = try PEM.blocks(in: file.content)
        } catch {
            throw CredentialError(
                error.code == .cryptography ? .cryptography : .malformed, file.path, expected: "well-formed PEM blocks",
                found: error.reason, next: "Look at the file: it may have been cut off or edited.")
        }
        guard blocks.isEmpty else { return }
        // 0x30 is a SEQUENCE: DER certificates and keys, and PKCS#12, begin with it.
        let isDER = file.content.withUnsafeBytes { $0.first } == 0x30
        throw CredentialError(
            .notPEM, file.path, expected: "PEM (`-----BEGIN …`)",
            found: isDER ? "what looks like DER or PKCS#12" : "no PEM block",
            next: isDER
                ? "Convert it: `openssl x509 -inform DER`, `openssl pkey -inform DER` or `openssl pkcs12 -nodes`."
                : "Name the file that your certificate tool wrote as PEM.")
    }

    /// Every certificate, in the file's order; blocks of other kinds are ignored.
    func certificates() throws(CredentialError) -> [Certificate] {
        if blocks.contains(where: { $0.label == "TRUSTED CERTIFICATE" }) {
            throw CredentialError(
                .malformed, path, expected: "CERTIFICATE blocks", found: "a TRUSTED CERTIFICATE block",
                next: "Convert it: `openssl x509 -in \(path) -out FILE`.")
        }
        let found = blocks.filter { $0.isCertificate }
        guard !found.isEmpty else {
            throw CredentialError(
                .noCertificate, path, expected: "at least one CERTIFICATE block", found: labels,
                next: "Name the file with the certificate chain, for example fullchain.pem.")
        }
        guard found.count <= PEM.certificateLimit else {
            throw CredentialError(
                .tooManyCertificates, path, expected: "at most \(PEM.certificateLimit) certificates",
                found: "\(found.count)", next: "Name the server's own chain, not a bundle of authorities.")
        }
        var certificates: [Certificate] = []
        for (index, block) in found.enumerated() {
            do throws(CertificateError) {
                certificates.append(try Certificate(der: block.contents))
            } catch {
                throw CredentialError(
                    error.code == .cryptography ? .cryptography : .malformed, path,
                    expected: "an X.509 certificate in block \(index + 1)", found: error.reason,
                    next: "Look with `openssl x509 -in \(path) -noout -text`.")
            }
        }
        return certificates
    }

    /// The one private key.
    func privateKey() throws(CredentialError) -> PrivateKey {
        do throws(PrivateKeyError) {
            return try PrivateKey(blocks: blocks)
        } catch {
            switch error.code {
            case .missing:
                throw CredentialError(
                    .noKey, path, expected: "a PRIVATE KEY block", found: labels,
                    next: "Name the private key's file, for example privkey.pem.")
            case .several:
                throw CredentialError(
                    .severalKeys, path, expected: "one private key", found: error.reason,
                    next: "Keep one key per file.")
            case .encrypted:
                throw CredentialError(
                    .keyEncrypted, path, expected: "an unencrypted private key", found: error.reason,
                    next: "Decrypt it once: `openssl pkey -in \(path) -out FILE`, and `chmod 600 FILE`.")
            case .unsupported:
                throw CredentialError(
                    .keyUnsupported, path, expected: "a PKCS#8, SEC1 or PKCS#1 key", found: error.reason,
                    next: "Convert it: `openssl pkey -in \(path) -out FILE`.")
            case .malformed:
                throw CredentialError(
                    .malformed, path, expected: "a readable private key", found: error.reason,
                    next: "Look with `openssl pkey -in \(path) -noout -check`.")
            }
        }
    }

    private var labels: String {
        let shown = blocks.prefix(4).map { "`\($0.label)`" }.joined(separator: ", ")
        return "only \(shown)\(blocks.count > 4 ? " and more" : "")"
    }
}
