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

    /// The PKCS#12 files of the key.
    ///
    /// - Parameters:
    ///   - password: the name of a secret field; empty for those without a password.
    ///   - source: has both.
    /// - Returns: one for each profile and wrapping; none where there is no key or no such field.
    static func archives(with password: String, in source: SecretSource) -> [Bytes] {
        profiles.flatMap { profile in
            wrapped(
                Wire.SecretReference(
                    name: "key", encoding: .pkcs12, pkcs12Profile: profile, passwordName: password), in: source)
        }
    }

    /// Every form of a private key but PKCS#12, with the marks of what is private in it: the forms of `all`, and
    /// the DER of each of them.
    ///
    /// - Parameter file: PEM with one private key.
    /// - Returns: nil when the key cannot be parsed, or its private numbers are not found in it.
    static func marked(_ file: Bytes) -> [MarkedBytes]? {
        guard let blocks = try? PEM.blocks(in: file), let block = blocks.first(where: \.isPrivateKey),
            let key = try? PrivateKey(blocks: blocks), let stored = marked(block.contents, key),
            let raw = stored.inPEM(file, block: block.text)
        else { return nil }
        var forms = raw.wrapped.flatMap(\.wrapped) + [stored, stored.asBase64]
        for form in PrivateKey.Form.allCases where form != .der {
            guard let text = try? key.encoded(as: form) else { continue }
            guard let block = try? PEM.blocks(in: text).first, let der = marked(block.contents, key),
                let marked = der.inPEM(text, block: block.text)
            else { return nil }
            forms += marked.wrapped + [der, der.asBase64]
        }
        var seen: Set<Bytes> = []
        return forms.filter { seen.insert($0.bytes).inserted }
    }

    /// From the first private number to the end of the last: what stands between them is some bytes of structure.
    private static func marked(_ der: Bytes, _ key: PrivateKey) -> MarkedBytes? {
        var ends: (first: Int, last: Int)?
        for number in key.privateParts {
            let place = der.withUnsafeBytes { der in number.withUnsafeBytes { $0.firstPlace(in: der, from: 0) } }
            guard let place else { return nil }
            ends = (min(place, ends?.first ?? place), max(place + number.count, ends?.last ?? 0))
        }
        return ends.map { MarkedBytes(der, [$0.first..<$0.last]) }
    }

    private static func wrapped(_ reference: Wire.SecretReference, in source: SecretSource) -> [Bytes] {
        let encoding = SecretEncoding(source: source, reference: reference, field: "", limit: limit)
        guard let encoded = try? encoding.unwrapped() else { return [] }
        return wrappings.compactMap { wrapping in
            (try? encoding.wrap(encoded, in: wrapping)).flatMap { $0.isEmpty ? nil : $0 }
        }
    }
}

/// How a private key is recognised: as it is in its file, in every form in which the host writes it, and as those see it
/// who take a PEM frame or the line breaks away; and in parts, because who is shown something can choose where it ends.
package final class KeyForms: Sendable {
    /// How many bytes or characters of a key's secret part are recognised.
    ///
    /// In base64 these are 72 bits, which do not occur by chance. Who sees 11 bytes of a P-256 key lacks 168 bits, which is
    /// 2^84 steps of Pollard's kangaroo.
    static let window = 12
    /// The same for a PKCS#12 file.
    ///
    /// Longer than what two such files have in common between two salts, and whatever is behind
    /// a salt is recognised with it.
    static let archiveWindow = 128

    private struct Parts {
        var plain: SecretParts?
        var archives: SecretParts?
    }

    private let source: SecretSource
    private let parts = Mutex(Parts())

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

    /// Whether one of the forms but PKCS#12, or a part of one, occurs in the content.
    func occur(in content: Bytes) -> Bool {
        guard let key = source.secret(named: "key"), !key.isEmpty else { return false }
        let plain = parts.withLock { parts in
            if let plain = parts.plain { return plain }
            let plain = SecretParts(sources(key))
            parts.plain = plain
            return plain
        }
        return plain.first(in: content) != nil || key.count < 8 && content.holds(key)
    }

    /// Whether a PKCS#12 file without a password, or a part of one, occurs in the content.
    ///
    /// Deriving their keys takes milliseconds: to be asked about what may hold one.
    func archivesOccur(in content: Bytes) -> Bool {
        let archives = parts.withLock { parts in
            if let archives = parts.archives { return archives }
            let archives = KeyForms.archiveParts(WrittenForms.archives(with: "", in: source))
            parts.archives = archives
            return archives
        }
        return archives.first(in: content) != nil
    }

    /// Whether something in the content begins as a PKCS#12 file does.
    static func mayHoldArchive(_ content: Bytes) -> Bool { archiveMarks.contains { content.holds($0) } }

    /// How these PKCS#12 files are recognised.
    static func archiveParts(_ files: [Bytes]) -> SecretParts {
        SecretParts(
            files.map { SecretParts.Source(form: MarkedBytes(whole: $0), window: archiveWindow, owner: 0) })
    }

    private func sources(_ key: Bytes) -> [SecretParts.Source] {
        if let forms = WrittenForms.marked(key) {
            return forms.map { SecretParts.Source(form: $0, window: KeyForms.window, owner: 0) }
        }
        // What it is nobody knows, nor which of its parts stand in other places too.
        let written = WrittenForms.all(of: "key", in: source)
        let framed = ([key] + written).compactMap { try? PEM.blocks(in: $0).first(where: \.isPrivateKey)?.contents }
        return Set([key] + written + framed + framed.map { base64($0) }).map {
            SecretParts.Source(form: MarkedBytes(whole: $0), window: $0.count, owner: 0)
        }
    }

    /// The identifier at the beginning of every PKCS#12 file (RFC 7292, `pkcs7-data`), as it is, and in base64 wherever it
    /// begins.
    private static let archiveMarks: [Bytes] = [
        [0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x01],
        // Of the first and the last character some bits belong to what stands around it; these are the others.
        "BgkqhkiG9w0BBw", "YJKoZIhvcNAQcB", "GCSqGSIb3DQEHA",
    ]
}
