import Glibc
import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

extension SecretSource {
    /// Puts content together from its segments.
    ///
    /// - Parameters:
    ///   - segments: literal bytes, and references to secrets.
    ///   - limit: the most bytes of the whole; nothing is copied before the sum is known.
    ///   - field: what an error calls the content, for example `content`.
    /// - Returns: the content; secret as soon as one of its parts is.
    /// - Throws: `invalid` for an unknown name, form or kind of segment, and for a form that the secret does not have;
    ///   `limit` for too much.
    func assemble(_ segments: [Wire.Segment], limit: Int, field: String) throws(EffectError) -> Bytes {
        var parts: [Bytes] = []
        var total = 0
        for segment in segments {
            let part = try resolve(segment, limit: limit, field: field)
            guard part.count <= limit - total else {
                throw EffectError(.limit, object: field, "\(field) is longer than \(limit) bytes")
            }
            total += part.count
            parts.append(part)
        }
        if parts.count <= 1 { return parts.first ?? Bytes() }
        guard parts.contains(where: \.isSecret) else { return Bytes(joining: parts, count: total) }
        return concatenated(parts)
    }

    private func resolve(_ segment: Wire.Segment, limit: Int, field: String) throws(EffectError) -> Bytes {
        switch segment.kind {
        case .literal(let bytes): return bytes
        case .secret(let reference):
            return try SecretEncoding(source: self, reference: reference, field: field, limit: limit).bytes()
        case nil:
            throw EffectError(
                .invalid, object: field, "a segment of \(field) is neither a literal nor a secret that v1 knows")
        }
    }
}

extension Bytes {
    /// Public parts one after the other, `count` bytes in all.
    fileprivate init(joining parts: [Bytes], count: Int) {
        guard count > 0, let memory = malloc(count) else {
            self.init()
            return
        }
        var offset = 0
        for part in parts {
            part.withUnsafeBytes { bytes in
                guard let from = bytes.baseAddress, bytes.count <= count - offset else { return }
                memcpy(memory + offset, from, bytes.count)
                offset += bytes.count
            }
        }
        self.init(adopting: memory, count: offset)
    }
}
