import TrstctlSystem

/// The body of a JSON string (RFC 8259 section 7).
enum JSONText {
    /// Escapes quotes, backslashes and control characters; everything else stays as it is.
    ///
    /// - Parameters:
    ///   - source: UTF-8.
    ///   - limit: the most bytes of the result.
    /// - Returns: as secret as its source; nil when it would be longer.
    static func escaped(_ source: Bytes, limit: Int) -> Bytes? {
        source.withUnsafeBytes { bytes -> Bytes? in
            let size = bytes.reduce(0) { $0 + JSONText.size(of: $1) }
            guard size <= limit else { return nil }
            var buffer = WipedBuffer(capacity: size, limit: size)
            for byte in bytes {
                if let letter = letter(byte) {
                    _ = buffer.append(UInt8(ascii: "\\"))
                    _ = buffer.append(letter)
                } else if byte < 0x20 {
                    for part in "\\u00".utf8 { _ = buffer.append(part) }
                    _ = buffer.append(digits[Int(byte >> 4)])
                    _ = buffer.append(digits[Int(byte & 15)])
                } else {
                    _ = buffer.append(byte)
                }
            }
            return buffer.bytes(isSecret: source.isSecret)
        }
    }

    /// How many bytes stand for one of the source.
    static func size(of byte: UInt8) -> Int { letter(byte) != nil ? 2 : byte < 0x20 ? 6 : 1 }

    private static let digits = Array("0123456789abcdef".utf8)

    /// The letter behind the backslash, where there is a short escape.
    private static func letter(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x22, 0x5C: byte
        case 0x08: UInt8(ascii: "b")
        case 0x09: UInt8(ascii: "t")
        case 0x0A: UInt8(ascii: "n")
        case 0x0C: UInt8(ascii: "f")
        case 0x0D: UInt8(ascii: "r")
        default: nil
        }
    }
}

/// Standard base64 with padding, without line breaks (RFC 4648 section 4); as secret as its source.
func base64(_ source: Bytes) -> Bytes {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    let size = (source.count + 2) / 3 * 4
    var buffer = WipedBuffer(capacity: size, limit: size)
    source.withUnsafeBytes { bytes in
        var offset = 0
        _ = buffer.append { target in
            var written = 0
            while offset < bytes.count, written + 4 <= target.count {
                let group = bytes[offset..<min(offset + 3, bytes.count)]
                let value = (0..<3).reduce(UInt32(0)) { sum, place in
                    sum << 8 | (place < group.count ? UInt32(bytes[offset + place]) : 0)
                }
                for place in 0..<4 {
                    let digit = alphabet[Int(value >> UInt32(18 - 6 * place) & 63)]
                    target[written + place] = place <= group.count ? digit : UInt8(ascii: "=")
                }
                offset += 3
                written += 4
            }
            return written
        }
    }
    return buffer.bytes(isSecret: source.isSecret)
}
