import Glibc
import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

extension SecretSource {
    /// How many different PKCS#12 files one content may hold: each takes milliseconds to encrypt.
    static let archiveLimit = 16

    /// Puts content together from its segments; what is referred to several times is encoded once.
    ///
    /// - Parameters:
    ///   - segments: literal bytes, and references to secrets.
    ///   - limit: the most bytes of the whole; nothing is copied before the sum is known.
    ///   - field: what an error calls the content, for example `content`.
    ///   - patience: of the call; looked at before something is encoded.
    ///   - archives: the most different PKCS#12 files.
    /// - Returns: the content; secret as soon as one of its parts is.
    /// - Throws: `invalid` for an unknown name, form or kind of segment, and for a form that the secret does not have;
    ///   `limit` for too much; `scopeOver` and `timedOut` when the call's time is over.
    func assemble(
        _ segments: [Wire.Segment], limit: Int, field: String, patience: Patience? = nil,
        archives: Int = SecretSource.archiveLimit
    ) throws(EffectError) -> Bytes {
        var parts: [Bytes] = []
        var total = 0
        var encoded: [Wire.SecretReference: Bytes] = [:]
        var archives = archives
        for segment in segments {
            let part: Bytes
            switch segment.kind {
            case .literal(let bytes): part = bytes
            case .secret(let reference):
                if let known = encoded[reference] {
                    part = known
                    break
                }
                try patience?.check(field)
                if reference.encoding == .pkcs12 {
                    guard archives > 0 else { throw .tooManyArchives(field) }
                    archives -= 1
                }
                part = try SecretEncoding(source: self, reference: reference, field: field, limit: limit).bytes()
                encoded[reference] = part
            case nil:
                throw EffectError(
                    .invalid, object: field, "a segment of \(field) is neither a literal nor a secret that v1 knows")
            }
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
}

extension EffectError {
    fileprivate static func tooManyArchives(_ field: String) -> EffectError {
        EffectError(
            .limit, object: field,
            "\(field) asks for more different PKCS#12 files than one content may hold "
                + "(\(SecretSource.archiveLimit); none in a header)",
            fix: "write each into a file of its own")
    }
}

extension Patience {
    /// Throws when the call's time is over.
    fileprivate func check(_ object: String) throws(EffectError) {
        if interruption.isRaised { throw .interrupted(object) }
        guard !deadline.hasPassed else {
            throw EffectError(.timedOut, object: object, "\(object) was not complete before the call's deadline")
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
