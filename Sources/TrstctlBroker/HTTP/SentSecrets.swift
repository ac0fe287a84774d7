import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

/// The secrets that went into a request, to be looked for in its answer.
///
/// A server that repeats what it was told would hand the connector what the host kept from it.
struct SentSecrets: Sendable {
    private var values: Set<Bytes> = []

    /// Notes a value.
    mutating func note(_ value: Bytes) {
        if value.isSecret { values.insert(value) }
    }

    /// Notes what segments refer to.
    mutating func note(_ segments: [Wire.Segment], _ secrets: SecretSource) {
        for segment in segments {
            guard case .secret(let reference) = segment.kind else { continue }
            if let value = secrets.secret(named: reference.name) { note(value) }
            if let value = secrets.secret(named: reference.passwordName) { note(value) }
        }
    }

    /// Refuses parts of an answer that repeat one of them, or a part of one, as `SecretSource.refuseKey` does.
    func refuse(_ contents: [Bytes], _ object: String, isCut: Bool = false) throws(EffectError) {
        guard !values.isEmpty else { return }
        let parts = SecretParts(values.flatMap { FieldForms.sources($0, owner: 0) })
        guard contents.contains(where: { parts.first(in: $0, isCut: isCut) != nil }) else { return }
        throw EffectError(
            .holdsSecret, object: object,
            "\(object) answered with a secret that was sent to it, and connectors do not get to see those",
            fix: "the request was made; report to the connector's author that this answer must not be asked for")
    }
}
