import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

/// The secrets that went into a request, to be looked for in its answer.
///
/// A server that repeats what it was told would hand the connector what the host kept from it.
struct SentSecrets: Sendable {
    /// Shorter ones would be found by chance.
    static let leastBytes = 8

    private(set) var values: [Bytes] = []

    /// Notes a value, and its base64.
    mutating func note(_ value: Bytes) {
        guard value.isSecret, value.count >= SentSecrets.leastBytes else { return }
        values.append(value)
        values.append(base64(value))
    }

    /// Notes what segments refer to.
    mutating func note(_ segments: [Wire.Segment], _ secrets: SecretSource) {
        for segment in segments {
            guard case .secret(let reference) = segment.kind else { continue }
            if let value = secrets.secret(named: reference.name) { note(value) }
            if let value = secrets.secret(named: reference.passwordName) { note(value) }
        }
    }

    /// Refuses an answer that repeats one of them.
    func refuse(_ content: Bytes, _ object: String) throws(EffectError) {
        guard values.contains(where: { content.holds($0) }) else { return }
        throw EffectError(
            .holdsSecret, object: object,
            "\(object) answered with a secret that was sent to it, and connectors do not get to see those",
            fix: "the request was made; report to the connector's author that this answer must not be asked for")
    }
}
