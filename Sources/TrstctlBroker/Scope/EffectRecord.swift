/// What a connector asked for in a scope and what came of it: for the audit and the report.
///
/// It never holds content.
package struct EffectRecord: Hashable, Sendable {
    /// What came of a call.
    package enum Outcome: String, Hashable, Sendable {
        case allowed
        /// Refused: not granted, or an object that no grant reaches.
        case denied
        /// Permitted, but it did not work, or the request itself was wrong.
        case failed
        /// Permitted and recorded instead of performed.
        case planned
    }

    /// The method's name in the protocol, for example `WriteFile`.
    package var operation: String
    /// The object, escaped, at most 1 KiB.
    package var object: String
    /// What came of it.
    package var outcome: Outcome
    /// The rule that allowed it; nil when none did.
    package var grant: String?
    /// The bytes read, written or captured.
    package var bytes: Int
    /// How long it took.
    package var milliseconds: Int64
    /// The `EffectError.Code` of what was refused or failed; nil when nothing was.
    package var code: String?
    /// Why it was refused or failed, or how a command ended, at most 1 KiB; nil when there is nothing to say.
    package var reason: String?
    /// Whether it was about to change something: then it is on record, however many others there are.
    package var isMutation = false
}
