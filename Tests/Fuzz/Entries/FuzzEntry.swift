/// What reads bytes from outside: each entry hands one input to it, as libFuzzer or the replay of a corpus calls it.
///
/// A trap, a hang or a memory error is a finding by itself; everything else that must hold is checked here.
package enum FuzzEntry: String, CaseIterable, Sendable {
    /// A stream of frames: decoder and multiplexer.
    case frame
    /// One protobuf message: between generated C and Swift values, there and back.
    case message
    /// What a connector prints before it is connected to.
    case handshake
    /// `trstctl.yaml`: YAML, structure, linter, and the edit that `plugin pin` makes.
    case manifest
    /// Signature files in every form, public keys, private keys.
    case signature
    /// PEM files with certificates and keys.
    case credential
    /// The audit log.
    case audit
    /// Grants, paths and addresses as texts.
    case grants

    /// Runs the entry.
    ///
    /// - Parameter input: anything.
    /// - Returns: what should hold and does not; nil when all is well.
    package func violation(_ input: [UInt8]) -> String? {
        do throws(Violation) {
            switch self {
            case .frame: try FrameFuzz.run(input)
            case .message: try MessageFuzz.run(input)
            case .handshake: try HandshakeFuzz.run(input)
            case .manifest: try ManifestFuzz.run(input)
            case .signature: try SignatureFuzz.run(input)
            case .credential: CredentialFuzz.run(input)
            case .audit: try AuditFuzz.run(input)
            case .grants: try GrantsFuzz.run(input)
            }
            return nil
        } catch {
            return "\(rawValue): \(error.text)"
        }
    }
}

/// Something that should hold and does not.
struct Violation: Error {
    let text: String
}

/// Asserts that something holds.
func expect(_ condition: Bool, _ text: @autoclosure () -> String) throws(Violation) {
    guard condition else { throw Violation(text: text()) }
}
