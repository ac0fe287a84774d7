import TrstctlCrypto
import TrstctlSystem

/// Bytes of which some are the secret, and the others stand in public things too: a frame, a public key.
struct MarkedBytes: Sendable {
    let bytes: Bytes
    /// The secret parts, in order, not empty.
    let parts: [Range<Int>]

    init(_ bytes: Bytes, _ parts: [Range<Int>]) {
        self.bytes = bytes
        self.parts = parts.filter { !$0.isEmpty && $0.lowerBound >= 0 && $0.upperBound <= bytes.count }
    }

    /// All of it is the secret.
    init(whole bytes: Bytes) {
        self.init(bytes, [0..<bytes.count])
    }

    /// Standard base64; a character that stands for a bit of the secret belongs to it.
    var asBase64: MarkedBytes {
        let text = base64(bytes)
        let mapped = parts.map { part in
            let end = part.upperBound == bytes.count ? text.count : MarkedBytes.characters(part).upperBound
            return MarkedBytes.characters(part).lowerBound..<end
        }
        return MarkedBytes(text, mapped)
    }

    /// The body of a JSON string; nil for what is no text.
    var asJSON: MarkedBytes? {
        guard bytes.withUnsafeBytes({ $0.isUTF8 }), let text = JSONText.escaped(bytes, limit: bytes.count * 6) else {
            return nil
        }
        let mapped = bytes.withUnsafeBytes { bytes in
            parts.map { part in
                let start = bytes[..<part.lowerBound].reduce(0) { $0 + JSONText.size(of: $1) }
                return start..<bytes[part].reduce(start) { $0 + JSONText.size(of: $1) }
            }
        }
        return MarkedBytes(text, mapped)
    }

    /// This, and what a second encoding makes of it.
    var wrapped: [MarkedBytes] { [self, asBase64] + [asJSON].compactMap { $0 } }

    /// A file with a PEM block of these contents.
    ///
    /// - Parameters:
    ///   - text: the file.
    ///   - block: the block's text, somewhere in the file.
    /// - Returns: nil when the block is not there, or is shorter than its contents.
    func inPEM(_ text: Bytes, block: Bytes) -> MarkedBytes? {
        let places = text.withUnsafeBytes { text -> [Int] in
            guard let start = block.withUnsafeBytes({ $0.firstPlace(in: text, from: 0) }) else { return [] }
            let lines = text[start..<start + block.count]
            guard let frame = lines.firstIndex(of: UInt8(ascii: "\n")) else { return [] }
            return lines[frame...].prefix { $0 != UInt8(ascii: "-") && $0 != UInt8(ascii: "=") }.indices
                .filter { text[$0] > UInt8(ascii: " ") }
        }
        var mapped: [Range<Int>] = []
        for part in parts {
            let characters = MarkedBytes.characters(part)
            guard characters.upperBound <= places.count else { return nil }
            mapped.append(places[characters.lowerBound]..<places[characters.upperBound - 1] + 1)
        }
        return MarkedBytes(text, mapped)
    }

    /// The characters of base64 that stand for these bytes, in whole or in part.
    private static func characters(_ bytes: Range<Int>) -> Range<Int> {
        bytes.lowerBound * 8 / 6..<(bytes.upperBound * 8 + 5) / 6
    }
}
