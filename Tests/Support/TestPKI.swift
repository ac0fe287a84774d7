import COpenSSL
import Glibc
package import TrstctlCrypto
package import TrstctlSystem

/// A certification authority for tests: a root, an intermediate, and whatever leaves a test asks for.
///
/// Everything is made in process, at test time, and written into one private directory that goes away with this value.
package final class TestPKI: Sendable {
    /// How a certificate or a file could not be made: the OpenSSL or system call.
    package struct Failure: Error, CustomStringConvertible {
        package let description: String

        package init(description: String) { self.description = description }
    }

    package enum Algorithm: Sendable {
        case ecdsaP256, rsa2048
    }

    /// How the private key is written.
    package enum KeyFormat: Sendable {
        /// `PRIVATE KEY`
        case pkcs8
        /// `EC PRIVATE KEY` or `RSA PRIVATE KEY`, by algorithm (SEC1, PKCS#1).
        case traditional
        /// `ENCRYPTED PRIVATE KEY`, passphrase `secret`
        case encryptedPKCS8
        /// The traditional label with `Proc-Type: 4,ENCRYPTED`, passphrase `secret`
        case encryptedTraditional
    }

    package enum Signer: Sendable {
        case root, intermediate, itself
    }

    /// The directory of every file; mode 0700.
    package let directory: String
    /// The authorities.
    package let root: TestIdentity
    package let intermediate: TestIdentity
    private let removesDirectory: Bool

    /// Makes the authorities.
    ///
    /// - Parameter directory: an existing directory that stays; by default a new one under `/tmp` that is removed again.
    /// - Throws: `Failure` or `SystemError`.
    package init(_ directory: String? = nil) throws {
        if let directory {
            self.directory = directory
            removesDirectory = false
        } else {
            var template = Array("/tmp/trstctl-pki-XXXXXX".utf8CString)
            guard mkdtemp(&template) != nil else { throw SystemError.last("mkdtemp") }
            self.directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
            removesDirectory = true
        }
        root = try TestIdentity(
            CertificateRequest(subject: "Test Root CA", isAuthority: true), algorithm: .ecdsaP256, issuer: nil)
        intermediate = try TestIdentity(
            CertificateRequest(subject: "Test Intermediate CA", isAuthority: true), algorithm: .ecdsaP256, issuer: root)
    }

    deinit {
        guard removesDirectory, let listing = opendir(directory) else { return }
        while let entry = readdir(listing) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            let path = "\(directory)/\(String(decoding: name, as: UTF8.self))"
            if unlink(path) != 0 { rmdir(path) }
        }
        closedir(listing)
        rmdir(directory)
    }

    /// Issues a certificate and writes `NAME.crt` (leaf), `NAME.chain.crt`, `NAME.fullchain.crt`, `NAME.key` (0600).
    ///
    /// - Parameters:
    ///   - name: the file name, and the common name.
    ///   - names: DNS names and IP addresses of the subject alternative name extension, by default `name`.
    ///   - algorithm: of the leaf's key.
    ///   - startsAt: seconds from now.
    ///   - lasts: seconds of validity.
    ///   - signer: whose signature it carries.
    ///   - keyFormat: how the key is written.
    /// - Returns: the certificate and the paths of its files.
    /// - Throws: `Failure` or `SystemError`.
    package func issue(
        _ name: String, names: [String]? = nil, algorithm: Algorithm = .ecdsaP256, startsAt: Int64 = -3600,
        lasts: Int64 = 90 * 86400, by signer: Signer = .intermediate, keyFormat: KeyFormat = .pkcs8
    ) throws -> TestCredential {
        let request = CertificateRequest(
            subject: name, names: names ?? [name], startsAt: startsAt, lasts: lasts, isAuthority: false)
        let issuer: TestIdentity? =
            switch signer {
            case .root: root
            case .intermediate: intermediate
            case .itself: nil
            }
        let leaf = try TestIdentity(request, algorithm: algorithm, issuer: issuer)
        let chain = signer == .intermediate ? [intermediate.certificate] : []
        return try TestCredential(
            leaf: leaf.certificate, chain: chain, identity: leaf,
            certificatePath: write("\(name).crt", leaf.certificate.pem),
            chainPath: write("\(name).chain.crt", pem(chain)),
            fullchainPath: write("\(name).fullchain.crt", pem([leaf.certificate] + chain)),
            keyPath: write("\(name).key", leaf.keyPEM(keyFormat), mode: 0o600))
    }

    /// An identity of any shape, written nowhere.
    package func identity(
        _ request: CertificateRequest, algorithm: Algorithm = .ecdsaP256, by issuer: TestIdentity?
    ) throws -> TestIdentity {
        try TestIdentity(request, algorithm: algorithm, issuer: issuer)
    }

    /// Certificates as one PEM file's content.
    package func pem(_ certificates: [Certificate]) -> Bytes {
        Bytes(certificates.flatMap { $0.pem.array })
    }

    /// Writes a file into the directory, replacing one of that name, and returns its path.
    @discardableResult
    package func write(_ name: String, _ content: Bytes, mode: UInt32 = 0o644) throws -> String {
        let path = "\(directory)/\(name)"
        let number = try retryingInterrupts("open", path) { open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode) }
        let file = OwnedDescriptor(number)
        _ = try retryingInterrupts("fchmod", path) { fchmod(file.raw, mode) }
        var done = 0
        while done < content.count {
            done += try content.withUnsafeBytes { bytes throws(SystemError) in
                let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
                return try retryingInterrupts("write", path) { Glibc.write(file.raw, rest.baseAddress, rest.count) }
            }
        }
        return path
    }
}

/// What `TestPKI.issue` made.
package struct TestCredential: Sendable {
    package let leaf: Certificate
    package let chain: [Certificate]
    package let identity: TestIdentity
    package let certificatePath: String
    package let chainPath: String
    package let fullchainPath: String
    package let keyPath: String

    /// Lower-case hexadecimal SHA-256 of the leaf.
    package var fingerprint: String { leaf.fingerprintText }
}
