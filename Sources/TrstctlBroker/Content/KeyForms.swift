import Synchronization
import TrstctlCrypto
package import TrstctlSystem
import TrstctlWire

/// The forms in which the host writes a secret when a connector asks for it.
enum WrittenForms {
    private static let encodings: [Wire.SecretReference.Encoding] = [
        .raw, .base64, .jsonString, .pemPkcs8, .pemSec1, .pemPkcs1, .der,
    ]
    private static let wrappings: [Wire.SecretReference.Wrapping] = [
        .wrappingNone, .wrappingBase64, .wrappingJsonString,
    ]
    private static let profiles: [Wire.SecretReference.Pkcs12Profile] = [.modern, .legacy3des]
    private static let limit = 1 << 20

    /// Every form of a secret but PKCS#12; made by what writes them, so that none is forgotten.
    static func all(of name: String, in source: SecretSource) -> [Bytes] {
        encodings.flatMap { encoding in
            wrapped(Wire.SecretReference(name: name, encoding: encoding), in: source)
        }
    }

    /// The PKCS#12 files of the key without a password; those with one are of no use to whoever does not know it.
    static func unprotectedArchives(in source: SecretSource) -> [Bytes] {
        profiles.flatMap { profile in
            wrapped(Wire.SecretReference(name: "key", encoding: .pkcs12, pkcs12Profile: profile), in: source)
        }
    }

    private static func wrapped(_ reference: Wire.SecretReference, in source: SecretSource) -> [Bytes] {
        wrappings.compactMap { wrapping in
            var reference = reference
            reference.wrapping = wrapping
            let encoding = SecretEncoding(source: source, reference: reference, field: "", limit: limit)
            return (try? encoding.bytes()).flatMap { $0.isEmpty ? nil : $0 }
        }
    }
}

/// How a private key is recognised: as it is in its file, in every form in which the host writes it, and as those see it who
/// take a PEM frame or the line breaks away.
package final class KeyForms: Sendable {
    private struct Forms {
        var plain: [Bytes]?
        var archives: [Bytes]?
    }

    private let source: SecretSource
    private let forms = Mutex(Forms())

    /// Nothing is computed before it is needed.
    ///
    /// - Parameters:
    ///   - key: a PEM block, or anything else that is secret as a whole; without bytes there are no forms.
    ///   - certificate: the leaf as PEM, for PKCS#12.
    ///   - chain: the issuers as PEM, for PKCS#12.
    package init(_ key: Bytes, certificate: Bytes = Bytes(), chain: Bytes = Bytes()) {
        source = SecretSource([
            (name: "key", bytes: key), (name: "certificate", bytes: certificate), (name: "chain", bytes: chain),
        ])
    }

    /// Whether one of the forms occurs in the content.
    func occur(in content: Bytes) -> Bool {
        let plain = forms.withLock { forms in
            if let plain = forms.plain { return plain }
            let plain = KeyForms.plain(source)
            forms.plain = plain
            return plain
        }
        if plain.contains(where: { content.holds($0) }) { return true }
        // Deriving their keys takes milliseconds, so only what can be one is compared.
        guard KeyForms.archiveMarks.contains(where: { content.holds($0) }) else { return false }
        let archives = forms.withLock { forms in
            if let archives = forms.archives { return archives }
            let archives = WrittenForms.unprotectedArchives(in: source)
            forms.archives = archives
            return archives
        }
        return archives.contains { content.holds($0) }
    }

    private static func plain(_ source: SecretSource) -> [Bytes] {
        guard let key = source.secret(named: "key"), !key.isEmpty else { return [] }
        let written = WrittenForms.all(of: "key", in: source)
        let framed = ([key] + written).compactMap { try? PEM.blocks(in: $0).first(where: \.isPrivateKey)?.contents }
        let all = Set([key] + written + framed + framed.map { base64($0) })
        return all.sorted { $0.count < $1.count }
    }

    /// The identifier at the beginning of every PKCS#12 file (RFC 7292, `pkcs7-data`), as it is, and in base64 wherever it
    /// begins.
    private static let archiveMarks: [Bytes] = [
        [0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x01],
        // Of the first and the last character some bits belong to what stands around it; these are the others.
        "BgkqhkiG9w0BBw", "YJKoZIhvcNAQcB", "GCSqGSIb3DQEHA",
    ]
}
