import TrstctlSystem

/// The SHA-256 of a connector's bytes (FIPS 180-4), as pinned in the manifest or computed by verification.
package struct SHA256Digest: Hashable, Sendable, CustomStringConvertible {
    /// The 32 bytes.
    package let bytes: [UInt8]

    /// The digest of no bytes at all, the usual result of hashing a file that is not there yet.
    package static let ofNothing = SHA256Digest(
        hex: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")

    /// The digest, or nil when there are not exactly 32 bytes.
    package init?(bytes: [UInt8]) {
        guard bytes.count == 32 else { return nil }
        self.bytes = bytes
    }

    /// The digest, or nil when the text is not exactly 64 lower-case hexadecimal digits.
    package init?(hex: String) {
        let digits = Array(hex.utf8)
        guard digits.count == 64 else { return nil }
        var bytes: [UInt8] = []
        var high: UInt8?
        for digit in digits {
            guard let value = hexadecimalValue(digit) else { return nil }
            if let first = high {
                bytes.append(first << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
        self.init(bytes: bytes)
    }

    /// The 64 lower-case hexadecimal digits.
    package var hex: String {
        let digits = StaticString("0123456789abcdef")
        return digits.withUTF8Buffer { digits in
            String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 0xF)]] }, as: UTF8.self)
        }
    }

    package var description: String { hex }

    /// Compares in a time that does not depend on where the first difference is.
    package func matches(_ other: SHA256Digest) -> Bool {
        guard bytes.count == other.bytes.count else { return false }
        return zip(bytes, other.bytes).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }

    package static func == (left: SHA256Digest, right: SHA256Digest) -> Bool { left.matches(right) }

    package func hash(into hasher: inout Hasher) { hasher.combine(bytes) }

    /// Reads 64 lower-case hexadecimal digits, and says what people usually get wrong about them.
    ///
    /// - Throws: `GrammarError` for another length, upper case, a pasted line of sha256sum(1), a `sha256:` prefix,
    ///   base64, and any other character.
    package static func parse(_ text: String) throws(GrammarError) -> SHA256Digest {
        if let digest = SHA256Digest(hex: text) { return digest }
        let bytes = Array(text.utf8)
        let (code, message) = fault(bytes)
        throw GrammarError(code, found: Bytes(bytes), message)
    }

    private static func fault(_ bytes: [UInt8]) -> (GrammarError.Code, String) {
        let rule = "a pin is exactly 64 lower-case hexadecimal digits"
        if bytes.isEmpty { return (.empty, "the text is empty; \(rule)") }
        let isHexadecimal = { (byte: UInt8) in hexadecimalValue(byte.asciiLowerCased) != nil }
        if bytes.starts(with: "sha256:".utf8) || bytes.starts(with: "sha256-".utf8) || bytes.starts(with: "0x".utf8) {
            return (.digestPrefix, "leave the prefix away; \(rule)")
        }
        if bytes.count > 64, bytes.prefix(64).allSatisfy(isHexadecimal), bytes.dropFirst(64).first == 0x20 {
            return (.digestPastedLine, "this is a whole line of sha256sum; keep only the first 64 characters")
        }
        if bytes.allSatisfy(isHexadecimal) {
            guard bytes.count == 64 else {
                return (.digestLength, "this has \(bytes.count) digits; \(rule)")
            }
            return (.digestUpperCase, "this has upper-case digits; \(rule)")
        }
        let base64: [UInt8] = [0x2B, 0x2F, 0x2D, 0x5F, 0x3D]
        if (43...44).contains(bytes.count), bytes.allSatisfy({ $0.isASCIIAlphanumeric || base64.contains($0) }) {
            return (.digestBase64, "this looks like base64; \(rule)")
        }
        if bytes.count != 64 {
            return (.digestLength, "this has \(bytes.count) characters; \(rule)")
        }
        return (.digestCharacters, "this has characters other than 0-9 and a-f; \(rule)")
    }
}

private func hexadecimalValue(_ digit: UInt8) -> UInt8? {
    switch digit {
    case 0x30...0x39: digit - 0x30
    case 0x61...0x66: digit - 0x61 + 10
    default: nil
    }
}
