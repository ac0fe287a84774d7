import TrstctlSystem

/// How the value of a secret field is recognised.
enum FieldForms {
    /// How many bytes of a value are recognised; a shorter value as a whole.
    static let window = 16
    /// Values up to here are a password or a token; longer ones are a document, in which some words are secret.
    private static let longestWord = 128
    private static let shortestRun = 32

    /// The forms in which a connector can have a value written, and what of them is secret.
    ///
    /// - Parameters:
    ///   - value: none shorter than `SecretSource.shortestRecognised` is looked for.
    ///   - owner: for `SecretParts`.
    /// - Returns: nothing for a value that is too short.
    static func sources(_ value: Bytes, owner: Int) -> [SecretParts.Source] {
        guard value.count >= SecretSource.shortestRecognised else { return [] }
        if let forms = WrittenForms.marked(value) {
            return forms.map { SecretParts.Source(form: $0, window: KeyForms.window, owner: owner) }
        }
        let isWord = value.count <= longestWord
        let runs = isWord ? [] : runs(in: value)
        let marked = runs.isEmpty ? MarkedBytes(whole: value) : MarkedBytes(value, runs)
        var seen: Set<Bytes> = []
        return marked.wrapped.flatMap(\.wrapped).filter { seen.insert($0.bytes).inserted }.map { form in
            SecretParts.Source(
                form: form, window: isWord || !runs.isEmpty ? window : form.bytes.count, owner: owner,
                hasBeginning: isWord)
        }
    }

    /// What in a document is no text, address or name of a field: long words of letters of both cases and digits.
    private static func runs(in value: Bytes) -> [Range<Int>] {
        value.withUnsafeBytes { bytes in
            bytes.split(whereSeparator: { !isBase64($0) }).filter { run in
                run.count >= shortestRun && run.contains { (0x30...0x39).contains($0) }
                    && run.contains { (0x41...0x5A).contains($0) } && run.contains { (0x61...0x7A).contains($0) }
            }.map(\.indices)
        }
    }

    /// Of base64 and base64url.
    private static func isBase64(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        case UInt8(ascii: "+"), UInt8(ascii: "/"), UInt8(ascii: "-"), UInt8(ascii: "_"): true
        default: false
        }
    }
}
