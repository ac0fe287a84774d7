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
    /// - Throws: `invalid` for an unknown name, form or kind of segment, `unimplemented` for a form that v1 defines and
    ///   this host does not offer yet, `limit` for too much.
    func assemble(_ segments: [Wire.Segment], limit: Int, field: String) throws(EffectError) -> Bytes {
        var parts: [Bytes] = []
        var total = 0
        for segment in segments {
            let part = try resolve(segment, field: field)
            guard part.count <= limit - total else {
                throw EffectError(.limit, object: field, "\(field) is longer than \(limit) bytes")
            }
            total += part.count
            parts.append(part)
        }
        if parts.count <= 1 { return parts.first ?? Bytes() }
        var buffer = WipedBuffer(capacity: total, limit: total)
        for part in parts { _ = buffer.append(part) }
        return buffer.bytes(isSecret: parts.contains(where: \.isSecret))
    }

    private func resolve(_ segment: Wire.Segment, field: String) throws(EffectError) -> Bytes {
        switch segment.kind {
        case .literal(let bytes): return bytes
        case .secret(let reference): return try encode(try value(of: reference, field: field), reference, field: field)
        case nil:
            throw EffectError(
                .invalid, object: field, "a segment of \(field) is neither a literal nor a secret that v1 knows")
        }
    }

    private func value(of reference: Wire.SecretReference, field: String) throws(EffectError) -> Bytes {
        if let value = secret(named: reference.name) { return value }
        let known =
            names.isEmpty ? "there are none" : "there are: " + names.map { printable($0) }.joined(separator: ", ")
        throw EffectError(
            .invalid, object: field,
            "\(field) names the secret \"\(printable(reference.name))\", which does not exist; \(known)")
    }

    private func encode(
        _ value: Bytes, _ reference: Wire.SecretReference, field: String
    ) throws(EffectError) -> Bytes {
        let form: String
        switch reference.encoding {
        case .raw: return value
        case .base64: return base64(value)
        case .jsonString: form = "JSON_STRING"
        case .pemPkcs8: form = "PEM_PKCS8"
        case .pemSec1: form = "PEM_SEC1"
        case .pemPkcs1: form = "PEM_PKCS1"
        case .der: form = "DER"
        case .pkcs12: form = "PKCS12"
        case .unrecognized(let number):
            throw EffectError(
                .invalid, object: field,
                "\(field) asks for the secret \"\(printable(reference.name))\" in the form \(number), which this host "
                    + "does not know")
        }
        throw EffectError(
            .unimplemented, object: field,
            "\(field) asks for the secret \"\(printable(reference.name))\" as \(form); this host offers RAW and BASE64")
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
