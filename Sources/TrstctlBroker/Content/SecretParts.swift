import CTrstctlSystem
import Glibc
import TrstctlSystem

/// Finds parts of secrets in content: a connector decides where an output or an answer ends, so the whole of a secret is
/// not what has to be looked for.
///
/// Every `window` bytes of a secret part are found, wherever they lie. From each part every few bytes a group of eight
/// is kept in a table, so that each window holds one; the content is looked up at every offset, and what is found is
/// extended. The time depends on the content's length, hardly on the number of secrets.
final class SecretParts: Sendable {
    /// One secret part in one form.
    struct Source: Sendable {
        let form: MarkedBytes
        /// How many bytes of a part are recognised, at least 8; a shorter part is recognised as a whole.
        let window: Int
        /// Which secret it is, for whoever asks.
        let owner: Int
        /// Whether its beginning, `SecretParts.leastBeginning` bytes at least, is recognised at the end of cut content.
        var hasBeginning = false
    }

    /// Something that was found.
    struct Match: Hashable {
        let owner: Int
        let place: Range<Int>
    }

    /// How many bytes of a beginning are recognised where the content ends.
    static let leastBeginning = 4
    private static let group = 8

    private struct Part {
        let range: Range<Int>
        let window: Int
        let owner: Int
        let hasBeginning: Bool
    }

    private let parts: [Part]
    /// All parts one after the other.
    private let text: Bytes
    /// Places in `text` plus one, by hash, 0 where there is none; it tells much about the secret, and is kept like one.
    private let table: Bytes
    private let shift: UInt64

    init(_ sources: [Source]) {
        var parts: [Part] = []
        var pieces: [Bytes] = []
        var offset = 0
        for source in sources {
            for range in source.form.parts {
                let piece = source.form.bytes.withUnsafeBytes { bytes in
                    Bytes(copying: UnsafeRawBufferPointer(rebasing: bytes[range]), isSecret: true)
                }
                parts.append(
                    Part(
                        range: offset..<offset + range.count, window: min(max(source.window, 8), range.count),
                        owner: source.owner, hasBeginning: source.hasBeginning))
                pieces.append(piece)
                offset += range.count
            }
        }
        self.parts = parts
        let text = concatenated(pieces)
        self.text = text
        let groups = parts.flatMap { part -> [Int] in
            guard part.window >= SecretParts.group else { return [] }
            let last = part.range.upperBound - SecretParts.group
            return Array(stride(from: part.range.lowerBound, through: last, by: part.window - SecretParts.group + 1))
        }
        var bits: UInt64 = 4
        while bits < 24, 1 << bits < groups.count * 4 { bits += 1 }
        shift = 64 - bits
        let memory = SecretMemory(capacity: 4 << Int(bits))
        let mask = 1 << Int(bits) - 1
        text.withUnsafeBytes { bytes in
            for place in groups.prefix(mask / 2) {
                let value = bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)
                var slot = SecretParts.slot(of: value, 64 - bits)
                while memory.base.load(fromByteOffset: slot * 4, as: UInt32.self) != 0 { slot = (slot + 1) & mask }
                memory.base.storeBytes(of: UInt32(place + 1), toByteOffset: slot * 4, as: UInt32.self)
            }
        }
        table = Bytes(adopting: memory, count: 4 << Int(bits))
    }

    private static func slot(of value: UInt64, _ shift: UInt64) -> Int {
        Int(truncatingIfNeeded: (value &* 0x9E37_79B9_7F4A_7C15) >> shift)
    }

    /// The first part of a secret in the content.
    ///
    /// - Parameters:
    ///   - content: any bytes.
    ///   - isCut: whether who is shown it decides where it ends; then the beginning of a secret at its end counts too.
    /// - Returns: nil when there is none.
    func first(in content: Bytes, isCut: Bool = false) -> Match? {
        var first: Match?
        find(in: content, isCut: isCut) { match in
            first = match
            return false
        }
        return first
    }

    /// Every part of a secret in content that may be cut; they may overlap.
    func all(in content: Bytes) -> Set<Match> {
        var all: Set<Match> = []
        find(in: content, isCut: true) { match in
            all.insert(match)
            return true
        }
        return all
    }

    /// Calls `found` for what is in the content until it returns false; for a match once for each of its groups.
    private func find(in content: Bytes, isCut: Bool, _ found: (Match) -> Bool) {
        guard !parts.isEmpty else { return }
        content.withUnsafeBytes { content in
            text.withUnsafeBytes { text in
                table.withUnsafeBytes { table in
                    guard find(in: content, text, table, found), isCut else { return }
                    findBeginnings(in: content, text, found)
                }
            }
        }
    }

    private func find(
        in content: UnsafeRawBufferPointer, _ text: UnsafeRawBufferPointer, _ table: UnsafeRawBufferPointer,
        _ found: (Match) -> Bool
    ) -> Bool {
        let end = content.count - SecretParts.group
        let mask = table.count / 4 - 1
        var offset = 0
        while offset <= end {
            let value = content.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            var slot = SecretParts.slot(of: value, shift)
            while true {
                let place = Int(table.load(fromByteOffset: slot &* 4, as: UInt32.self))
                if place == 0 { break }
                if text.loadUnaligned(fromByteOffset: place &- 1, as: UInt64.self) == value,
                    let match = match(content, offset, text, place - 1), !found(match)
                {
                    return false
                }
                slot = (slot &+ 1) & mask
            }
            offset &+= 1
        }
        return true
    }

    /// Extends a group that is equal to both sides.
    private func match(
        _ content: UnsafeRawBufferPointer, _ offset: Int, _ text: UnsafeRawBufferPointer, _ place: Int
    ) -> Match? {
        guard let part = part(at: place) else { return nil }
        var before = 0
        while before < offset, place - before > part.range.lowerBound,
            content[offset - before - 1] == text[place - before - 1]
        {
            before += 1
        }
        var count = SecretParts.group
        while offset + count < content.count, place + count < part.range.upperBound,
            content[offset + count] == text[place + count]
        {
            count += 1
        }
        guard before + count >= part.window else { return nil }
        return Match(owner: part.owner, place: offset - before..<offset + count)
    }

    private func findBeginnings(
        in content: UnsafeRawBufferPointer, _ text: UnsafeRawBufferPointer, _ found: (Match) -> Bool
    ) {
        for part in parts where part.hasBeginning {
            let most = min(content.count, part.range.count - 1)
            guard most >= SecretParts.leastBeginning else { continue }
            for count in stride(from: most, through: SecretParts.leastBeginning, by: -1)
            where content.suffix(count).elementsEqual(text[part.range].prefix(count)) {
                guard found(Match(owner: part.owner, place: content.count - count..<content.count)) else { return }
                break
            }
        }
    }

    /// The part that has this place of `text`.
    private func part(at place: Int) -> Part? {
        var low = 0
        var high = parts.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if parts[middle].range.lowerBound <= place { low = middle } else { high = middle }
        }
        return low < parts.count && parts[low].range.contains(place) ? parts[low] : nil
    }
}
