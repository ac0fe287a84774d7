import TrstctlSystem

/// The text members of a JSON object that may hold secrets: read in place, copied into wiped memory only.
///
/// Values that are no text are stepped over; a member that occurs twice, and anything that is not JSON, is nil for
/// the whole.
struct SecretJSON: Sendable {
    /// How deep values that are stepped over may stand inside each other.
    private static let depthLimit = 16

    private(set) var texts: [String: Bytes] = [:]
    private(set) var numbers: [String: Int64] = [:]

    /// Reads one object; nil when the bytes are not exactly that.
    init?(_ content: Bytes) {
        guard content.count <= 1 << 20 else { return nil }
        var made: (texts: [String: Bytes], numbers: [String: Int64])?
        content.withUnsafeBytes { bytes in
            var reader = Reader(bytes: bytes)
            made = reader.object()
        }
        guard let made else { return nil }
        (texts, numbers) = made
    }

    private struct Reader {
        let bytes: UnsafeRawBufferPointer
        var offset = 0

        private var next: UInt8? { offset < bytes.count ? bytes[offset] : nil }

        private mutating func skipSpace() {
            while let byte = next, [0x20, 0x09, 0x0A, 0x0D].contains(byte) { offset += 1 }
        }

        private mutating func take(_ byte: UInt8) -> Bool {
            skipSpace()
            guard next == byte else { return false }
            offset += 1
            return true
        }

        mutating func object() -> (texts: [String: Bytes], numbers: [String: Int64])? {
            var texts: [String: Bytes] = [:]
            var numbers: [String: Int64] = [:]
            var names: Set<String> = []
            guard take(UInt8(ascii: "{")) else { return nil }
            if !take(UInt8(ascii: "}")) {
                repeat {
                    skipSpace()
                    guard let name = text()?.text, names.insert(name).inserted, take(UInt8(ascii: ":")) else {
                        return nil
                    }
                    skipSpace()
                    if next == UInt8(ascii: "\"") {
                        guard let value = text() else { return nil }
                        texts[name] = value
                    } else {
                        let start = offset
                        guard step(depth: 0) else { return nil }
                        let value = String(decoding: bytes[start..<offset], as: UTF8.self)
                        if let number = Int64(value) { numbers[name] = number }
                    }
                } while take(UInt8(ascii: ","))
                guard take(UInt8(ascii: "}")) else { return nil }
            }
            skipSpace()
            return offset == bytes.count ? (texts, numbers) : nil
        }

        /// Steps over a value.
        private mutating func step(depth: Int) -> Bool {
            guard depth < SecretJSON.depthLimit else { return false }
            skipSpace()
            switch next {
            case UInt8(ascii: "\""): return text() != nil
            case UInt8(ascii: "{"):
                offset += 1
                if take(UInt8(ascii: "}")) { return true }
                repeat {
                    skipSpace()
                    guard text() != nil, take(UInt8(ascii: ":")), step(depth: depth + 1) else { return false }
                } while take(UInt8(ascii: ","))
                return take(UInt8(ascii: "}"))
            case UInt8(ascii: "["):
                offset += 1
                if take(UInt8(ascii: "]")) { return true }
                repeat { guard step(depth: depth + 1) else { return false } } while take(UInt8(ascii: ","))
                return take(UInt8(ascii: "]"))
            default:
                let start = offset
                while let byte = next, isTokenByte(byte) { offset += 1 }
                return offset > start
            }
        }

        /// A text with its escapes resolved; nil when it is none, or holds an escape of a surrogate.
        private mutating func text() -> Bytes? {
            guard next == UInt8(ascii: "\"") else { return nil }
            offset += 1
            var rest = offset
            while rest < bytes.count, bytes[rest] != UInt8(ascii: "\"") {
                rest += bytes[rest] == UInt8(ascii: "\\") ? 2 : 1
            }
            guard rest < bytes.count else { return nil }
            var buffer = WipedBuffer(capacity: rest - offset, limit: rest - offset)
            while offset < rest {
                guard let piece = piece() else { return nil }
                _ = buffer.append { free in
                    for (index, byte) in zip(free.indices, piece) { free[index] = byte }
                    return min(free.count, piece.count)
                }
            }
            offset = rest + 1
            return buffer.bytes(isSecret: true)
        }

        private mutating func piece() -> [UInt8]? {
            let byte = bytes[offset]
            offset += 1
            guard byte >= 0x20 else { return nil }
            guard byte == UInt8(ascii: "\\") else { return [byte] }
            guard let escape = next else { return nil }
            offset += 1
            switch escape {
            case UInt8(ascii: "n"): return [0x0A]
            case UInt8(ascii: "r"): return [0x0D]
            case UInt8(ascii: "t"): return [0x09]
            case UInt8(ascii: "b"): return [0x08]
            case UInt8(ascii: "f"): return [0x0C]
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [escape]
            case UInt8(ascii: "u"):
                guard bytes.count - offset >= 4 else { return nil }
                let digits = String(decoding: bytes[offset..<offset + 4], as: UTF8.self)
                guard let value = UInt32(digits, radix: 16), let scalar = Unicode.Scalar(value) else { return nil }
                offset += 4
                return Array(String(Character(scalar)).utf8)
            default: return nil
            }
        }
    }
}
