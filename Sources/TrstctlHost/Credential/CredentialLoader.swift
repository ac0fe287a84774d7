import TrstctlCrypto

/// Reads a credential and refuses what a server would serve broken, before anything is touched.
///
/// Nothing is repaired silently: what is deployed is what the operator's files say, in their order.
package struct CredentialLoader: Sendable {
    /// The leaf first, then usually its issuers.
    package var certificatePath: String
    /// The private key; may be the same file.
    package var keyPath: String
    /// The issuers, when the certificate's file holds the leaf alone.
    package var chainPath: String?
    /// Leaves a self-signed certificate at the chain's end out; by default the chain stays as given, with a warning.
    package var dropsRoot: Bool
    /// Reads one file; a test puts its own here.
    package var read: @Sendable (String) throws(CredentialError) -> CredentialFile

    /// A loader for these paths; see the properties of the same names.
    package init(
        certificatePath: String, keyPath: String, chainPath: String? = nil, dropsRoot: Bool = false,
        read: @escaping @Sendable (String) throws(CredentialError) -> CredentialFile = CredentialFile.read
    ) {
        self.certificatePath = certificatePath
        self.keyPath = keyPath
        self.chainPath = chainPath
        self.dropsRoot = dropsRoot
        self.read = read
    }

    /// Loads and checks a credential.
    ///
    /// - Parameters:
    ///   - certificatePath: a PEM file, leaf first, at most 1 MiB and 32 certificates.
    ///   - keyPath: a PEM file with one unencrypted private key; may be the same file.
    ///   - chainPath: a PEM file with the issuers that `certificatePath` lacks.
    ///   - now: Unix seconds.
    /// - Returns: a credential that passed every check.
    /// - Throws: `CredentialError`, the first check that failed.
    package static func load(
        certificatePath: String, keyPath: String, chainPath: String? = nil, now: Int64
    ) throws(CredentialError) -> Credential {
        try CredentialLoader(certificatePath: certificatePath, keyPath: keyPath, chainPath: chainPath).load(now: now)
    }

    /// Loads and checks; reads everything a second time when the first reading may have met a renewal halfway.
    ///
    /// - Parameter now: Unix seconds.
    /// - Returns: a credential that passed every check.
    /// - Throws: `CredentialError`, the first check that failed.
    package func load(now: Int64) throws(CredentialError) -> Credential {
        do {
            return try attempt(now: now)
        } catch {
            guard error.mayPass else { throw error }
            return try attempt(now: now)
        }
    }

    private func attempt(now: Int64) throws(CredentialError) -> Credential {
        let certificateFile = try read(certificatePath)
        let keyFile = keyPath == certificatePath ? certificateFile : try read(keyPath)
        var certificates = try CredentialBlocks(certificateFile, role: .certificate).certificates()
        if let chainPath {
            certificates += try CredentialBlocks(try read(chainPath), role: .chain).certificates()
        }
        let key = try CredentialBlocks(keyFile, role: .key).privateKey()
        let checks = CredentialChecks(
            certificates: certificates, key: key, certificatePath: certificatePath, keyPath: keyPath,
            chainPath: chainPath)
        let leaf = try checks.leaf()
        try checks.order()
        var warnings = try checks.validity(now: now)
        if keyFile.permissions & 0o077 != 0 {
            let mode = String(keyFile.permissions, radix: 8)
            warnings.append(
                CredentialWarning(
                    .keyFilePermissions,
                    "\(keyPath) has mode 0\(mode): others than its owner have access to the private key; "
                        + "`chmod 600 \(keyPath)`."))
        }
        var chain = Array(certificates.dropFirst())
        if let last = chain.last, last.isSelfSigned {
            if dropsRoot {
                chain.removeLast()
            } else {
                warnings.append(
                    CredentialWarning(
                        .rootInChain, "the chain ends in the self-signed \(last.subject): clients ignore it."))
            }
        }
        return Credential(leaf: leaf, chain: chain, privateKey: key, warnings: warnings)
    }
}

extension CredentialError {
    /// True for what a reader sees when the files are being replaced at that moment.
    fileprivate var mayPass: Bool {
        switch code {
        case .missing, .empty, .changing, .notPEM, .malformed, .noCertificate, .noKey, .keyMismatch, .leafNotFirst,
            .chainMisordered, .chainBroken, .duplicateCertificate:
            true
        case .unreadable, .notRegular, .tooBig, .tooManyCertificates, .severalKeys, .keyEncrypted, .keyUnsupported,
            .expired, .notYetValid, .cryptography:
            false
        }
    }
}
