import TrstctlCrypto
import TrstctlSystem

/// The checks on certificates and key together, in the order in which their answers help most.
struct CredentialChecks {
    let certificates: [Certificate]
    let key: PrivateKey
    let certificatePath: String
    let keyPath: String
    let chainPath: String?

    /// A certificate may begin this much later than now: clocks differ.
    static let allowedSkew: Int64 = 300

    /// The first certificate, proved to be the key's.
    func leaf() throws(CredentialError) -> Certificate {
        guard let first = certificates.first else {
            throw CredentialError(
                .noCertificate, certificatePath, expected: "a certificate", found: "none", next: "Name another file.")
        }
        if key.matches(first) { return first }
        guard let position = certificates.firstIndex(where: { key.matches($0) }) else {
            throw CredentialError(
                .keyMismatch, keyPath, expected: "the private key of \(shown(0)) in \(certificatePath)",
                found: "a key of none of the \(certificates.count) certificates",
                next: "Use the certificate and the key of the same renewal.")
        }
        throw CredentialError(
            .leafNotFirst, certificatePath, expected: "the key's certificate first",
            found: "it is \(shown(position)); the file begins with \(shown(0))",
            next: advice(from: position) ?? "Put the key's certificate first, then each issuer.")
    }

    /// Each certificate is issued by the next one, and none occurs twice.
    func order() throws(CredentialError) {
        for index in certificates.indices.dropFirst() {
            guard let earlier = certificates[..<index].firstIndex(of: certificates[index]) else { continue }
            let isRepeated = chainPath != nil
            throw CredentialError(
                .duplicateCertificate, chainPath ?? certificatePath, expected: "every certificate once",
                found: "\(shown(index)) equals certificate \(earlier + 1)",
                next: isRepeated
                    ? "Remove `chain:` if \(certificatePath) already holds the whole chain."
                    : "Remove the second copy.")
        }
        for index in certificates.indices.dropLast() {
            let subject = certificates[index]
            let issuer = certificates[index + 1]
            if subject.isIssued(by: issuer) {
                guard issuer.isAuthority else { throw broken(index, "which may not issue certificates (no CA)") }
                continue
            }
            guard let advice = advice(from: 0) else { throw broken(index, "which did not issue it") }
            throw CredentialError(
                .chainMisordered, chainPath ?? certificatePath, expected: "each certificate followed by its issuer",
                found: "\(shown(index)) followed by \(shown(index + 1))", next: advice)
        }
    }

    /// Every certificate is valid now; a root at the end only gives a warning, because clients use their own.
    func validity(now: Int64) throws(CredentialError) -> [CredentialWarning] {
        var warnings: [CredentialWarning] = []
        for (index, certificate) in certificates.enumerated() {
            let isExpired = now > certificate.notAfter
            let (latest, overflow) = now.addingReportingOverflow(CredentialChecks.allowedSkew)
            let isEarly = !overflow && certificate.notBefore > latest
            guard isExpired || isEarly else { continue }
            let found =
                isExpired
                ? "\(shown(index)) expired at \(UTCTime(certificate.notAfter))"
                : "\(shown(index)) begins at \(UTCTime(certificate.notBefore))"
            if index > 0, index == certificates.count - 1, certificate.isSelfSigned {
                warnings.append(CredentialWarning(.rootNotValid, "\(found); clients use their own copy."))
                continue
            }
            throw CredentialError(
                isExpired ? .expired : .notYetValid, certificatePath,
                expected: "certificates that are valid at \(UTCTime(now))", found: found,
                next: isExpired
                    ? "Renew the certificate; if it was renewed, name the new file."
                    : "Check this machine's clock with `date -u`.")
        }
        return warnings
    }

    private func broken(_ index: Int, _ reason: String) -> CredentialError {
        CredentialError(
            .chainBroken, chainPath ?? certificatePath,
            expected: "\(shown(index)) followed by its issuer \(certificates[index].issuer)",
            found: "\(shown(index + 1)), \(reason)",
            next: "Use the chain that came with this certificate, for example fullchain.pem.")
    }

    /// The one order in which every certificate is issued by the next, as advice; nil when there is none or several.
    private func advice(from start: Int) -> String? {
        var order = [start]
        var rest = certificates.indices.filter { $0 != start }
        var current = start
        while !rest.isEmpty {
            let issuers = rest.filter { certificates[current].isIssued(by: certificates[$0]) }
            guard issuers.count == 1, let issuer = issuers.first else { return nil }
            order.append(issuer)
            rest.removeAll { $0 == issuer }
            current = issuer
        }
        return "Write the certificates in this order: \(order.map { shown($0) }.joined(separator: ", then "))."
    }

    private func shown(_ index: Int) -> String {
        "certificate \(index + 1) (\(certificates[index].subject))"
    }
}
